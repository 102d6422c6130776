#include "backend/replica.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "replica_fixture.h"

namespace mailzone::backend {
namespace {

constexpr SourceId kTenant = source(SourceKind::domain, 10);
constexpr SourceId kOther = source(SourceKind::domain, 11);
constexpr SourceId kStatic = source(SourceKind::staticRecord, 50);

std::string row(std::string_view type, std::string_view owner, std::string_view content, int zone = 1, int auth = 1) {
  std::string out = R"({"qtype":")" + std::string(type) + R"(","qname":")" + std::string(owner) + R"(","content":")";
  appendJsonEscaped(out, content);
  return out + R"(","ttl":)" + (type.empty() ? "0" : "300") + R"(,"domain_id":)" + std::to_string(zone) +
         R"(,"auth":)" + std::to_string(auth) + "}";
}

TEST(ReplicaKeys, AreNeverLongerThanLmdbAllows) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same names each time
  for (int round = 0; round < 2000; ++round) {
    std::string wire;
    while (wire.size() < 250) {
      const std::size_t length = std::min<std::size_t>(1 + random() % 63, 253 - wire.size() - 1);
      wire += static_cast<char>(length);
      for (std::size_t i = 0; i < length; ++i)
        wire += static_cast<char>(round % 2 == 0 ? random() % 2 : random() % 256);
    }
    wire += '\0';
    const auto longest = DnsName::fromWire(wire);
    ASSERT_TRUE(longest);
    EXPECT_LE(nodeKey(INT32_MAX, longest->canonicalKey()).size(), 511U);
  }
}

TEST_F(ReplicaFixture, AnswersNothingBeforeItIsFilled) {
  EXPECT_FALSE(replica->ready());
  EXPECT_EQ(ask(1, "shop.example"), "(not ready)");
}

TEST_F(ReplicaFixture, GivesRecordsByNameTypeAndZone) {
  fill({{kTenant,
         {rrset(1, "t1.shop.example", "TXT", {"\"v=spf1 -all\"", "\"other\""}),
          rrset(1, "t1.shop.example", "MX", {"10 mx.shop.example."})}}});
  EXPECT_EQ(ask(1, "t1.shop.example", "MX"), row("MX", "t1.shop.example.", "10 mx.shop.example."));
  EXPECT_EQ(ask(1, "T1.SHOP.example"), row("MX", "t1.shop.example.", "10 mx.shop.example.") + "," +
                                           row("TXT", "t1.shop.example.", "\"other\"") + "," +
                                           row("TXT", "t1.shop.example.", "\"v=spf1 -all\""));
  EXPECT_EQ(ask(1, "t1.shop.example", "A"), "");
  EXPECT_EQ(ask(2, "t1.shop.example"), "") << "it is not in that zone";
}

TEST_F(ReplicaFixture, KeepsEmptyNonTerminalsOnlyWhileSomethingIsBelow) {
  fill({{kTenant, {rrset(1, "mz1._domainkey.t1.shop.example", "TXT", {"\"a\""})}},
        {kOther, {rrset(1, "mz1._domainkey.t2.shop.example", "TXT", {"\"b\""})}}});
  EXPECT_EQ(ask(1, "_domainkey.t1.shop.example"), row("", "_domainkey.t1.shop.example.", ""));
  EXPECT_EQ(ask(1, "t1.shop.example"), row("", "t1.shop.example.", ""));
  EXPECT_EQ(ask(1, "t1.shop.example", "TXT"), "") << "an empty non-terminal has no records of any type";
  apply(kTenant, {});
  EXPECT_EQ(ask(1, "_domainkey.t1.shop.example"), "");
  EXPECT_EQ(ask(1, "t1.shop.example"), "");
  EXPECT_NE(ask(1, "_domainkey.t2.shop.example"), "");
  apply(kTenant,
        {rrset(1, "a.b.c.t1.shop.example", "TXT", {"\"x\""}), rrset(1, "c.t1.shop.example", "TXT", {"\"y\""})});
  apply(kTenant, {rrset(1, "a.b.c.t1.shop.example", "TXT", {"\"x\""})});
  EXPECT_EQ(ask(1, "c.t1.shop.example"), row("", "c.t1.shop.example.", "")) << "a name that lost its records";
}

TEST_F(ReplicaFixture, SaysWithoutAuthorityWhatLiesBelowADelegation) {
  fill({{kStatic, {rrset(1, "sub.shop.example", "NS", {"ns.sub.shop.example."})}},
        {kTenant, {rrset(1, "ns.sub.shop.example", "A", {"192.0.2.1"})}}});
  EXPECT_EQ(ask(1, "sub.shop.example", "NS"), row("NS", "sub.shop.example.", "ns.sub.shop.example.", 1, 0));
  EXPECT_EQ(ask(1, "ns.sub.shop.example"), row("A", "ns.sub.shop.example.", "192.0.2.1", 1, 0));
  apply(source(SourceKind::staticRecord, 51), {rrset(1, "sub.shop.example", "DS", {"1 8 2 00"})});
  EXPECT_EQ(ask(1, "sub.shop.example", "DS"), row("DS", "sub.shop.example.", "1 8 2 00")) << "DS is the parent's own";
  apply(kStatic, {});
  EXPECT_EQ(ask(1, "ns.sub.shop.example"), row("A", "ns.sub.shop.example.", "192.0.2.1")) << "the delegation went";
  EXPECT_EQ(ask(1, "shop.example", "NS"), row("NS", "shop.example.", "ns1.shop.example."))
      << "an apex is no delegation";
}

TEST_F(ReplicaFixture, LetsAnOperatorsPolicyStandInPlaceOfTheGeneratedOne) {
  fill({{kTenant,
         {rrset(1, "shop.example", "TXT", {"\"v=spf1 include:_spf.shop.example -all\"", "\"other\""}),
          rrset(1, "_dmarc.shop.example", "TXT", {"\"v=DMARC1; p=reject\""})}}});
  apply(kStatic, {rrset(1, "shop.example", "TXT", {"\"v=spf1 mx -all\""})});
  EXPECT_EQ(ask(1, "shop.example", "TXT"),
            row("TXT", "shop.example.", "\"other\"") + "," + row("TXT", "shop.example.", "\"v=spf1 mx -all\""));
  apply(source(SourceKind::staticRecord, 51), {rrset(1, "_dmarc.shop.example", "TXT", {"\"v=DMARC1; p=none\""})});
  EXPECT_EQ(ask(1, "_dmarc.shop.example"), row("TXT", "_dmarc.shop.example.", "\"v=DMARC1; p=none\""));
  EXPECT_TRUE(bad().empty()) << "that is no fault of the generated record's row";
  apply(kStatic, {});
  EXPECT_EQ(ask(1, "shop.example", "TXT"),
            row("TXT", "shop.example.", "\"other\"") + "," +
                row("TXT", "shop.example.", "\"v=spf1 include:_spf.shop.example -all\""));
}

TEST_F(ReplicaFixture, LetsALiveNameAnswerInPlaceOfWhatItLeftBehind) {
  const auto departed = source(SourceKind::departed, 3);
  fill({{departed,
         {rrset(1, "mz1._domainkey.t1.shop.example", "TXT", {"\"old\""}),
          rrset(1, "mz2._domainkey.t1.shop.example", "TXT", {"\"old2\""})}},
        {kTenant, {rrset(1, "mz1._domainkey.t1.shop.example", "TXT", {"\"new\""})}}});
  EXPECT_EQ(ask(1, "mz1._domainkey.t1.shop.example"), row("TXT", "mz1._domainkey.t1.shop.example.", "\"new\""));
  EXPECT_EQ(ask(1, "mz2._domainkey.t1.shop.example"), row("TXT", "mz2._domainkey.t1.shop.example.", "\"old2\""));
}

TEST_F(ReplicaFixture, LeavesAnAliasOutBesideOtherDataWhicheverCameFirst) {
  const std::vector<zonegen::ZoneRRset> alias = {rrset(1, "x.shop.example", "CNAME", {"y.shop.example."})};
  const std::vector<zonegen::ZoneRRset> data = {rrset(1, "x.shop.example", "A", {"192.0.2.1"})};
  for (const bool aliasFirst : {true, false}) {
    fill();
    for (const bool now : {aliasFirst, !aliasFirst}) now ? apply(kTenant, alias) : apply(kStatic, data);
    EXPECT_EQ(ask(1, "x.shop.example"), row("A", "x.shop.example.", "192.0.2.1"));
    ASSERT_EQ(bad().size(), 1U);
    EXPECT_EQ(bad()[0].source, kTenant);
    EXPECT_EQ(bad()[0].where, "x.shop.example");
  }
  apply(kStatic, {});
  EXPECT_EQ(ask(1, "x.shop.example"), row("CNAME", "x.shop.example.", "y.shop.example."));
  EXPECT_TRUE(bad().empty());
  auto writer = Replica::Writer::begin(*replica).value();
  const std::vector<zonegen::ZoneRRset> both = {alias[0], data[0]};
  EXPECT_EQ(writer.apply(kOther, both).error().code, Errc::invalidInput) << "one source contradicts itself";
}

TEST_F(ReplicaFixture, RefusesWhatCannotBelongToItsZone) {
  fill();
  auto writer = Replica::Writer::begin(*replica).value();
  const std::vector<std::pair<const char*, zonegen::ZoneRRset>> rows = {
      {"a zone that is not there", rrset(9, "x.shop.example", "A", {"192.0.2.1"})},
      {"a name outside the zone", rrset(1, "x.shop2.example", "A", {"192.0.2.1"})},
      {"a name above the zone", rrset(1, "example", "A", {"192.0.2.1"})},
      {"a content over 64 KiB of rdata", rrset(1, "x.shop.example", "TXT", {std::string(262145, 'a')})},
      {"4,097 records at a name", rrset(1, "x.shop.example", "TXT",
                                        [] {
                                          std::vector<std::string> many;
                                          for (int i = 0; i < 4097; ++i) many.push_back('"' + std::to_string(i) + '"');
                                          return many;
                                        }())},
  };
  for (const auto& [why, record] : rows) {
    const std::vector<zonegen::ZoneRRset> records = {record};
    auto done = writer.apply(kTenant, records);
    ASSERT_FALSE(done) << why;
    EXPECT_TRUE(done.error().code == Errc::invalidInput || done.error().code == Errc::limitExceeded) << why;
  }
  ASSERT_TRUE(writer.commit());
  EXPECT_EQ(ask(1, "x.shop.example"), "");
}

TEST_F(ReplicaFixture, KeepsTheLastGoodAnswerOfABadRow) {
  fill({{kTenant, {rrset(1, "t1.shop.example", "A", {"192.0.2.1"})}}});
  const Error why{Errc::invalidInput, "bogus", "is no policy", "write reject"};
  const std::vector<DnsName> names = {name("t1.shop.example")};
  {
    auto writer = Replica::Writer::begin(*replica).value();
    ASSERT_TRUE(writer.setBad(kTenant, why, names));
    ASSERT_TRUE(writer.commit());
  }
  EXPECT_EQ(ask(1, "t1.shop.example"), row("A", "t1.shop.example.", "192.0.2.1"));
  ASSERT_EQ(bad().size(), 1U);
  EXPECT_EQ(bad()[0].reason, describe(why));
  {
    // A full fill takes it over from the generation before.
    auto writer = Replica::Writer::beginFill(*replica).value();
    const std::vector<ServedZone> zones = {servedZone(1, "shop.example")};
    ASSERT_TRUE(writer.setZones(zones));
    ASSERT_TRUE(writer.setBad(kTenant, why, names));
    ASSERT_TRUE(writer.commitFill());
  }
  EXPECT_EQ(ask(1, "t1.shop.example"), row("A", "t1.shop.example.", "192.0.2.1"));
  apply(kTenant, {rrset(1, "t1.shop.example", "A", {"192.0.2.2"})});
  EXPECT_TRUE(bad().empty());
}

TEST_F(ReplicaFixture, CannotTellWhatABadRowNeverSaid) {
  fill({{kOther, {rrset(1, "t2.shop.example", "A", {"192.0.2.1"})}}});
  {
    auto writer = Replica::Writer::begin(*replica).value();
    const std::vector<DnsName> names = {name("t1.shop.example"), name("elsewhere.example"), name("shop.example")};
    ASSERT_TRUE(writer.setBad(kTenant, Error{Errc::invalidInput, "x", "y", ""}, names));
    ASSERT_TRUE(writer.commit());
  }
  EXPECT_EQ(ask(1, "t1.shop.example"), "(cannot tell)");
  EXPECT_EQ(ask(1, "t1.shop.example", "TXT"), "(cannot tell)");
  EXPECT_EQ(ask(1, "mz1._domainkey.t1.shop.example"), "(cannot tell)") << "nor below it";
  EXPECT_EQ(ask(1, "t3.shop.example"), "") << "the apex silences itself, not the zone";
  EXPECT_EQ(ask(1, "shop.example", "SOA"), row("SOA", "shop.example.", "ns1.shop.example. h.shop.example. 1 2 3 4 5"));
  EXPECT_NE(ask(1, "t2.shop.example"), "(cannot tell)");
  // Opened again, it still cannot.
  replica.reset();
  replica = Replica::open(folder.path(), kOptions).value();
  EXPECT_EQ(ask(1, "mz1._domainkey.t1.shop.example"), "(cannot tell)");
  apply(kTenant, {rrset(1, "t1.shop.example", "A", {"192.0.2.9"})});
  EXPECT_EQ(ask(1, "t1.shop.example"), row("A", "t1.shop.example.", "192.0.2.9"));
  EXPECT_EQ(ask(1, "mz1._domainkey.t1.shop.example"), "");
}

TEST_F(ReplicaFixture, IsTheSameWhateverTheOrderOfChanges) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp)
  const std::array<std::string, 6> owners = {"a", "b.a", "c.b.a", "*.a", "d", "e.d"};
  const auto make = [&](int seed) {
    std::mt19937 r(static_cast<unsigned>(seed));  // NOLINT(cert-msc51-cpp)
    std::map<std::string, zonegen::ZoneRRset> out;
    for (int i = 0; i < 3; ++i) {
      const std::string owner = owners[r() % owners.size()] + ".shop.example";
      switch (r() % 4) {
        case 0:
          out.insert_or_assign(owner, rrset(1, owner, "CNAME", {"t.shop.example."}));
          break;
        case 1:
          out.insert_or_assign(owner, rrset(1, owner, "NS", {"n.shop.example."}));
          break;
        case 2:
          out.insert_or_assign(owner, rrset(1, owner, "TXT", {"\"v=spf1 " + std::to_string(r() % 3) + "\""}));
          break;
        default:
          out.insert_or_assign(owner, rrset(1, owner, "A", {"192.0.2." + std::to_string(r() % 3)}, 60));
          break;
      }
    }
    std::vector<zonegen::ZoneRRset> records;
    for (auto& [_, each] : out) records.push_back(each);
    return records;
  };
  for (int round = 0; round < 40; ++round) {
    std::map<SourceId, std::vector<zonegen::ZoneRRset>> last;
    fill();
    for (int step = 0; step < 25; ++step) {
      const SourceId from = source(static_cast<SourceKind>(random() % 6), 100 + static_cast<int>(random() % 3));
      auto records = random() % 4 == 0 ? std::vector<zonegen::ZoneRRset>{} : make(static_cast<int>(random()));
      apply(from, records);
      last[from] = std::move(records);
    }
    const auto stepwise = nodes();
    const auto stepwiseBad = bad();
    fill({last.begin(), last.end()});
    ASSERT_EQ(nodes(), stepwise) << "round " << round;
    ASSERT_EQ(bad(), stepwiseBad) << "round " << round;
  }
}

TEST_F(ReplicaFixture, ServesTheOldGenerationUntilTheNewOneIsWhole) {
  fill({{kTenant, {rrset(1, "t1.shop.example", "A", {"192.0.2.1"})}}});
  auto reader = Replica::Reader::open(replica).value();
  {
    auto writer = Replica::Writer::beginFill(*replica).value();
    const std::vector<ServedZone> zones = {servedZone(1, "shop.example", 5)};
    ASSERT_TRUE(writer.setZones(zones));
    ASSERT_TRUE(writer.commit());
  }
  EXPECT_NE(ask(1, "t1.shop.example"), "") << "half a fill is not served";
  ASSERT_TRUE(reader.begin());
  auto writer = Replica::Writer::continueFill(*replica).value();
  ASSERT_TRUE(writer.setPosition({9, "n"}));
  ASSERT_TRUE(writer.commitFill());
  std::string out;
  EXPECT_EQ(reader.lookup(1, name("t1.shop.example").canonicalKey(), rrtype::ANY, out), Found::records)
      << "a moment that has begun stays as it was";
  EXPECT_EQ(ask(1, "t1.shop.example"), "");
  ASSERT_TRUE(reader.begin());
  EXPECT_EQ(reader.position().value(), (Position{9, "n"}));
}

TEST_F(ReplicaFixture, NeverLetsAServedSerialFall) {
  fill();
  struct Step {
    const char* why;
    std::uint32_t database;
    bool raise;
    std::uint32_t served;
  };
  for (const auto& step :
       {Step{"as it is", 1, false, 1}, Step{"it rose", 10, false, 10}, Step{"the same again", 10, false, 10},
        Step{"a restored backup", 4, false, 11}, Step{"goes on from there", 5, false, 12},
        Step{"another database at the same serial", 5, true, 13}, Step{"and on", 6, false, 14}}) {
    auto writer = Replica::Writer::begin(*replica).value();
    const std::vector<ServedZone> zones = {servedZone(1, "shop.example", step.database)};
    ASSERT_TRUE(writer.setZones(zones, step.raise));
    EXPECT_EQ(writer.zone(1).value()->serial, step.served) << step.why;
    ASSERT_TRUE(writer.commit());
  }
}

TEST_F(ReplicaFixture, FindsAFlippedBitAndAnswersNothingMore) {
  fill({{kTenant, {rrset(1, "t1.shop.example", "TXT", {"\"find me by this text\""})}}});
  std::fstream file(folder.path() + "/data.mdb", std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  int flipped = 0;
  for (auto at = bytes.find("find me"); at != std::string::npos; at = bytes.find("find me", at + 1)) {
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put('F');
    ++flipped;
  }
  file.close();
  ASSERT_GE(flipped, 1);
  EXPECT_EQ(ask(1, "t1.shop.example"), "(broken)");
  EXPECT_TRUE(replica->broken());
  EXPECT_EQ(ask(1, "shop.example"), "(not ready)") << "where one value is wrong, no other one is trusted";
  auto fresh = replica->replace();
  ASSERT_TRUE(fresh);
  replica = *fresh;
  EXPECT_EQ(ask(1, "shop.example"), "(not ready)") << "a new one is empty";
  fill();
  EXPECT_NE(ask(1, "shop.example"), "(not ready)");
}

TEST_F(ReplicaFixture, StartsEmptyWhenItsFileCannotBeUsed) {
  const auto data = folder.path() + "/data.mdb";
  struct Damage {
    const char* why;
    std::function<void()> happens;
  };
  for (const auto& damage : {Damage{"truncated", [&] { ASSERT_EQ(::truncate(data.c_str(), 3 * 4096), 0); }},
                             Damage{"cut to nothing", [&] { ASSERT_EQ(::truncate(data.c_str(), 0), 0); }},
                             Damage{"another kind of file", [&] { std::ofstream(data) << std::string(100000, 'x'); }},
                             Damage{"deleted", [&] { ASSERT_EQ(::unlink(data.c_str()), 0); }}}) {
    fill();
    ASSERT_TRUE(replica->ready());
    replica.reset();
    damage.happens();
    auto opened = Replica::open(folder.path(), kOptions);
    ASSERT_TRUE(opened) << damage.why << ": " << describe(opened.error());
    replica = *opened;
    EXPECT_FALSE(replica->ready()) << damage.why;
  }
}

TEST_F(ReplicaFixture, NoticesThatItsFileWasTruncatedOrTakenAwayWhileOpen) {
  fill();
  replica->checkFile();
  EXPECT_TRUE(replica->ready());
  ASSERT_EQ(::unlink((folder.path() + "/data.mdb").c_str()), 0);
  replica->checkFile();
  EXPECT_TRUE(replica->broken());
}

TEST_F(ReplicaFixture, IsOpenedByOneProcessAtATime) {
  auto second = Replica::open(folder.path(), kOptions);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
}

TEST_F(ReplicaFixture, ListsAZoneInCanonicalOrder) {
  fill({{kTenant, {rrset(1, "b.shop.example", "A", {"192.0.2.1"}), rrset(1, "a.z.shop.example", "A", {"192.0.2.2"})}}});
  auto reader = Replica::Reader::open(replica).value();
  ASSERT_TRUE(reader.begin());
  std::string out = "[";
  ASSERT_EQ(reader.transfer(1, out), Found::records);
  EXPECT_EQ(out, "[" + row("NS", "shop.example.", "ns1.shop.example.") + "," +
                     row("SOA", "shop.example.", "ns1.shop.example. h.shop.example. 1 2 3 4 5") + "," +
                     row("A", "b.shop.example.", "192.0.2.1") + "," +
                     row("NS", "dkim.shop.example.", "ns1.shop.example.", 1, 0) + "," + row("", "z.shop.example.", "") +
                     "," + row("A", "a.z.shop.example.", "192.0.2.2"));
}

}  // namespace
}  // namespace mailzone::backend
