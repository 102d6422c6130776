// What the schema does by itself, for any writer: plain SQL on every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "core/clock.h"
#include "tenantdb/migrator.h"
#include "tenantdb/public_store.h"
#include "tenantdb/secret/secret_store.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_mariadb.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::tenantdb {
namespace {

using test::giveKey;
using test::must;
using test::one;
using test::onEachEngine;
using test::rows;
using test::seedPlatform;
using test::TestDatabase;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(Schema, APlatformBringsItsOwnDomainAndTheCommonSigningDomain) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    must(*connection, "INSERT INTO platform (id, name) VALUES (1, 'shop.example')");
    EXPECT_THAT(rows(*connection, "SELECT name, kind, tenant_id, zone_id FROM domain ORDER BY id"),
                ElementsAre("shop.example|platform||", "sig.shop.example|common||"));
    must(*connection, "INSERT INTO platform (id, name) VALUES (2, 'eu.example')");
    EXPECT_THAT(rows(*connection, "SELECT name, author FROM envelope_domain ORDER BY name"),
                ElementsAre("common|sig.shop.example", "eu.example|eu.example", "shop.example|shop.example"))
        << "the row `common` is the first platform's";
  });
}

TEST(Schema, ATenantAloneBringsDomainTokenEnvelopeAndChange) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    ASSERT_TRUE(Feed(*connection).advance());
    must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't4')");
    EXPECT_EQ(one(*connection, "SELECT name, kind, state, signing, zone_id FROM domain WHERE name LIKE 't4.%'"),
              "t4.shop.example|subdomain|unverified|own|1");
    EXPECT_THAT(one(*connection, "SELECT token FROM domain WHERE name = 't4.shop.example'"),
                testing::MatchesRegex("[0-9a-f]+"));
    EXPECT_EQ(one(*connection, "SELECT count(DISTINCT token), count(*) FROM domain"), "5|5");
    EXPECT_EQ(one(*connection, "SELECT author FROM envelope_domain WHERE name = 't4.shop.example'"), "t4.shop.example");
    EXPECT_EQ(
        one(*connection, "SELECT i.entity, d.name, i.zone_id FROM feed_inbox i JOIN domain d ON d.id = i.entity_id"),
        "domain|t4.shop.example|1");
  });
}

TEST(Schema, ADeletedTenantLeavesADepartedRowWithItsKeys) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    giveKey(*connection, "t1.shop.example", "mz1", true);
    giveKey(*connection, "t1.shop.example", "mz2", false);
    must(*connection, "INSERT INTO login (id, tenant_id, name, password_hash) VALUES (1, 1, 'owner', 'x')");
    must(*connection, "INSERT INTO login_domain (login_id, domain_id) SELECT 1, id FROM domain WHERE tenant_id = 1");
    const std::string token = one(*connection, "SELECT token FROM domain WHERE name = 't1.shop.example'");
    must(*connection, "DELETE FROM tenant WHERE id = 1");
    EXPECT_THAT(rows(*connection, "SELECT name, kind, token, tenant_id, mz1_key_id, mz2_key_id FROM departed"),
                ElementsAre("t1.shop.example|subdomain|" + token + "|1|1|2"));
    for (const std::string table : {"login", "login_domain", "dkim_selector", "active_key"}) {
      EXPECT_EQ(one(*connection, "SELECT count(*) FROM " + table), "0") << table;
    }
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM envelope_domain WHERE name = 't1.shop.example'"), "0");
    const auto departed = PublicStore(*connection).departed(DepartedId{1}).value();
    ASSERT_TRUE(departed);
    ASSERT_TRUE(departed->value) << describe(departed->value.error());
    EXPECT_EQ(departed->value->slots.size(), 2U);
    EXPECT_TRUE(departed->value->slots[0].key);
    // Drained, revoked, gone: facts that rotation writes.
    SecretStore secrets(*connection);
    ASSERT_EQ(secrets.departedInProgress().value().size(), 1U);
    must(*connection, "UPDATE platform SET drain_seconds = 9223372036854775807, revoke_seconds = 9223372036854775807");
    const auto forEver = secrets.departedInProgress().value().at(0);
    EXPECT_GT(forEver.leftAt + forEver.drain, SystemClock().now()) << "as long as that is, it is not over at once";
    EXPECT_GT(forEver.leftAt + forEver.revoke, SystemClock().now());
    ASSERT_TRUE(secrets.markRevoked(DepartedId{1}, SystemClock().now()));
    EXPECT_FALSE(PublicStore(*connection).departed(DepartedId{1}).value()->value->slots[0].key);
    ASSERT_TRUE(secrets.markGone(DepartedId{1}, SystemClock().now()));
    EXPECT_EQ(PublicStore(*connection).departed(DepartedId{1}).value(), std::nullopt);
    EXPECT_FALSE(connection->execute("INSERT INTO tenant (platform_id, slug) VALUES (1, 't1')")) << "to nobody, ever";
  });
}

TEST(Schema, ARenamedTenantGoesOnWithANewTokenAndItsOldNameDeparts) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    giveKey(*connection, "t1.shop.example", "mz1", true);
    must(*connection, "UPDATE domain SET state = 'verified' WHERE name = 't1.shop.example'");
    const std::string token = one(*connection, "SELECT token FROM domain WHERE name = 't1.shop.example'");
    must(*connection, "UPDATE tenant SET slug = 'new' WHERE id = 1");
    EXPECT_THAT(rows(*connection, "SELECT name, token, was_verified, mz1_key_id FROM departed"),
                ElementsAre("t1.shop.example|" + token + "|1|1"));
    EXPECT_EQ(one(*connection, "SELECT name, state FROM domain WHERE tenant_id = 1"), "new.shop.example|unverified");
    EXPECT_NE(one(*connection, "SELECT token FROM domain WHERE tenant_id = 1"), token);
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM dkim_selector"), "0");
    EXPECT_THAT(rows(*connection,
                     "SELECT name FROM envelope_domain WHERE domain_id = (SELECT id FROM domain WHERE "
                     "tenant_id = 1)"),
                ElementsAre("new.shop.example"));
    // Its own old name it may take back; the slot in which the departed key still answers stays closed until it is
    // gone.
    must(*connection, "UPDATE tenant SET slug = 't1' WHERE id = 1");
    must(*connection,
         "INSERT INTO dkim_key (id, algorithm, bits, public_key, fingerprint, generated_at) VALUES "
         "(50, 'rsa', 2048, 'AAAA', ?, '2026-01-01 00:00:00.000000')",
         {std::string(64, 'e')});
    const std::string fill =
        "INSERT INTO dkim_selector (domain_id, slot, key_id) SELECT id, 'mz1', 50 FROM domain WHERE "
        "name = 't1.shop.example'";
    EXPECT_FALSE(connection->execute(fill));
    const auto needs = SecretStore(*connection).domainsLackingKeys(100).value();
    for (const auto& need : needs) {
      if (need.name.text() != "t1.shop.example.") continue;
      EXPECT_THAT(need.emptySlots, ElementsAre(Slot::mz2));
    }
    must(*connection, "UPDATE departed SET gone_at = '2026-01-02 00:00:00.000000' WHERE name = 't1.shop.example'");
    must(*connection, fill);
  });
}

TEST(Schema, ADelegatedDomainHasItsEnvelopesOnceItIsVerified) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    ASSERT_TRUE(Feed(*connection).advance());
    must(*connection,
         "INSERT INTO domain (id, platform_id, tenant_id, name, kind, token) VALUES "
         "(50, 1, 1, 'custom.example', 'delegated', '00112233445566778899aabbccddeeff')");
    EXPECT_THAT(rows(*connection, "SELECT zone_id FROM feed_inbox WHERE entity = 'domain' AND entity_id = 50"),
                UnorderedElementsAre("1", "2", "3"));
    const std::string_view envelopes = "SELECT name FROM envelope_domain WHERE domain_id = 50 ORDER BY name";
    EXPECT_THAT(rows(*connection, envelopes), IsEmpty());
    giveKey(*connection, "custom.example", "mz1", true);
    must(*connection, "UPDATE domain SET state = 'verified' WHERE id = 50");
    EXPECT_THAT(rows(*connection, envelopes),
                ElementsAre("00112233445566778899aabbccddeeff.rp.shop.example", "custom.example"));
    must(*connection, "UPDATE domain SET bounce_verified_at = '2026-01-01 00:00:00.000000' WHERE id = 50");
    EXPECT_THAT(rows(*connection, envelopes), ElementsAre("00112233445566778899aabbccddeeff.rp.shop.example",
                                                          "bounce.custom.example", "custom.example"));
    must(*connection, "UPDATE domain SET state = 'unverified' WHERE id = 50");
    EXPECT_THAT(rows(*connection, envelopes), IsEmpty());
  });
}

TEST(Schema, AHostIsAnEnvelopeDomainOfThePlatformAsLongAsAnAddressHasIt) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    const std::string_view hosts = "SELECT name, author FROM envelope_domain WHERE domain_id = 1 ORDER BY name";
    EXPECT_THAT(rows(*connection, hosts),
                ElementsAre("fwd1.shop.example|fwd1.shop.example", "out1.shop.example|out1.shop.example",
                            "shop.example|shop.example"));
    must(*connection, "DELETE FROM ip_address WHERE id = 1");
    EXPECT_EQ(rows(*connection, hosts).size(), 3U) << "the other address still has it";
    must(*connection, "UPDATE ip_address SET host_name = 'out2.shop.example' WHERE id = 2");
    EXPECT_THAT(rows(*connection, hosts),
                ElementsAre("fwd1.shop.example|fwd1.shop.example", "out2.shop.example|out2.shop.example",
                            "shop.example|shop.example"));
    must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, 'out1')");
  });
}

TEST(Schema, EveryTableThatFeedsDnsWritesItsChanges) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    giveKey(*connection, "t1.shop.example", "mz1", false);
    must(*connection, "INSERT INTO zone_metadata (id, zone_id, kind, value) VALUES (1, 1, 'X', 'y')");
    struct Case {
      std::string statement;
      std::vector<std::string> changes;
    };
    const std::string t1 = one(*connection, "SELECT id FROM domain WHERE name = 't1.shop.example'");
    const Case cases[] = {
        {"UPDATE platform SET dmarc_policy = 'reject' WHERE id = 1", {"platform|1|"}},
        {"UPDATE mail_exchanger SET preference = 20", {"platform|1|"}},
        {"UPDATE relay SET envelope = 'own' WHERE id = 1", {"platform|1|"}},
        {"UPDATE stream SET name = 'shop' WHERE name = 'webapp'", {"platform|1|"}},
        {"UPDATE ip_pool SET name = 'main2' WHERE id = 1", {"pool|1|"}},
        {"UPDATE ip_address SET address = '192.0.2.77' WHERE id = 1", {"pool|1|"}},
        {"UPDATE zone SET ttl = 60 WHERE id = 4", {"zone|4|4"}},
        {"UPDATE static_record SET ttl = 60 WHERE owner = 'ns1.shop.example'", {"static_record|2|1"}},
        {"UPDATE zone_metadata SET value = 'z' WHERE id = 1", {"zone_metadata|1|1"}},
        {"DELETE FROM zone_metadata WHERE id = 1", {"zone_metadata|1|1"}},
        {"UPDATE domain SET dmarc_policy = 'none' WHERE id = " + t1, {"domain|" + t1 + "|1"}},
        {"INSERT INTO stream (domain_id, name, pool_id) VALUES (" + t1 + ", 'own', 1)", {"domain|" + t1 + "|1"}},
        {"UPDATE dkim_key SET public_key = 'AAAA' WHERE id = 1", {"domain|" + t1 + "|1"}},
        {"UPDATE dkim_selector SET revoked_at = '2026-01-01 00:00:00.000000' WHERE id = 1", {"domain|" + t1 + "|1"}},
        {"UPDATE dkim_selector SET lease_until = '2026-01-01 00:00:00.000000' WHERE id = 1", {}},
        {"UPDATE tenant SET state = 'suspended' WHERE id = 1", {}},
        {"UPDATE zone_serial SET serial = serial + 1", {}},
        {"INSERT INTO login (tenant_id, name, password_hash) VALUES (1, 'owner', 'x')", {}},
    };
    for (const auto& each : cases) {
      must(*connection, "DELETE FROM feed_inbox");
      must(*connection, each.statement);
      EXPECT_EQ(rows(*connection, "SELECT entity, entity_id, zone_id FROM feed_inbox ORDER BY id"), each.changes)
          << each.statement;
    }
  });
}

TEST(Schema, SuspendedTenantsMaySendNothing) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    giveKey(*connection, "sig.shop.example", "mz1", true);
    must(*connection, "INSERT INTO login (id, tenant_id, name, password_hash) VALUES (1, 1, 'owner', 'x')");
    must(*connection, "INSERT INTO login_domain (login_id, domain_id) SELECT 1, id FROM domain WHERE tenant_id = 1");
    EXPECT_THAT(rows(*connection, "SELECT login FROM sender_login WHERE domain = 't1.shop.example'"),
                ElementsAre("owner"));
    EXPECT_THAT(
        rows(*connection, "SELECT domain FROM sender_domain ORDER BY domain"),
        ElementsAre("fwd1.shop.example", "out1.shop.example", "shop.example", "t1.shop.example", "t2.shop.example"));
    must(*connection, "UPDATE tenant SET state = 'suspended' WHERE id = 1");
    EXPECT_THAT(rows(*connection, "SELECT login FROM sender_login WHERE domain = 't1.shop.example'"), IsEmpty());
    EXPECT_THAT(rows(*connection, "SELECT domain FROM sender_domain WHERE domain = 't1.shop.example'"), IsEmpty());
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM envelope_domain WHERE name = 't1.shop.example'"), "1")
        << "port 25 goes on refusing it as envelope";
    std::vector<std::string> names;
    ASSERT_TRUE(SecretStore(*connection).eachSigningRow([&](const SigningRow& row) { names.push_back(row.name); }));
    EXPECT_THAT(names, Not(testing::Contains("t1.shop.example")));
    EXPECT_THAT(names, testing::IsSupersetOf({"common", "t2.shop.example", "shop.example", "out1.shop.example"}));
  });
}

TEST(Schema, TheSigningRowsFollowStateSigningAndKeys) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    SecretStore store(*connection);
    const auto signing = [&](const std::string& name) {
      std::string found;
      EXPECT_TRUE(store.eachSigningRow([&](const SigningRow& row) {
        EXPECT_FALSE(row.privatePem.empty());
        if (row.name == name) found = row.d + " " + row.selector;
      }));
      if (connection->dialect() == sql::Dialect::mysql) {
        EXPECT_EQ(one(*connection, "SELECT concat(d, ' ', selector) FROM signing WHERE name = ?", {name}), found);
      }
      return found;
    };
    EXPECT_EQ(signing("t1.shop.example"), "") << "no key anywhere: no row, so that nothing leaves unsigned";
    giveKey(*connection, "sig.shop.example", "mz1", true);
    EXPECT_EQ(signing("common"), "sig.shop.example mz1");
    EXPECT_EQ(signing("t1.shop.example"), "sig.shop.example mz1");
    const auto before = store.signingFingerprint().value();
    giveKey(*connection, "t1.shop.example", "mz2", true);
    EXPECT_EQ(signing("t1.shop.example"), "t1.shop.example mz2");
    EXPECT_NE(store.signingFingerprint().value(), before);
    must(*connection, "UPDATE domain SET signing = 'common' WHERE name = 't1.shop.example'");
    EXPECT_EQ(signing("t1.shop.example"), "sig.shop.example mz1");
    EXPECT_EQ(store.signingFingerprint().value(), before);
    must(*connection,
         "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'custom.example', 'delegated')");
    giveKey(*connection, "custom.example", "mz1", true);
    EXPECT_EQ(signing("custom.example"), "");
    must(*connection, "UPDATE domain SET state = 'verified' WHERE name = 'custom.example'");
    EXPECT_EQ(signing("custom.example"), "custom.example mz1");
    must(*connection, "UPDATE domain SET state = 'degraded' WHERE name = 'custom.example'");
    EXPECT_EQ(signing("custom.example"), "sig.shop.example mz1");
    giveKey(*connection, "shop.example", "mz1", true);
    EXPECT_EQ(signing("out1.shop.example"), "out1.shop.example mz1") << "the host signs with the platform's key";
  });
}

TEST(Schema, CommitsThatComeLateAreNotLost) {
  onEachEngine([](TestDatabase& database) {
    if (database.dialect() == sql::Dialect::sqlite) return;  // one writer at a time: there is no late commit
    const auto seeder = database.connect();
    seedPlatform(*seeder);
    Feed feed(*seeder);
    const auto start = feed.advance().value();
    const auto early = database.connect();
    const auto late = database.connect();
    ASSERT_TRUE(early->begin());
    must(*early, "INSERT INTO tenant (platform_id, slug) VALUES (1, 'early')");  // takes the lower number
    must(*late, "INSERT INTO tenant (platform_id, slug) VALUES (1, 'late')");
    EXPECT_EQ(feed.advance().value(), start + 1) << "what is committed goes on; the open transaction holds up nobody";
    ASSERT_TRUE(early->commit());
    EXPECT_EQ(feed.advance().value(), start + 2);
    std::set<std::string> names;
    const auto changes = feed.changesAfter(start, 10).value();
    for (const auto& change : changes) {
      names.insert(one(*seeder, "SELECT name FROM domain WHERE id = ?", {change.id}));
    }
    EXPECT_THAT(names, UnorderedElementsAre("early.shop.example", "late.shop.example"));
  });
}

TEST(Schema, OpenTransactionsOfTwoWritersDoNotWaitForEachOther) {
  onEachEngine([](TestDatabase& database) {
    if (database.dialect() == sql::Dialect::sqlite) return;
    seedPlatform(*database.connect());
    for (const std::string level : {"READ COMMITTED", "REPEATABLE READ"}) {
      std::vector<std::unique_ptr<sql::Connection>> writers;
      for (int i = 0; i < 4; ++i) {
        writers.push_back(database.connect());
        must(*writers.back(), "SET SESSION TRANSACTION ISOLATION LEVEL " + level);
        must(*writers.back(), "SET SESSION innodb_lock_wait_timeout = 1");
        ASSERT_TRUE(writers.back()->begin());
      }
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 4; ++i) {
          const std::string slug = "w" + std::to_string(i) + "r" + std::to_string(round) + level.substr(0, 4);
          const auto done = writers[static_cast<std::size_t>(i)]->execute(
              "INSERT INTO tenant (platform_id, slug) VALUES (1, lower(?))", std::vector<sql::Value>{slug});
          EXPECT_TRUE(done) << level << " writer " << i << ": " << describe(done.error());
        }
      }
      for (auto& writer : writers) EXPECT_TRUE(writer->commit());
    }
  });
}

TEST(Schema, ConcurrentWritersAndFollowersLoseNothing) {
  onEachEngine([](TestDatabase& database) {
    seedPlatform(*database.connect());
    constexpr int kWriters = 3;
    constexpr int kEach = 20;
    std::atomic<int> running = kWriters;
    std::vector<std::thread> threads;
    for (int w = 0; w < kWriters; ++w) {
      threads.emplace_back([&, w] {
        const auto connection = database.connect();
        for (int i = 0; i < kEach;) {
          const std::vector<sql::Value> values = {"w" + std::to_string(w) + "-" + std::to_string(i)};
          const auto done = connection->execute("INSERT INTO tenant (platform_id, slug) VALUES (1, ?)", values);
          if (done) ++i;
          if (!done && done.error().code != Errc::temporary) {
            ADD_FAILURE() << describe(done.error());
            break;
          }
        }
        --running;
      });
    }
    for (int f = 0; f < 2; ++f) {
      threads.emplace_back([&] {
        const auto connection = database.connect();
        Feed feed(*connection);
        while (running > 0) {
          const auto head = feed.advance(7);
          if (!head && head.error().code != Errc::temporary) {
            ADD_FAILURE() << describe(head.error());
            return;
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    const auto connection = database.connect();
    Feed feed(*connection);
    ASSERT_TRUE(feed.advance());
    const auto head = feed.head().value();
    EXPECT_EQ(one(*connection, "SELECT count(*), min(seq), max(seq) FROM change_log"),
              std::to_string(head) + "|1|" + std::to_string(head));
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM feed_inbox"), "0");
    EXPECT_EQ(one(*connection,
                  "SELECT count(*) FROM domain d WHERE d.kind = 'subdomain' AND NOT EXISTS (SELECT 1 FROM "
                  "change_log c WHERE c.entity = 'domain' AND c.entity_id = d.id)"),
              "0");
    EXPECT_EQ(one(*connection, "SELECT count(DISTINCT nonce) FROM change_log"), std::to_string(head));
  });
}

TEST(Schema, ConcurrentNamesAboveAndBelowEachOtherAreStillRefused) {
  onEachEngine([](TestDatabase& database) {
    if (database.dialect() == sql::Dialect::sqlite) return;
    seedPlatform(*database.connect());
    const auto first = database.connect();
    const auto second = database.connect();
    ASSERT_TRUE(first->begin());
    must(*first, "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'brand.example', 'delegated')");
    std::atomic<bool> answered = false;
    Result<sql::Outcome> outcome;
    std::thread waiting([&] {
      outcome = second->execute(
          "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'mail.brand.example', 'delegated')");
      answered = true;
    });
    // It waits for the first one's transaction.
    while (one(*first,
               "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
               "'Innodb_row_lock_current_waits'") == "0" &&
           !answered) {
      std::this_thread::yield();
    }
    EXPECT_FALSE(answered);
    ASSERT_TRUE(first->commit());
    waiting.join();
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().rule, HasSubstr("below a name of another tenant"));
  });
}

TEST(Schema, TheSigningViewIsLookedUpByPrimaryKey) {
  onEachEngine([](TestDatabase& database) {
    if (database.dialect() == sql::Dialect::sqlite) return;  // the view lives where the secrets are
    const auto connection = database.connect();
    seedPlatform(*connection);
    giveKey(*connection, "sig.shop.example", "mz1", true);
    for (int i = 0; i < 200; ++i) {
      must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, ?)", {"many" + std::to_string(i)});
    }
    // As OpenDKIM's libopendbx asks: a literal in the connection's character set.
    const auto plan =
        rows(*connection, "EXPLAIN SELECT d, selector, pem FROM signing WHERE name = 'many7.shop.example'");
    ASSERT_FALSE(plan.empty());
    // id|select_type|table|type|possible_keys|key|...
    EXPECT_THAT(plan[0], testing::ContainsRegex("[|]e[|]const[|][^|]*[|]PRIMARY[|]"));
    for (const auto& line : plan) EXPECT_THAT(line, Not(HasSubstr("|ALL|"))) << line;
  });
}

TEST(Roles, EachMayWhatItsTableSaysAndNoMore) {
  auto& server = test::TemporaryMariadb::shared();
  const auto name = server.newMigratedDatabase();
  const auto root = server.connect(name).value();
  seedPlatform(*root);
  giveKey(*root, "sig.shop.example", "mz1", true);
  const std::string strange = "pass'word\\ \"";
  std::vector<RoleAccount> accounts;
  for (const std::string role : {"dns", "keys", "sign", "mta", "app"}) {
    accounts.push_back({role, "mailzone_" + role, "%", Secret(strange + role)});
  }
  Migrator migrator(*root);
  must(*root, "SET GLOBAL log_output = 'TABLE'");
  must(*root, "SET GLOBAL general_log = 1");
  for (int again = 0; again < 2; ++again) {
    const auto granted = migrator.grantRoles(accounts);
    ASSERT_TRUE(granted) << describe(granted.error());
    if (again != 0) continue;
    // What another version, or somebody's haste, gave too much: the cases below say that it goes.
    must(*root, "GRANT SELECT ON " + name + ".* TO 'mailzone_mta'@'%'");
    must(*root, "GRANT SELECT ON " + name + ".dkim_secret TO 'mailzone_dns'@'%'");
    must(*root, "GRANT UPDATE (state) ON " + name + ".domain TO 'mailzone_app'@'%'");
  }
  must(*root, "SET GLOBAL general_log = 0");
  // Whatever ends a migration half-way: at no moment may a role read all tables, the private keys among them.
  EXPECT_EQ(one(*root, "SELECT count(*) > 0 FROM mysql.general_log WHERE argument LIKE 'GRANT %mailzone_keys%'"), "1");
  EXPECT_THAT(
      rows(*root, "SELECT DISTINCT argument FROM mysql.general_log WHERE argument LIKE 'GRANT SELECT ON %.* TO%'"),
      testing::ElementsAre("GRANT SELECT ON " + name + ".* TO 'mailzone_mta'@'%'"))
      << "but for the one of this test";
  struct Case {
    std::string role;
    std::string statement;
    bool allowed;
  };
  const Case cases[] = {
      {"dns", "SELECT name FROM domain", true},
      {"dns", "CALL feed_advance(100)", true},
      {"dns", "SELECT public_key FROM dkim_key", true},
      {"dns",
       "INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'a.shop.example', 'A', '192.0.2.9')",
       true},
      {"dns", "SELECT private_pem FROM dkim_secret", false},
      {"dns", "SELECT key_id FROM dkim_secret", false},
      {"dns", "SELECT pem FROM signing", false},
      {"dns", "SELECT password_hash FROM login", false},
      {"dns", "UPDATE domain SET signing = 'common'", false},
      {"dns", "INSERT INTO tenant (platform_id, slug) VALUES (1, 'x')", false},
      {"dns", "CALL refuse('x')", false},
      {"keys", "SELECT private_pem FROM dkim_secret", true},
      {"keys", "UPDATE domain SET state = 'unverified' WHERE id = 3", true},
      {"keys", "UPDATE domain SET name = 'x.example' WHERE id = 3", false},
      {"keys", "CALL feed_advance(100)", true},
      {"keys", "SELECT password_hash FROM login", false},
      {"keys",
       "INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'b.shop.example', 'A', '192.0.2.9')",
       false},
      {"sign", "SELECT d, selector, pem FROM signing WHERE name = 't1.shop.example'", true},
      {"sign", "SELECT private_pem FROM dkim_secret", false},
      {"sign", "SELECT name FROM domain", false},
      {"sign", "SELECT name FROM envelope_domain", false},
      {"mta", "SELECT login FROM sender_login WHERE domain = 't1.shop.example'", true},
      {"mta", "SELECT password_hash FROM login", true},
      {"mta", "SELECT name FROM envelope_domain", true},
      {"mta", "SELECT pem FROM signing", false},
      {"mta", "SELECT name FROM domain", false},
      {"app", "INSERT INTO tenant (platform_id, slug) VALUES (1, 't4')", true},
      {"app", "UPDATE tenant SET slug = 't5' WHERE slug = 't4'", true},
      {"app", "DELETE FROM tenant WHERE slug = 't5'", true},
      {"app", "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'custom.example', 'delegated')",
       true},
      {"app", "UPDATE domain SET dmarc_policy = 'reject' WHERE name = 'custom.example'", true},
      {"app", "UPDATE domain SET state = 'unverified' WHERE name = 'custom.example'", false},
      {"app",
       "INSERT INTO domain (platform_id, tenant_id, name, kind, state) VALUES (1, 1, 'c.example', 'delegated', "
       "'unverified')",
       false},
      {"app", "UPDATE domain SET token = repeat('a', 32)", false},
      {"app", "DELETE FROM domain WHERE name = 'custom.example'", true},
      {"app", "SELECT private_pem FROM dkim_secret", false},
      {"app", "SELECT public_key FROM dkim_key", false},
      {"app", "DELETE FROM reserved_slug", false},
      {"app", "INSERT INTO feed_inbox (entity, entity_id) VALUES ('domain', 1)", false},
      {"app", "DELETE FROM envelope_domain", false},
      {"app", "INSERT INTO platform (name) VALUES ('other.example')", false},
  };
  for (const auto& each : cases) {
    const auto connection = server.connect(name, "mailzone_" + each.role, strange + each.role);
    ASSERT_TRUE(connection) << each.role << ": " << describe(connection.error());
    const auto done = (*connection)->execute(each.statement);
    EXPECT_EQ(done.has_value(), each.allowed) << each.role << ": " << each.statement << "\n"
                                              << (done ? "" : describe(done.error()));
    if (done) continue;
    EXPECT_EQ(done.error().code, Errc::forbidden) << describe(done.error());
  }
  EXPECT_FALSE(server.connect(name, "mailzone_definer", "")) << "the owner of the triggers is locked";
  EXPECT_EQ(migrator.grantRoles(std::vector<RoleAccount>(1)).error().code, Errc::invalidInput);
}

TEST(Roles, TheApplicationWorksAfterTheMigratingAccountIsDropped) {
  test::TemporaryMariadb server({});
  const auto name = server.newDatabase();
  const auto root = server.connect(name).value();
  ASSERT_TRUE(root->script("CREATE USER 'dba'@'%' IDENTIFIED BY 'x'; GRANT ALL PRIVILEGES ON " + name +
                           ".* TO 'dba'@'%' WITH GRANT OPTION; GRANT CREATE USER, SET USER ON *.* TO 'dba'@'%';"));
  {
    const auto dba = server.connect(name, "dba", "x").value();
    Migrator migrator(*dba);
    const auto applied = migrator.apply();
    ASSERT_TRUE(applied) << describe(applied.error());
    std::vector<RoleAccount> accounts;
    accounts.push_back({"app", "mailzone_app", "%", Secret(std::string("x"))});
    const auto granted = migrator.grantRoles(accounts);
    ASSERT_TRUE(granted) << describe(granted.error());
    seedPlatform(*dba);
  }
  must(*root, "DROP USER 'dba'@'%'");
  const auto app = server.connect(name, "mailzone_app", "x").value();
  must(*app, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't4')");
  EXPECT_EQ(one(*app, "SELECT name FROM domain WHERE name = 't4.shop.example'"), "t4.shop.example");
  EXPECT_THAT(checkDatabase(*root).value(), IsEmpty());
  // The twin: with the definer gone every INSERT fails, and the check says so.
  must(*root, "DROP USER 'mailzone_definer'@'localhost'");
  const auto broken = app->execute("INSERT INTO tenant (platform_id, slug) VALUES (1, 't5')");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().rule, HasSubstr("(1449)"));
  const auto findings = checkDatabase(*root).value();
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(findings[0].remedy, HasSubstr("mailzone_definer"));
  ASSERT_TRUE(Migrator(*root).apply()) << "makes it again";
  must(*app, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't5')");
}

TEST(Roles, AMissingPrivilegeIsNamed) {
  test::TemporaryMariadb::Options options;
  options.extra = {"--log-bin=bin"};
  test::TemporaryMariadb server(options);
  const auto name = server.newDatabase();
  const auto root = server.connect(name).value();
  const auto refusal = [&](const std::string& user, const std::string& grants) -> std::string {
    EXPECT_TRUE(root->script("DROP USER IF EXISTS 'mailzone_definer'@'localhost'; CREATE USER '" + user +
                             "'@'%' IDENTIFIED BY 'x';" + grants));
    const auto connection = server.connect(name, user, "x").value();
    const auto applied = Migrator(*connection).apply();
    return applied ? "" : describe(applied.error());
  };
  const std::string all = "GRANT ALL PRIVILEGES ON " + name + ".* TO ";
  EXPECT_THAT(refusal("dba1", all + "'dba1'@'%' WITH GRANT OPTION;"), HasSubstr("CREATE USER"));
  EXPECT_THAT(refusal("dba2", all + "'dba2'@'%'; GRANT CREATE USER ON *.* TO 'dba2'@'%';"), HasSubstr("GRANT OPTION"));
  EXPECT_THAT(refusal("dba3", all + "'dba3'@'%' WITH GRANT OPTION; GRANT CREATE USER ON *.* TO 'dba3'@'%';"),
              testing::AnyOf(HasSubstr("SET USER"), HasSubstr("log_bin_trust_function_creators")));
  EXPECT_THAT(refusal("dba4", all + "'dba4'@'%' WITH GRANT OPTION; GRANT CREATE USER, SET USER ON *.* TO 'dba4'@'%';"),
              HasSubstr("log_bin_trust_function_creators"));
  must(*root, "SET GLOBAL log_bin_trust_function_creators = 1");
  EXPECT_EQ(refusal("dba5", all + "'dba5'@'%' WITH GRANT OPTION; GRANT CREATE USER, SET USER ON *.* TO 'dba5'@'%';"),
            "");
}

}  // namespace
}  // namespace mailzone::tenantdb
