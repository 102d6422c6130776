#include "rotation/keeper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "fake_key_store.h"
#include "mailauth/dkim_key_record.h"
#include "tests/support/fake_resolver.h"

namespace mailzone::rotation {

PublicKey testing::FakeKeyStore::publicKeyOf(std::int64_t key) {
  // Ed25519: any 32 octets are a key.
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return {KeyAlgorithm::ed25519Sha256, std::string(42, kAlphabet[static_cast<std::size_t>(key) % 26]) + "A="};
}

namespace {

using mailzone::testing::FakeResolver;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeKeyStore;

struct FakeClock final : Clock {
  TimePoint time = parseSqlTime("2026-11-25 10:00:00").value();
  [[nodiscard]] TimePoint now() const override { return time; }
};

/// A store, a DNS that publishes what the store holds when told to, and a keeper.
struct Stage {
  FakeKeyStore store;
  FakeResolver dns;
  FakeClock clock;
  Prover prover{dns, 0};
  KeeperOptions options;
  std::optional<Keeper> keeper;

  Stage() { restart(); }
  void restart() { keeper.emplace(store, clock, prover, nullptr, options); }
  void publish() {
    dns.txtRecords.clear();
    for (const auto& row : store.selectors) {
      if (row.emptiedAt) continue;
      dns.txtRecords[selectorName(row.domainName, row.slot).value()] = {
          mailauth::dkimKeyText(row.revokedAt ? std::nullopt : std::optional(row.publicKey)).value()};
    }
  }
  Round round() {
    auto done = keeper->round();
    EXPECT_TRUE(done.has_value()) << (done ? "" : describe(done.error()));
    return done.value_or(Round{});
  }
  /// Rounds with time in between, as the program does.
  void run(int rounds, milliseconds step = milliseconds{500}) {
    for (int i = 0; i < rounds; ++i) {
      static_cast<void>(keeper->round());
      clock.time += step;
    }
  }
  void addSpares(int count) {
    for (int i = 0; i < count; ++i) store.addSpare();
  }
};

TEST(Keeper, GivesANewDomainTwoKeysAndSignsWithTheFirstOnceItIsProven) {
  Stage s;
  s.addSpares(4);
  const DomainId t4 = s.store.addDomain("t4.shop.example");
  EXPECT_EQ(s.round().filled, 2U);
  s.run(10);
  EXPECT_FALSE(s.store.at(t4, Slot::mz1)->active) << "not in the DNS yet: the common key signs";
  EXPECT_FALSE(s.store.at(t4, Slot::mz1)->provenAt);
  s.publish();
  s.run(12);
  const auto* mz1 = s.store.at(t4, Slot::mz1);
  const auto* mz2 = s.store.at(t4, Slot::mz2);
  ASSERT_TRUE(mz1 && mz2);
  EXPECT_TRUE(mz1->active);
  EXPECT_TRUE(mz1->publishedAt && mz1->provenAt && mz1->activatedAt);
  EXPECT_FALSE(mz2->active);
  EXPECT_TRUE(mz2->provenAt);
  EXPECT_EQ(s.store.spares.size(), 2U);
  const int calls = s.store.calls;
  EXPECT_FALSE(s.round().wrote()) << "steady: nothing more to do";
  EXPECT_LE(s.store.calls - calls, 5);
}

TEST(Keeper, DoesNotAskBeforeTheBackendCanHavePublished) {
  Stage s;
  s.addSpares(2);
  static_cast<void>(s.store.addDomain("t4.shop.example"));
  s.round();
  s.clock.time += s.options.policy.settle - milliseconds{1};
  EXPECT_EQ(s.round().asked, 0U);
  s.clock.time += milliseconds{1};
  EXPECT_EQ(s.round().asked, 2U);
  EXPECT_EQ(s.round().asked, 0U) << "and not again at once";
}

TEST(Keeper, ActivatesWithinFiveSecondsOfTheInsert) {
  Stage s;
  s.addSpares(2);
  s.run(3);
  const DomainId t4 = s.store.addDomain("t4.shop.example");
  const TimePoint inserted = s.clock.time;
  while (s.store.at(t4, Slot::mz1) == nullptr || !s.store.at(t4, Slot::mz1)->active) {
    s.run(1);
    if (s.clock.time >= inserted + seconds{1}) s.publish();
    ASSERT_LE(s.clock.time, inserted + seconds{5});
  }
}

TEST(Keeper, NeverTakesCannotTellOrAnotherKeyForAProof) {
  const struct {
    const char* why;
    std::function<void(Stage&, const DnsName&)> spoil;
  } rows[] = {
      {"SERVFAIL", [](Stage& s, const DnsName& name) { s.dns.servfail.insert(name); }},
      {"NXDOMAIN", [](Stage& s, const DnsName& name) { s.dns.txtRecords.erase(name); }},
      {"revoked", [](Stage& s, const DnsName& name) { s.dns.txtRecords[name] = {"v=DKIM1; p="}; }},
      {"another key",
       [](Stage& s, const DnsName& name) {
         s.dns.txtRecords[name] = {mailauth::dkimKeyText(FakeKeyStore::publicKeyOf(25)).value()};
       }},
      {"two records", [](Stage& s, const DnsName& name) { s.dns.txtRecords[name].push_back("v=spf1 -all"); }},
      {"testing mode", [](Stage& s, const DnsName& name) { s.dns.txtRecords[name].front() += "; t=y"; }},
      {"for TLS reports only", [](Stage& s, const DnsName& name) { s.dns.txtRecords[name].front() += "; s=tlsrpt"; }},
      {"nonsense", [](Stage& s, const DnsName& name) { s.dns.txtRecords[name] = {"v=DMARC1; p=none"}; }},
  };
  for (const auto& row : rows) {
    Stage s;
    s.addSpares(2);
    const DomainId t4 = s.store.addDomain("t4.shop.example");
    s.round();
    s.publish();
    for (const Slot slot : kSlots) row.spoil(s, selectorName(FakeResolver::name("t4.shop.example"), slot).value());
    s.run(40);
    EXPECT_FALSE(s.store.at(t4, Slot::mz1)->active) << row.why;
    EXPECT_FALSE(s.store.at(t4, Slot::mz1)->provenAt) << row.why;
    s.dns.servfail.clear();
    s.publish();
    s.run(80);
    EXPECT_TRUE(s.store.at(t4, Slot::mz1)->active) << row.why << ", then right";
  }
}

TEST(Keeper, FollowsACustomDomainsOwnCname) {
  Stage s;
  s.addSpares(2);
  const DomainId custom = s.store.addDomain("custom.example");
  s.round();
  s.publish();
  // The record stands at the target; the name itself is an alias, once the customer has set it.
  const DnsName selector = FakeResolver::name("mz1._domainkey.custom.example");
  const DnsName target = FakeResolver::name("mz1.0123.dkim.shop.example");
  s.dns.txtRecords[target] = s.dns.txtRecords[selector];
  s.dns.txtRecords.erase(selector);
  s.dns.txtRecords.erase(FakeResolver::name("mz2._domainkey.custom.example"));
  s.run(20);
  EXPECT_FALSE(s.store.at(custom, Slot::mz1)->active);
  s.dns.cnameRecords[selector] = target;
  EXPECT_TRUE(s.keeper->tend(custom).value()) << "domain verify does not wait for the next look";
  EXPECT_TRUE(s.store.at(custom, Slot::mz1)->active);
}

TEST(Keeper, GivesEveryDomainAFirstKeyBeforeAnySecond) {
  Stage s;
  for (const char* name : {"a.example", "b.example", "c.example"}) static_cast<void>(s.store.addDomain(name));
  s.addSpares(4);
  const Round round = s.round();
  EXPECT_EQ(round.filled, 4U);
  EXPECT_TRUE(round.poolEmpty);
  for (std::int64_t id = 1; id <= 3; ++id) EXPECT_NE(s.store.at(DomainId{id}, Slot::mz1), nullptr) << id;
}

TEST(Keeper, LeavesASlotThatADepartedNameHolds) {
  Stage s;
  const DomainId back = s.store.addDomain("t1.shop.example");
  s.store.domains[1].held = {Slot::mz1};
  s.addSpares(2);
  s.run(3);
  s.publish();
  s.run(10);
  EXPECT_EQ(s.store.at(back, Slot::mz1), nullptr);
  EXPECT_TRUE(s.store.at(back, Slot::mz2)->active);
}

TEST(Keeper, MovesWhatDepartedOnAtItsTimeAndDestroysItsKeys) {
  Stage s;
  s.addSpares(2);
  tenantdb::DepartedProgress row;
  row.id = DepartedId{7};
  row.name = "old.shop.example";
  row.mz1 = KeyId{1};
  row.mz2 = KeyId{2};
  row.leftAt = s.clock.time;
  row.drain = seconds{25};
  row.revoke = seconds{10};
  s.store.departed.push_back({row, false});
  s.clock.time += seconds{25} - std::chrono::microseconds{1};
  EXPECT_EQ(s.round().revoked, 0U) << "a microsecond too early";
  s.clock.time += std::chrono::microseconds{1};
  EXPECT_EQ(s.round().revoked, 1U);
  EXPECT_EQ(s.store.privateKeys.size(), 2U);
  s.clock.time += seconds{10} - std::chrono::microseconds{1};
  EXPECT_EQ(s.round().gone, 0U) << "a microsecond too early";
  s.clock.time += std::chrono::microseconds{1};
  EXPECT_EQ(s.round().gone, 1U);
  EXPECT_TRUE(s.store.departed.front().gone);
  EXPECT_TRUE(s.store.privateKeys.empty());
  EXPECT_FALSE(s.round().wrote());
}

/// Everything that the keeper does, from nothing to steady, with one store call failing: each in turn.
TEST(Keeper, ArrivesWhateverStepFails) {
  for (const Errc code : {Errc::unavailable, Errc::temporary, Errc::conflict}) {
    for (int failing = 1; failing <= 60; ++failing) {
      Stage s;
      s.addSpares(4);
      const DomainId first = s.store.addDomain("t1.shop.example");
      const DomainId second = s.store.addDomain("t2.shop.example");
      tenantdb::DepartedProgress row;
      row.id = DepartedId{1};
      row.leftAt = s.clock.time;
      row.drain = row.revoke = seconds{2};
      s.store.departed.push_back({row, false});
      s.store.failAt = failing;
      s.store.failWith = code;
      for (int i = 0; i < 30; ++i) {
        if (!s.keeper->round()) s.restart();  // as after a crash or a lost connection: nothing is remembered
        s.publish();
        s.clock.time += milliseconds{500};
      }
      for (const DomainId domain : {first, second}) {
        int active = 0;
        for (const Slot slot : kSlots) {
          const auto* key = s.store.at(domain, slot);
          ASSERT_NE(key, nullptr) << failing;
          EXPECT_TRUE(key->provenAt) << failing;
          active += key->active ? 1 : 0;
        }
        EXPECT_EQ(active, 1) << "whichever was proven first: " << failing;
      }
      EXPECT_TRUE(s.store.departed.front().gone) << failing;
      EXPECT_EQ(s.store.selectors.size(), 4U) << "no slot was filled twice: " << failing;
    }
  }
}

TEST(Keeper, ForgetsTheAnswerForASlotThatHoldsAnotherKeyByNow) {
  Stage s;
  s.addSpares(4);
  const DomainId t1 = s.store.addDomain("t1.shop.example");
  s.round();
  s.publish();
  s.clock.time += s.options.policy.settle;
  s.round();  // asks; the answers wait for the next round
  s.store.selectors.clear();
  s.round();
  EXPECT_FALSE(s.store.at(t1, Slot::mz1)->provenAt) << "filled anew, and proven anew";
}

TEST(Keeper, OrdersSparesAndPutsThemIntoThePool) {
  FakeKeyStore store;
  FakeResolver dns;
  FakeClock clock;
  Prover prover(dns, 0);
  std::mutex mutex;
  std::condition_variable made;
  int keys = 0;
  SpareMaker maker(
      clock,
      [&](TimePoint now) -> Result<tenantdb::NewKey> {
        tenantdb::NewKey key;
        key.generatedAt = now;
        return key;
      },
      [&] {
        const std::lock_guard lock(mutex);
        ++keys;
        made.notify_all();
      });
  KeeperOptions options;
  options.spareKeys = 3;
  Keeper keeper(store, clock, prover, &maker, options);
  ASSERT_TRUE(keeper.round().has_value());
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(made.wait_for(lock, seconds{20}, [&] { return keys == 3; }));
  }
  EXPECT_EQ(keeper.round()->sparesAdded, 3U);
  EXPECT_EQ(store.spares.size(), 3U);
  EXPECT_FALSE(keeper.round()->wrote()) << "the pool is full";
}

TEST(Keeper, ReportsAKeyThatCouldNotBeMadeAndOrdersAnother) {
  FakeKeyStore store;
  FakeResolver dns;
  FakeClock clock;
  Prover prover(dns, 0);
  std::mutex mutex;
  std::condition_variable tried;
  int tries = 0;
  SpareMaker maker(
      clock, [](TimePoint) -> Result<tenantdb::NewKey> { return fail(Errc::internal, {}, "no entropy"); },
      [&] {
        const std::lock_guard lock(mutex);
        ++tries;
        tried.notify_all();
      });
  Keeper keeper(store, clock, prover, &maker, {});
  for (int round = 1; round <= 2; ++round) {
    ASSERT_TRUE(keeper.round().has_value());
    std::unique_lock lock(mutex);
    ASSERT_TRUE(tried.wait_for(lock, seconds{20}, [&] { return tries == round; }));
  }
  EXPECT_EQ(keeper.round()->problems.size(), 1U);
}

TEST(Prover, LetsNoSlowDomainDelayAnother) {
  struct SlowResolver final : Resolver {
    std::mutex mutex;
    std::condition_variable released, began;
    bool release = false;
    int slow = 0;
    Result<Answer<std::string>> txt(const DnsName& name) override {
      if (name.isAtOrBelow(FakeResolver::name("slow.example"))) {
        std::unique_lock lock(mutex);
        ++slow;
        began.notify_all();
        released.wait(lock, [this] { return release; });
      }
      return Answer<std::string>{};
    }
    Result<Answer<IpAddress>> a(const DnsName&) override { return Answer<IpAddress>{}; }
    Result<Answer<IpAddress>> aaaa(const DnsName&) override { return Answer<IpAddress>{}; }
    Result<Answer<MailExchanger>> mx(const DnsName&) override { return Answer<MailExchanger>{}; }
    Result<Answer<DnsName>> ptr(const DnsName&) override { return Answer<DnsName>{}; }
    Result<Answer<DnsName>> ns(const DnsName&) override { return Answer<DnsName>{}; }
    Result<Answer<DnsName>> cname(const DnsName&) override { return Answer<DnsName>{}; }
  };
  SlowResolver dns;
  std::mutex mutex;
  std::condition_variable answered;
  int answers = 0;
  Prover prover(dns, 2, [&] {
    const std::lock_guard lock(mutex);
    ++answers;
    answered.notify_all();
  });
  // More of them than threads: known to be slow, as each is after its first try.
  for (std::int64_t id = 3; id < 9; ++id) {
    prover.ask({SelectorId{id}, FakeResolver::name("slow.example"), Slot::mz1, {}, milliseconds{1000}});
  }
  {
    std::unique_lock lock(dns.mutex);
    EXPECT_TRUE(dns.began.wait_for(lock, seconds{20}, [&] { return dns.slow == 1; }));
  }
  prover.ask({SelectorId{2}, FakeResolver::name("fast.example"), Slot::mz1, {}, {}});
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(answered.wait_for(lock, seconds{5}, [&] { return answers == 1; }));
  }
  const auto first = prover.takeAnswers();
  {
    const std::lock_guard lock(dns.mutex);
    dns.release = true;
  }
  dns.released.notify_all();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first.front().selector, SelectorId{2});
  EXPECT_EQ(first.front().result, ProofResult::absent);
}

}  // namespace
}  // namespace mailzone::rotation
