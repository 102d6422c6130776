// PublicStore and Feed on every engine: plain SQL goes in, values and changes come out.
#include "tenantdb/public_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/engines.h"

namespace mailzone::tenantdb {
namespace {

using test::must;
using test::one;
using test::onEachEngine;
using test::rows;
using test::seedPlatform;
using test::TestDatabase;
using testing::ElementsAre;

TEST(PublicStore, ReadsThePlatformWithAllThatItsDomainsDependOn) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    PublicStore store(*connection);
    ASSERT_EQ(store.platforms().value(), std::vector{PlatformId{1}});
    std::vector<BadPart> bad;
    const auto context = store.context(PlatformId{1}, &bad).value();
    ASSERT_TRUE(context);
    EXPECT_TRUE(bad.empty());
    EXPECT_EQ(context->platform.name.text(), "shop.example.");
    ASSERT_EQ(context->platform.mailExchangers.size(), 1U);
    EXPECT_EQ(context->platform.mailExchangers[0].host.text(), "mx1.shop.example.");
    ASSERT_EQ(context->pools.size(), 2U);
    EXPECT_EQ(context->pools[0].addresses.size(), 2U);
    EXPECT_EQ(context->pools[1].purpose, PoolPurpose::forwarding);
    ASSERT_EQ(context->relays.size(), 1U);
    EXPECT_EQ(context->streams.size(), 3U);
    EXPECT_EQ(context->zones.size(), 4U);
    EXPECT_EQ(store.context(PlatformId{2}).value(), std::nullopt);
  });
}

TEST(PublicStore, ReadsADomainWithItsSlotsAndStreams) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    test::giveKey(*connection, "t1.shop.example", "mz2", false);
    test::giveKey(*connection, "t1.shop.example", "mz1", true);
    must(*connection,
         "INSERT INTO stream (domain_id, name, pool_id) SELECT id, 'webapp', 1 FROM domain WHERE name = "
         "'t1.shop.example'");
    PublicStore store(*connection);
    const auto second = database.connect();  // no other statement within a query's callback
    std::vector<std::string> names;
    ASSERT_TRUE(store.eachDomain(PlatformId{1}, [&](const RowOf<DomainId, Domain>& row) {
      ASSERT_TRUE(row.value) << describe(row.value.error());
      names.push_back(row.value->name.text());
      const auto alone = PublicStore(*second).domain(row.id).value();
      ASSERT_TRUE(alone);
      EXPECT_EQ(alone->value.value(), *row.value);
      if (names.back() != "t1.shop.example.") return;
      EXPECT_EQ(row.value->slots.size(), 2U);
      EXPECT_EQ(row.value->slots[0].slot, Slot::mz1);
      EXPECT_EQ(row.value->streams.size(), 1U);
      EXPECT_EQ(row.value->zone, ZoneId{1});
    }));
    EXPECT_THAT(names, ElementsAre("shop.example.", "sig.shop.example.", "t1.shop.example.", "t2.shop.example."));
  });
}

TEST(PublicStore, KeepsABadRowFromSpoilingOthers) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    test::giveKey(*connection, "t1.shop.example", "mz1", true);
    must(*connection, "UPDATE dkim_key SET public_key = 'no base64!'");
    must(*connection, "UPDATE ip_address SET address = '999.9.9.9' WHERE id = 1");
    PublicStore store(*connection);
    std::set<std::string> good;
    std::vector<std::string> bad;
    ASSERT_TRUE(store.eachDomain(PlatformId{1}, [&](const RowOf<DomainId, Domain>& row) {
      if (row.value) {
        good.insert(row.value->name.text());
      } else {
        bad.push_back(describe(row.value.error()));
      }
    }));
    EXPECT_EQ(good.size(), 3U);
    EXPECT_THAT(bad, ElementsAre(testing::HasSubstr("dkim_key.public_key: not base64")));
    std::vector<BadPart> left;
    const auto context = store.context(PlatformId{1}, &left).value();
    ASSERT_TRUE(context);
    EXPECT_EQ(context->pools[0].addresses.size(), 1U);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_THAT(describe(left[0].error), testing::HasSubstr("ip_address 1, column address"));
  });
}

TEST(Feed, NumbersWhatIsCommittedAndRaisesTheSerialsOfItsZones) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    Feed feed(*connection);
    const auto start = feed.advance().value();
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM feed_inbox"), "0");
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM change_log"), std::to_string(start));
    must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't9')");
    EXPECT_EQ(feed.head().value(), start) << "not numbered before it is asked for";
    const auto next = feed.advance().value();
    EXPECT_EQ(next, start + 1);
    const auto changes = feed.changesAfter(start, 100).value();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].entity, Entity::domain);
    EXPECT_EQ(changes[0].seq, next);
    EXPECT_EQ(feed.nonceAt(next).value(), changes[0].nonce);
    EXPECT_EQ(changes[0].nonce.size(), 16U);
    EXPECT_EQ(one(*connection, "SELECT serial FROM zone_serial WHERE zone_id = 1"), std::to_string(next));
    EXPECT_EQ(feed.changesAfter(next, 100).value().size(), 0U);
  });
}

// An imported zone may have any serial; the feed is everybody's and must not stop at the last one.
TEST(Feed, ASerialThatCannotRiseFurtherStartsAgain) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    Feed feed(*connection);
    ASSERT_TRUE(feed.advance());
    must(*connection, "UPDATE zone_serial SET serial = 4294967295 WHERE zone_id = 1");
    must(*connection, "INSERT INTO tenant (platform_id, slug) VALUES (1, 't9')");
    const auto next = feed.advance();
    ASSERT_TRUE(next) << describe(next.error());
    EXPECT_EQ(one(*connection, "SELECT serial FROM zone_serial WHERE zone_id = 1"), std::to_string(*next))
        << "newer than 4294967295 by RFC 1982 section 3.2";
  });
}

TEST(Feed, SaysThatAChangeWasCompactedAway) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    Feed feed(*connection);
    const auto head = feed.advance().value();
    must(*connection, "DELETE FROM change_log WHERE seq < ?", {head});
    EXPECT_EQ(feed.changesAfter(head - 1, 10).value().size(), 1U);
    EXPECT_EQ(feed.changesAfter(0, 10).error().code, Errc::notFound);
    EXPECT_EQ(feed.nonceAt(1).value(), std::nullopt);
    must(*connection, "DELETE FROM change_log");
    EXPECT_EQ(feed.changesAfter(0, 10).error().code, Errc::notFound);
    EXPECT_EQ(feed.changesAfter(head, 10).value().size(), 0U);
  });
}

TEST(Feed, AdvancesInPortions) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    Feed feed(*connection);
    const auto waiting = std::stoll(one(*connection, "SELECT count(*) FROM feed_inbox"));
    ASSERT_GT(waiting, 5);
    EXPECT_EQ(feed.advance(3).value(), 3);
    EXPECT_EQ(feed.advance(2).value(), 5);
    EXPECT_EQ(feed.advance().value(), waiting);
    EXPECT_EQ(one(*connection, "SELECT count(*), min(seq), max(seq) FROM change_log"),
              std::to_string(waiting) + "|1|" + std::to_string(waiting));
  });
}

}  // namespace
}  // namespace mailzone::tenantdb
