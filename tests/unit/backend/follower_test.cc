#include "backend/follower.h"

#include <deque>

#include "replica_fixture.h"

namespace mailzone::backend {
namespace {

/// The tenant database as data.
struct FakeDatabase {
  std::optional<Error> down;      ///< every question is answered so
  std::optional<Error> rowsDown;  ///< every question for one row is
  std::int64_t version = 0;
  std::vector<tenantdb::Change> log;
  std::int64_t compacted = 0;  ///< numbers up to here are gone
  std::map<PlatformId, PlatformContext> contexts;
  std::map<DomainId, Result<Domain>> domains;
  std::map<StaticRecordId, Result<StaticRecord>> statics;
  std::map<ZoneId, Result<Zone>> zones;
  std::vector<tenantdb::PublicStore::Metadata> metadata;
  int opened = 0, domainsRead = 0, asked = 0;

  void change(tenantdb::Entity entity, std::int64_t id) {
    ++version;
    const auto seq = static_cast<std::int64_t>(log.size()) + 1;
    log.push_back({seq, entity, id, "n" + std::to_string(seq)});
    for (auto& [_, zone] : zones) {
      if (zone) zone->serial = static_cast<std::uint32_t>(seq) + 1;
    }
  }
};

class FakeSource final : public TenantSource {
 public:
  explicit FakeSource(FakeDatabase& db) : db_(db) { ++db.opened; }
  template <class T>
  Result<T> give(T value) {
    ++db_.asked;
    if (db_.down) return tl::unexpected<Error>(*db_.down);
    return value;
  }
  Result<std::optional<std::int64_t>> dataVersion() override { return give(std::optional(db_.version)); }
  Result<std::int64_t> advance(std::int64_t) override { return give(static_cast<std::int64_t>(db_.log.size())); }
  Result<std::vector<tenantdb::Change>> changesAfter(std::int64_t after, std::int64_t limit) override {
    if (after < db_.compacted) return fail(Errc::notFound, {}, "compacted");
    std::vector<tenantdb::Change> out;
    for (const auto& each : db_.log) {
      if (each.seq > after && static_cast<std::int64_t>(out.size()) < limit) out.push_back(each);
    }
    return give(out);
  }
  Result<std::optional<std::string>> nonceAt(std::int64_t seq) override {
    if (seq <= db_.compacted || seq > static_cast<std::int64_t>(db_.log.size()))
      return give(std::optional<std::string>());
    return give(std::optional(db_.log[static_cast<std::size_t>(seq) - 1].nonce));
  }
  Result<std::vector<PlatformId>> platforms() override {
    std::vector<PlatformId> out;
    for (const auto& [id, _] : db_.contexts) out.push_back(id);
    return give(out);
  }
  Result<std::optional<PlatformContext>> context(PlatformId id, std::vector<tenantdb::BadPart>*) override {
    auto context = db_.contexts.at(id);
    context.zones.clear();
    for (const auto& [_, zone] : db_.zones) {
      if (zone) context.zones.push_back(*zone);
    }
    return give(std::optional(context));
  }
  template <class Id, class T>
  Result<std::optional<RowOf<Id, T>>> one(const std::map<Id, Result<T>>& rows, Id id) {
    if (db_.rowsDown) return tl::unexpected<Error>(*db_.rowsDown);
    const auto at = rows.find(id);
    if (at == rows.end()) return give(std::optional<RowOf<Id, T>>());
    return give(std::optional(RowOf<Id, T>{id, at->second}));
  }
  template <class Id, class T>
  Result<void> each(const std::map<Id, Result<T>>& rows, const OnRow<Id, T>& onRow) {
    if (db_.down) return tl::unexpected<Error>(*db_.down);
    for (const auto& [id, row] : rows) onRow({id, row});
    return {};
  }
  Result<std::optional<RowOf<DomainId, Domain>>> domain(DomainId id) override {
    ++db_.domainsRead;
    return one(db_.domains, id);
  }
  Result<void> eachDomain(PlatformId, const OnRow<DomainId, Domain>& onRow) override {
    return each(db_.domains, onRow);
  }
  Result<std::optional<RowOf<DepartedId, Departed>>> departed(DepartedId) override {
    return give(std::optional<RowOf<DepartedId, Departed>>());
  }
  Result<void> eachDeparted(PlatformId, const OnRow<DepartedId, Departed>&) override { return {}; }
  Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> staticRecord(StaticRecordId id) override {
    return one(db_.statics, id);
  }
  Result<void> eachStaticRecord(const OnRow<StaticRecordId, StaticRecord>& onRow) override {
    return each(db_.statics, onRow);
  }
  Result<std::vector<RowOf<ZoneId, Zone>>> zones() override {
    std::vector<RowOf<ZoneId, Zone>> out;
    for (const auto& [id, zone] : db_.zones) out.push_back({id, zone});
    return give(out);
  }
  Result<std::vector<tenantdb::PublicStore::Metadata>> zoneMetadata() override { return give(db_.metadata); }
  Result<std::vector<DnsName>> namesOf(SourceId source) override {
    return give(std::vector<DnsName>{name("t" + std::to_string(source.id) + ".shop.example")});
  }

 private:
  FakeDatabase& db_;
};

class FollowerFixture : public ReplicaFixture {
 protected:
  void SetUp() override {
    ReplicaFixture::SetUp();
    slot = std::make_unique<ReplicaSlot>(replica);
    Zone zone;
    zone.id = ZoneId{1};
    zone.platform = PlatformId{1};
    zone.name = name("shop.example");
    zone.primaryServer = name("ns1.shop.example");
    zone.hostmaster = name("hostmaster.shop.example");
    zone.refresh = zone.retry = zone.expire = zone.minimum = 60;
    zone.ttl = Ttl::of(300).value();
    zone.serial = 1;
    db.zones.emplace(zone.id, zone);
    PlatformContext context;
    context.platform.id = PlatformId{1};
    context.platform.name = name("shop.example");
    context.platform.mailExchangers = {{10, name("mx.shop.example")}};
    Pool pool;
    pool.id = PoolId{1};
    pool.platform = PlatformId{1};
    pool.name = "main";
    pool.addresses = {{AddressId{1}, IpAddress::parse("192.0.2.25").value(), name("mx.shop.example")}};
    context.pools = {pool};
    Stream stream;
    stream.id = StreamId{1};
    stream.name = "webapp";
    stream.pool = PoolId{1};
    context.streams = {stream};
    db.contexts.emplace(PlatformId{1}, context);
    for (const int id : {1, 2}) db.domains.insert_or_assign(DomainId{id}, domain(id));
    db.statics.insert_or_assign(StaticRecordId{1}, record(1, "shop.example", "NS", "ns1.shop.example."));
    follower = makeFollower();
  }
  std::unique_ptr<Follower> makeFollower(std::int64_t changesPerStep = 1000) {
    Follower::Options options;
    options.changesPerStep = changesPerStep;
    options.sourcesPerCommit = 3;  // so that several commits happen
    return std::make_unique<Follower>(
        *slot,
        [this]() -> Result<std::unique_ptr<TenantSource>> {
          if (db.down) return tl::unexpected<Error>(*db.down);
          return std::unique_ptr<TenantSource>(std::make_unique<FakeSource>(db));
        },
        options);
  }
  static Domain domain(int id) {
    Domain out;
    out.id = DomainId{id};
    out.platform = PlatformId{1};
    out.tenant = TenantId{id};
    out.name = name("t" + std::to_string(id) + ".shop.example");
    out.kind = DomainKind::subdomain;
    out.token = std::string(31, 'a') + std::to_string(id % 10);
    out.zone = ZoneId{1};
    return out;
  }
  static StaticRecord record(int id, std::string_view owner, std::string_view type, std::string content) {
    return {StaticRecordId{id},   ZoneId{1},         name(owner), RecordType::parse(type).value(),
            Ttl::of(300).value(), std::move(content)};
  }
  /// Steps until there is nothing to do; how many steps that took.
  int settle() {
    for (int steps = 1; steps < 50; ++steps) {
      if (follower->step() != std::chrono::milliseconds(0)) {
        replica = slot->get();
        return steps;
      }
    }
    ADD_FAILURE() << "never settles";
    return 0;
  }
  std::uint32_t serial() {
    auto reader = Replica::Reader::open(slot->get()).value();
    EXPECT_TRUE(reader.begin());
    return reader.zone(1).value()->serial;
  }
  bool has(std::string_view owner, std::string_view text) { return ask(1, owner).find(text) != std::string::npos; }

  FakeDatabase db;
  std::unique_ptr<ReplicaSlot> slot;
  std::unique_ptr<Follower> follower;
};

TEST_F(FollowerFixture, FillsAndThenFollowsEachChange) {
  settle();
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  EXPECT_TRUE(has("shop.example", R"("qtype":"SOA")"));
  EXPECT_EQ(serial(), 1U);
  db.domains.insert_or_assign(DomainId{3}, domain(3));
  db.change(tenantdb::Entity::domain, 3);
  EXPECT_EQ(settle(), 1);
  EXPECT_TRUE(has("t3.shop.example", "v=spf1"));
  EXPECT_EQ(serial(), 2U);
  EXPECT_TRUE(has("shop.example", " 2 60 60 60 60")) << "the SOA record has the same serial";
  db.domains.erase(DomainId{3});
  db.change(tenantdb::Entity::domain, 3);
  settle();
  EXPECT_EQ(ask(1, "t3.shop.example"), "");
  EXPECT_EQ(follower->status().fills, 1U);
}

TEST_F(FollowerFixture, AsksNothingMoreWhileNothingChanges) {
  settle();
  settle();
  const int before = db.asked;
  for (int i = 0; i < 10; ++i) (void)follower->step();
  EXPECT_EQ(db.asked - before, 10) << "the data version alone, once a step";
}

TEST_F(FollowerFixture, DerivesAllDomainsAgainWhenWhatTheyShareChanges) {
  settle();
  db.contexts.at(PlatformId{1}).platform.mailExchangers = {{10, name("mx9.shop.example")}};
  db.change(tenantdb::Entity::platform, 1);
  settle();
  EXPECT_TRUE(has("t1.shop.example", "mx9.shop.example."));
  EXPECT_TRUE(has("t2.shop.example", "mx9.shop.example."));
  db.domainsRead = 0;
  db.contexts.at(PlatformId{1}).pools[0].addresses[0].address = IpAddress::parse("192.0.2.26").value();
  db.change(tenantdb::Entity::pool, 1);
  settle();
  EXPECT_TRUE(has("main._spf.shop.example", "192.0.2.26"));
  EXPECT_EQ(db.domainsRead, 0) << "an address stands in the pool's own record";
  db.contexts.at(PlatformId{1}).pools[0].name = "other";
  db.change(tenantdb::Entity::pool, 1);
  settle();
  EXPECT_TRUE(has("t1.shop.example", "other._spf.shop.example"));
  EXPECT_FALSE(has("main._spf.shop.example", "192.0.2.26"));
}

TEST_F(FollowerFixture, KeepsServingWhileTheDatabaseIsAwayAndCatchesUp) {
  settle();
  db.down = Error{Errc::unavailable, "", "gone", ""};
  db.domains.insert_or_assign(DomainId{3}, domain(3));
  db.change(tenantdb::Entity::domain, 3);
  std::chrono::milliseconds last{0};
  for (int i = 0; i < 10; ++i) {
    const auto wait = follower->step();
    EXPECT_GE(wait, last) << "it backs off";
    EXPECT_LE(wait, std::chrono::milliseconds(1000)) << "but is back within a second";
    last = wait;
  }
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  ASSERT_TRUE(follower->status().lastError);
  db.down.reset();
  settle();
  EXPECT_TRUE(has("t3.shop.example", "v=spf1"));
  EXPECT_FALSE(follower->status().lastError);
  EXPECT_EQ(follower->status().fills, 1U) << "no fill was needed";
}

TEST_F(FollowerFixture, ARoundThatFailsLosesNothingOfWhatDomainsShare) {
  settle();
  db.contexts.at(PlatformId{1}).pools[0].addresses[0].address = IpAddress::parse("192.0.2.26").value();
  db.change(tenantdb::Entity::pool, 1);
  db.change(tenantdb::Entity::domain, 1);
  db.rowsDown = Error{Errc::unavailable, "", "gone", ""};  // after the pools were read
  (void)follower->step();
  ASSERT_TRUE(follower->status().lastError);
  db.rowsDown.reset();
  settle();
  EXPECT_TRUE(has("main._spf.shop.example", "192.0.2.26"));
}

TEST_F(FollowerFixture, ForgetsPoolsAndZonesThatWentWhileItWasAway) {
  Zone second = *db.zones.at(ZoneId{1});
  second.id = ZoneId{2};
  second.name = name("second.example");
  db.zones.emplace(second.id, second);
  settle();
  ASSERT_TRUE(has("main._spf.shop.example", "192.0.2.25"));
  const auto before = nodes().size();
  follower = makeFollower();
  db.contexts.at(PlatformId{1}).pools.clear();
  db.contexts.at(PlatformId{1}).streams.clear();
  db.change(tenantdb::Entity::pool, 1);
  db.zones.erase(ZoneId{2});
  db.change(tenantdb::Entity::zone, 2);
  settle();
  EXPECT_EQ(ask(1, "main._spf.shop.example"), "");
  EXPECT_LT(nodes().size(), before);
  const auto followed = nodes();
  slot->get()->setBroken();
  settle();
  EXPECT_EQ(nodes(), followed) << "as filled from the rows as they are";
}

TEST_F(FollowerFixture, ASerialRisesWithTheLastOfItsChanges) {
  follower = makeFollower(2);
  settle();
  for (int id = 3; id < 8; ++id) {
    db.domains.insert_or_assign(DomainId{id}, domain(id));
    db.change(tenantdb::Entity::domain, id);
  }
  (void)follower->step();
  EXPECT_TRUE(has("t3.shop.example", "v=spf1"));
  EXPECT_FALSE(has("t7.shop.example", "v=spf1"));
  EXPECT_EQ(serial(), 1U) << "a secondary that took 6 now would never ask for t7";
  settle();
  EXPECT_TRUE(has("t7.shop.example", "v=spf1"));
  EXPECT_EQ(serial(), 6U);
}

TEST_F(FollowerFixture, FillsAgainAboveTheServedSerialsWhenTheDatabaseWasRestored) {
  for (int i = 0; i < 9; ++i) db.change(tenantdb::Entity::domain, 1);
  settle();
  ASSERT_EQ(serial(), 10U);
  // A backup from before: the head is behind.
  db.log.resize(4);
  db.zones.at(ZoneId{1})->serial = 5;
  ++db.version;
  db.domains.erase(DomainId{2});
  settle();
  EXPECT_EQ(follower->status().fills, 2U);
  EXPECT_EQ(serial(), 11U);
  EXPECT_EQ(ask(1, "t2.shop.example"), "");
  db.change(tenantdb::Entity::domain, 1);
  settle();
  EXPECT_EQ(serial(), 12U) << "and it rises on from there";
  // Another history of the same length.
  for (auto& each : db.log) each.nonce += "x";
  ++db.version;
  settle();
  EXPECT_EQ(follower->status().fills, 3U);
  EXPECT_GT(serial(), 12U);
}

TEST_F(FollowerFixture, FillsAgainWhenChangesWereCompactedAway) {
  settle();
  db.domains.insert_or_assign(DomainId{3}, domain(3));
  for (int i = 0; i < 5; ++i) db.change(tenantdb::Entity::domain, 3);
  db.compacted = 4;
  settle();
  EXPECT_EQ(follower->status().fills, 2U);
  EXPECT_TRUE(has("t3.shop.example", "v=spf1"));
}

TEST_F(FollowerFixture, LetsABadRowSpoilNothingElse) {
  const Error why{Errc::invalidInput, "bogus", "is no policy", "write reject"};
  db.domains.insert_or_assign(DomainId{2}, tl::unexpected<Error>(why));
  db.statics.insert_or_assign(StaticRecordId{2}, record(2, "x.elsewhere.example", "A", "192.0.2.1"));
  settle();
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  EXPECT_EQ(ask(1, "t2.shop.example"), "(cannot tell)") << "it never had an answer";
  EXPECT_EQ(bad().size(), 2U);
  // It had one: that one stays, over a fill too.
  db.domains.insert_or_assign(DomainId{1}, tl::unexpected<Error>(why));
  db.change(tenantdb::Entity::domain, 1);
  settle();
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  for (auto& each : db.log) each.nonce += "x";
  ++db.version;
  settle();
  EXPECT_EQ(follower->status().fills, 2U);
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  EXPECT_EQ(bad().size(), 3U);
  db.domains.insert_or_assign(DomainId{1}, domain(1));
  db.domains.insert_or_assign(DomainId{2}, domain(2));
  db.change(tenantdb::Entity::domain, 1);
  db.change(tenantdb::Entity::domain, 2);
  settle();
  EXPECT_TRUE(has("t2.shop.example", "v=spf1"));
  EXPECT_EQ(bad().size(), 1U);
}

TEST_F(FollowerFixture, KeepsAZoneWhoseRowWentBad) {
  settle();
  const Zone good = *db.zones.at(ZoneId{1});
  db.zones.insert_or_assign(ZoneId{1}, tl::unexpected<Error>(Error{Errc::invalidInput, "x", "no name", ""}));
  db.change(tenantdb::Entity::domain, 1);
  settle();
  EXPECT_TRUE(has("shop.example", R"("qtype":"SOA")"));
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  EXPECT_EQ(bad()[0].source, source(SourceKind::zone, 1));
  db.zones.insert_or_assign(ZoneId{1}, good);
  db.change(tenantdb::Entity::zone, 1);
  settle();
  EXPECT_TRUE(bad().empty());
}

TEST_F(FollowerFixture, ReplacesABrokenReplica) {
  settle();
  slot->get()->setBroken();
  EXPECT_EQ(ask(1, "t1.shop.example"), "(not ready)");
  settle();
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  EXPECT_EQ(follower->status().fills, 2U);
}

TEST_F(FollowerFixture, StartsFromAWarmReplicaWithoutTheDatabase) {
  settle();
  follower.reset();
  slot.reset();
  replica.reset();
  replica = Replica::open(folder.path(), kOptions).value();
  slot = std::make_unique<ReplicaSlot>(replica);
  db.down = Error{Errc::unavailable, "", "gone", ""};
  follower = makeFollower();
  (void)follower->step();
  EXPECT_TRUE(has("t1.shop.example", "v=spf1"));
  db.down.reset();
  db.domains.insert_or_assign(DomainId{3}, domain(3));
  db.change(tenantdb::Entity::domain, 3);
  settle();
  EXPECT_EQ(follower->status().fills, 0U) << "it follows from where it was";
  EXPECT_TRUE(has("t3.shop.example", "v=spf1"));
}

TEST_F(FollowerFixture, FollowsMetadata) {
  settle();
  db.metadata = {{ZoneId{1}, "ALLOW-AXFR-FROM", "192.0.2.1"}};
  db.change(tenantdb::Entity::zoneMetadata, 1);
  settle();
  auto reader = Replica::Reader::open(slot->get()).value();
  ASSERT_TRUE(reader.begin());
  EXPECT_EQ(reader.zone(1).value()->metadata.at("ALLOW-AXFR-FROM"), std::vector<std::string>{"192.0.2.1"});
}

// The replica after any history equals one that was filled from the rows as they are.
TEST_F(FollowerFixture, EqualsAFreshFillAfterAnyHistory) {
  settle();
  for (int id = 3; id < 40; ++id) {
    db.domains.insert_or_assign(DomainId{id}, domain(id));
    db.change(tenantdb::Entity::domain, id);
    if (id % 3 == 0) {
      db.domains.erase(DomainId{id - 1});
      db.change(tenantdb::Entity::domain, id - 1);
    }
    if (id % 5 == 0) {
      db.statics.insert_or_assign(StaticRecordId{id}, record(id, "a.b" + std::to_string(id % 2) + ".shop.example",
                                                             "TXT", "\"" + std::to_string(id) + "\""));
      db.change(tenantdb::Entity::staticRecord, id);
    }
    if (id % 11 == 0) db.change(tenantdb::Entity::platform, 1);
    if (id % 4 == 0) settle();
  }
  settle();
  const auto followed = nodes();
  slot->get()->setBroken();
  settle();
  EXPECT_EQ(nodes(), followed);
  EXPECT_GT(followed.size(), 20U);
}

}  // namespace
}  // namespace mailzone::backend
