#include "zonegen/spf.h"

#include <gtest/gtest.h>

#include "tests/support/model_fixture.h"

namespace mailzone::zonegen {
namespace {

using test::name;

Stream byPool(std::string streamName, int pool) {
  return {StreamId{1}, std::move(streamName), PoolId{pool}, std::nullopt};
}
Stream byRelay(std::string streamName, int relay) {
  return {StreamId{1}, std::move(streamName), std::nullopt, RelayId{relay}};
}

Pool poolOf(const std::vector<std::string>& addresses) {
  Pool pool;
  pool.name = "main";
  for (const auto& text : addresses) {
    pool.addresses.push_back({AddressId{1}, *IpAddress::parse(text), name("mx.shop.example")});
  }
  return pool;
}

TEST(SpfOfSender, HoldsEachPoolOnceAndOnlyRelaysWithTheTenantsEnvelope) {
  const auto context = test::modelFixture().context;
  const struct {
    const char* why;
    std::vector<Stream> streams;
    const char* expected;
  } rows[] = {
      {"one pool", {byPool("a", 1)}, "v=spf1 include:main._spf.shop.example ~all"},
      {"one pool by two streams, once", {byPool("a", 1), byPool("b", 1)}, "v=spf1 include:main._spf.shop.example ~all"},
      {"pools by id, whatever the streams' order",
       {byPool("a", 2), byPool("b", 1)},
       "v=spf1 include:main._spf.shop.example include:warm._spf.shop.example ~all"},
      {"a relay that puts its own envelope gains nothing", {byRelay("a", 1)}, "v=spf1 ~all"},
      {"a relay with the tenant's envelope", {byRelay("a", 2)}, "v=spf1 include:_spf.partner.example ~all"},
      {"nothing sends", {}, "v=spf1 ~all"}};
  for (const auto& row : rows) {
    const auto text = spfOfSender(context, row.streams);
    ASSERT_TRUE(text) << row.why << ": " << describe(text.error());
    EXPECT_EQ(*text, row.expected) << row.why;
  }
}

TEST(SpfOfSender, RefusesStreamsThatCannotBeARecord) {
  auto context = test::modelFixture().context;
  context.pools[1].name = "warm; ~all";
  context.relays[1].spfInclude = name("%{i}._spf.partner.example");
  Stream neither = byPool("neither", 1);
  neither.pool.reset();
  const struct {
    const char* why;
    Stream stream;
    const char* value;
  } rows[] = {{"forwarded mail would pass as the tenant's", byPool("forwarding", 3), "forwarding"},
              {"no such pool", byPool("lost", 99), "lost"},
              {"no such relay", byRelay("lost", 99), "lost"},
              {"neither pool nor relay", neither, "neither"},
              {"a pool's name that is no label", byPool("bad", 2), "warm; ~all"},
              {"a macro in a relay's include", byRelay("bad", 2), "%{i}._spf.partner.example"}};
  for (const auto& row : rows) {
    const auto text = spfOfSender(context, {row.stream});
    ASSERT_FALSE(text) << row.why;
    EXPECT_EQ(text.error().value, row.value) << row.why;
    EXPECT_FALSE(text.error().remedy.empty()) << row.why;
  }
}

TEST(SpfOfSender, StaysWithinLookupsAndOctets) {
  auto context = test::modelFixture().context;
  context.pools.clear();
  std::vector<Stream> streams;
  const auto addPool = [&](int id, const std::string& poolName) {
    context.pools.push_back({PoolId{id}, PlatformId{1}, poolName, PoolPurpose::sending, {}});
    streams.push_back(byPool("s" + std::to_string(id), id));
  };
  for (int id = 1; id <= 10; ++id) addPool(id, "p" + std::to_string(id));
  EXPECT_TRUE(spfOfSender(context, streams));
  addPool(11, "p11");
  const auto eleven = spfOfSender(context, streams);
  ASSERT_FALSE(eleven);
  EXPECT_EQ(eleven.error().code, Errc::limitExceeded);
  EXPECT_EQ(eleven.error().value, "pool p11");

  context.pools.clear();
  streams.clear();
  for (int id = 1; id <= 6; ++id) addPool(id, "p" + std::to_string(id) + std::string(60, 'x'));
  const auto longText = spfOfSender(context, streams);
  ASSERT_FALSE(longText);
  EXPECT_EQ(longText.error().code, Errc::limitExceeded);
  streams.resize(4);
  EXPECT_LE(spfOfSender(context, streams)->size(), kMaxSpfOctets);
}

TEST(SpfOfForwarder, HoldsTheForwardingPoolsAlone) {
  EXPECT_EQ(*spfOfForwarder(test::modelFixture().context), "v=spf1 include:forward._spf.shop.example ~all");
}

TEST(SpfOfPool, MergesAdjoiningAddressesExactly) {
  const struct {
    const char* why;
    std::vector<std::string> addresses;
    const char* expected;
  } rows[] = {
      {"none", {}, "v=spf1 ~all"},
      {"one", {"192.0.2.25"}, "v=spf1 ip4:192.0.2.25 ~all"},
      {"25 and 26 are no network", {"192.0.2.25", "192.0.2.26"}, "v=spf1 ip4:192.0.2.25 ip4:192.0.2.26 ~all"},
      {"26 and 27 are", {"192.0.2.27", "192.0.2.26"}, "v=spf1 ip4:192.0.2.26/31 ~all"},
      {"four in two steps", {"192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"}, "v=spf1 ip4:192.0.2.4/30 ~all"},
      {"three of four", {"192.0.2.4", "192.0.2.5", "192.0.2.6"}, "v=spf1 ip4:192.0.2.4/31 ip4:192.0.2.6 ~all"},
      {"IPv6", {"2001:db8::2", "2001:db8::3"}, "v=spf1 ip6:2001:db8::2/127 ~all"},
      {"both families, and one twice",
       {"2001:db8::1", "192.0.2.1", "192.0.2.1"},
       "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all"}};
  for (const auto& row : rows) EXPECT_EQ(*spfOfPool(poolOf(row.addresses)), row.expected) << row.why;
}

TEST(SpfOfPool, RefusesMoreThanFitsAndNamesThePool) {
  std::vector<std::string> apart, together;
  for (int i = 0; i < 60; ++i) apart.push_back("192.0.2." + std::to_string(2 * i));
  for (int i = 0; i < 256; ++i) together.push_back("192.0.2." + std::to_string(i));
  const auto tooLong = spfOfPool(poolOf(apart));
  ASSERT_FALSE(tooLong);
  EXPECT_EQ(tooLong.error().code, Errc::limitExceeded);
  EXPECT_EQ(tooLong.error().value, "main");
  EXPECT_EQ(*spfOfPool(poolOf(together)), "v=spf1 ip4:192.0.2.0/24 ~all");
}

TEST(EffectiveStreams, AreThePlatformsReplacedByTheDomainsOwn) {
  const auto context = test::modelFixture().context;
  const auto streams = effectiveStreams(context, {byPool("webapp", 2), byRelay("partner", 2)});
  ASSERT_EQ(streams.size(), 4U);
  EXPECT_EQ(streams[0].name, "mailbox");
  EXPECT_EQ(streams[1].name, "marketing");
  EXPECT_EQ(streams[2].name, "partner");
  EXPECT_EQ(streams[3].pool, PoolId{2});
}

}  // namespace
}  // namespace mailzone::zonegen
