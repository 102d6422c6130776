// SecretStore and AdminStore on every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tenantdb/admin_store.h"
#include "tenantdb/secret/secret_store.h"
#include "tests/support/engines.h"

namespace mailzone::tenantdb {
namespace {

using test::must;
using test::one;
using test::onEachEngine;
using test::seedPlatform;
using test::TestDatabase;
using testing::ElementsAre;
using testing::HasSubstr;

DnsName name(const std::string& text) {
  return DnsName::parse(text).value();
}

NewKey makeKey(int number) {
  NewKey key;
  key.publicBase64 = "MIIBIjAN";
  key.fingerprint = std::string(60, 'a') + std::to_string(1000 + number);
  key.generatedAt = parseSqlTime("2026-01-01 00:00:00.000000").value();
  key.privatePem = Secret("pem " + std::to_string(number));
  return key;
}

const TimePoint kNow = parseSqlTime("2026-02-03 04:05:06.000007").value();

TEST(SecretStore, ASpareGoesToOneSlotWhateverElseRuns) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    SecretStore store(*connection);
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(store.insertKey(makeKey(i)));
    EXPECT_EQ(store.spareCount(KeyAlgorithm::rsaSha256, 2048).value(), 8);
    EXPECT_EQ(store.spareCount(KeyAlgorithm::ed25519Sha256, 256).value(), 0);
    const auto needs = store.domainsLackingKeys(100).value();
    ASSERT_EQ(needs.size(), 4U);  // the platform's, the common one, t1, t2
    EXPECT_THAT(needs[0].emptySlots, ElementsAre(Slot::mz1, Slot::mz2));
    EXPECT_EQ(store.domainsLackingKeys(1).value().size(), 1U);
    std::atomic<int> filled = 0;
    std::vector<std::thread> workers;
    for (int w = 0; w < 2; ++w) {
      workers.emplace_back([&] {
        const auto own = database.connect();
        SecretStore mine(*own);
        for (const auto& need : needs) {
          for (const auto slot : need.emptySlots) {
            for (;;) {
              const auto got = mine.assignSpare(need.domain, slot, KeyAlgorithm::rsaSha256, 2048, kNow);
              if (got && *got) ++filled;
              if (got || got.error().code != Errc::temporary) {
                EXPECT_TRUE(got || got.error().code == Errc::conflict) << describe(got.error());
                break;
              }
            }
          }
        }
      });
    }
    for (auto& worker : workers) worker.join();
    EXPECT_EQ(filled, 8);
    EXPECT_EQ(one(*connection, "SELECT count(*), count(DISTINCT key_id) FROM dkim_selector"), "8|8");
    EXPECT_EQ(store.spareCount(KeyAlgorithm::rsaSha256, 2048).value(), 0);
    EXPECT_TRUE(store.domainsLackingKeys(100).value().empty());
    must(*connection,
         "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'custom.example', 'delegated')");
    must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't3')");
    const auto more = store.domainsLackingKeys(100).value();
    ASSERT_EQ(more.size(), 2U);
    EXPECT_EQ(more[0].name.textNoDot(), "t3.shop.example") << "a tenant may enter any number of customers' names";
    EXPECT_EQ(store.assignSpare(more[0].domain, Slot::mz1, KeyAlgorithm::rsaSha256, 2048, kNow).value(), std::nullopt)
        << "the pool is empty";
  });
}

TEST(SecretStore, FactsAreWrittenByCompareAndSet) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    SecretStore store(*connection);
    const auto key = store.insertKey(makeKey(1)).value();
    ASSERT_TRUE(store.insertKey(makeKey(2)));
    const DomainId t1{3};
    const auto first = store.assignSpare(t1, Slot::mz1, KeyAlgorithm::rsaSha256, 2048, kNow).value();
    const auto second = store.assignSpare(t1, Slot::mz2, KeyAlgorithm::rsaSha256, 2048, kNow).value();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->key, key);
    EXPECT_EQ(first->domainName.text(), "t1.shop.example.");
    EXPECT_EQ(store.pendingSelectors(10).value().size(), 2U);
    const auto published = store.setFact(first->id, first->generation, KeyFact::published, kNow).value();
    EXPECT_EQ(store.setFact(first->id, first->generation, KeyFact::proven, kNow).error().code, Errc::temporary);
    const auto proven = store.setFact(first->id, published, KeyFact::proven, kNow).value();
    const auto active = store.activate(first->id, proven, kNow).value();
    auto slots = store.slots(t1).value();
    ASSERT_EQ(slots.size(), 2U);
    EXPECT_TRUE(slots[0].active);
    EXPECT_EQ(slots[0].publishedAt, kNow);
    EXPECT_EQ(slots[0].activatedAt, kNow);
    EXPECT_EQ(slots[0].generation, active);
    EXPECT_EQ(store.destroyPrivateKey(key, kNow).error().code, Errc::conflict);
    ASSERT_TRUE(store.activate(second->id, second->generation, kNow));
    slots = store.slots(t1).value();
    EXPECT_FALSE(slots[0].active);
    EXPECT_TRUE(slots[1].active);
    EXPECT_EQ(store.privateKey(key).value()->reveal(), "pem 1");
    ASSERT_TRUE(store.destroyPrivateKey(key, kNow));
    EXPECT_FALSE(store.privateKey(key).value());
    // A lease: held by one until it runs out.
    EXPECT_TRUE(store.claim(first->id, active, "a", kNow, kNow + std::chrono::seconds(10)).value());
    EXPECT_FALSE(store.claim(first->id, active, "b", kNow, kNow + std::chrono::seconds(10)).value());
    EXPECT_TRUE(store.claim(first->id, active, "a", kNow, kNow + std::chrono::seconds(20)).value());
    EXPECT_TRUE(
        store.claim(first->id, active, "b", kNow + std::chrono::seconds(21), kNow + std::chrono::seconds(30)).value());
  });
}

NewPlatform shopPlatform() {
  NewPlatform platform;
  platform.name = name("shop.example");
  platform.nameServers = {{name("ns1.shop.example"), {IpAddress::parse("192.0.2.53").value()}}};
  platform.mailExchangers = {{10, name("mx1.shop.example")}};
  platform.hostmaster = name("hostmaster.shop.example");
  return platform;
}

TEST(AdminStore, APlatformComesWithItsZones) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    AdminStore store(*connection);
    EXPECT_EQ(store.platformNamed("").error().code, Errc::notFound);
    const auto id = store.addPlatform(shopPlatform());
    ASSERT_TRUE(id) << describe(id.error());
    EXPECT_EQ(store.platformNamed("").value(), *id);
    EXPECT_EQ(store.addPlatform(shopPlatform()).error().code, Errc::conflict);
    const auto zones = store.zones().value();
    ASSERT_EQ(zones.size(), 3U);
    EXPECT_EQ(zones[0].name, "dkim.shop.example");
    EXPECT_EQ(store.staticRecords(store.zone(name("shop.example")).value()->id).value().size(), 2U);
    EXPECT_THAT(store.platforms().value()[0].mailExchangers, ElementsAre("10 mx1.shop.example"));
    auto second = shopPlatform();
    second.name = name("eu.example");
    second.nameServers = {{name("ns1.shop.example"), {}}};
    ASSERT_TRUE(store.addPlatform(second));
    EXPECT_EQ(store.platformNamed("").error().code, Errc::conflict);
  });
}

TEST(AdminStore, BulkAddIsAllOrNothingAndNamesTheLine) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    AdminStore store(*connection);
    const auto platform = store.addPlatform(shopPlatform()).value();
    std::vector<NewTenant> tenants(5);
    for (std::size_t i = 0; i < tenants.size(); ++i) tenants[i].slug = "bulk" + std::to_string(i);
    tenants[3].slug = "sig";
    const auto failed = store.addTenants(platform, tenants);
    ASSERT_FALSE(failed);
    EXPECT_THAT(describe(failed.error()), HasSubstr("line 4: sig"));
    EXPECT_TRUE(store.tenants(platform).value().empty());
    tenants[3].slug = "bulk3";
    tenants[3].signing = Signing::common;
    tenants[3].dmarcPolicy = DmarcPolicy::reject;
    std::size_t told = 0;
    ASSERT_EQ(store.addTenants(platform, tenants, [&](std::size_t done) { told = done; }).value().size(), 5U);
    EXPECT_EQ(told, 5U);
    const auto domain = store.domain(name("bulk3.shop.example")).value();
    ASSERT_TRUE(domain);
    EXPECT_EQ(domain->signing, "common");
    EXPECT_EQ(domain->dmarcPolicy, "reject");
    EXPECT_EQ(store.setTenantState(platform, "bulk1", TenantState::suspended).value(), Written::created);
    EXPECT_EQ(store.setTenantState(platform, "bulk1", TenantState::suspended).value(), Written::unchanged);
    EXPECT_EQ(store.setTenantState(platform, "none", TenantState::suspended).error().code, Errc::notFound);
    EXPECT_TRUE(store.renameTenant(platform, "bulk2", "renamed"));
    EXPECT_EQ(store.renameTenant(platform, "renamed", "bulk0").error().code, Errc::conflict);
    EXPECT_TRUE(store.removeTenant(platform, "bulk0").value());
    EXPECT_FALSE(store.removeTenant(platform, "bulk0").value());
    EXPECT_EQ(store.counts()->tenants, 4);
    EXPECT_EQ(store.counts()->departedDraining, 2);
  });
}

TEST(AdminStore, WritesWhatAPlatformNeedsAndIsIdempotent) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    AdminStore store(*connection);
    const auto platform = store.addPlatform(shopPlatform()).value();
    const auto address = IpAddress::parse("192.0.2.25").value();
    const auto host = name("out1.shop.example");
    EXPECT_EQ(store.addAddress(platform, address, host, "main", PoolPurpose::sending).value(), Written::created);
    EXPECT_EQ(store.addAddress(platform, address, host, "main", PoolPurpose::sending).value(), Written::unchanged);
    EXPECT_EQ(store.addAddress(platform, address, host, "other", PoolPurpose::sending).error().code, Errc::conflict);
    EXPECT_EQ(store.addRelay(platform, "bulk", name("_spf.bulk.example"), RelayEnvelope::relay).value(),
              Written::created);
    EXPECT_EQ(store.addRelay(platform, "bulk", name("_spf.bulk.example"), RelayEnvelope::relay).value(),
              Written::unchanged);
    EXPECT_EQ(store.addRelay(platform, "bulk", std::nullopt, RelayEnvelope::relay).error().code, Errc::conflict);
    const NewStream webapp{"webapp", "main", std::nullopt, std::nullopt};
    EXPECT_EQ(store.addStream(platform, webapp).value(), Written::created);
    EXPECT_EQ(store.addStream(platform, webapp).value(), Written::unchanged);
    EXPECT_EQ(store.addStream(platform, {"webapp", std::nullopt, "bulk", std::nullopt}).error().code, Errc::conflict);
    EXPECT_EQ(store.addStream(platform, {"x", "none", std::nullopt, std::nullopt}).error().code, Errc::notFound);
    EXPECT_EQ(store.addStream(platform, {"x", std::nullopt, std::nullopt, std::nullopt}).error().code,
              Errc::invalidInput);
    ASSERT_TRUE(store.addTenant(platform, {"t1", "Kunde 1", std::nullopt, std::nullopt}));
    ASSERT_TRUE(store.addDomain(platform, {name("custom.example"), "t1", DomainKind::delegated, "d-1", std::nullopt}));
    EXPECT_EQ(store.addDomain(platform, {name("c.example"), "t9", DomainKind::delegated, {}, {}}).error().code,
              Errc::notFound);
    const auto early = store.recordVerification(name("custom.example"), {true, false}, kNow);
    ASSERT_FALSE(early);
    EXPECT_THAT(early.error().rule, HasSubstr("not verified without an active key"));
    test::giveKey(*connection, "custom.example", "mz1", true);
    EXPECT_EQ(store.recordVerification(name("custom.example"), {true, true}, kNow).value(), Written::created);
    EXPECT_EQ(store.recordVerification(name("custom.example"), {true, true}, kNow).value(), Written::unchanged);
    EXPECT_EQ(store.domain(name("custom.example")).value()->state, "verified");
    EXPECT_EQ(store.domain(name("custom.example")).value()->activeSelector, "mz1");
    EXPECT_EQ(store.keys(platform).value().size(), 1U);
    ASSERT_TRUE(store.addLogin(platform, {"owner@t1", "t1", "{X}y", {}}));
    EXPECT_THAT(store.logins(platform).value()[0].domains, ElementsAre("custom.example", "t1.shop.example"));
    EXPECT_EQ(store.addLogin(platform, {"owner@t1", "t1", "{X}y", {}}).error().code, Errc::conflict);
    EXPECT_TRUE(store.removeLogin("owner@t1").value());
    EXPECT_TRUE(store.removeDomain(name("custom.example")).value());
    EXPECT_TRUE(store.removeStream(platform, "webapp", std::nullopt).value());
    EXPECT_TRUE(store.removeAddress(platform, address).value());
  });
}

TEST(AdminStore, AnImportWritesTheDifferenceOnly) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    AdminStore store(*connection);
    ASSERT_TRUE(store.addPlatform(shopPlatform()));
    const auto zone = store.zone(name("shop.example")).value()->id;
    const Ttl ttl = Ttl::of(300).value();
    std::vector<NewStaticRecord> records = {{name("www.shop.example"), rrtype::A, ttl, "192.0.2.80"},
                                            {name("cdn.shop.example"), rrtype::CNAME, ttl, "edge.example."}};
    auto count = store.importStaticRecords(zone, records).value();
    EXPECT_EQ(count.inserted, 2);
    EXPECT_EQ(count.deleted, 2);
    count = store.importStaticRecords(zone, records).value();
    EXPECT_EQ(count.inserted + count.deleted, 0);
    records.push_back({name("cdn.shop.example"), rrtype::A, ttl, "192.0.2.81"});
    EXPECT_FALSE(store.importStaticRecords(zone, records));
    EXPECT_EQ(store.staticRecords(zone).value().size(), 2U) << "all or nothing";
    ASSERT_TRUE(store.raiseSerial(zone, 2026112501));
    EXPECT_EQ(store.zone(name("shop.example")).value()->serial, 2026112501);
    ASSERT_TRUE(store.raiseSerial(zone, 5));
    EXPECT_EQ(store.zone(name("shop.example")).value()->serial, 2026112501) << "a serial never falls";
  });
}

}  // namespace
}  // namespace mailzone::tenantdb
