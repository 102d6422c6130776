#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/model_fixture.h"
#include "zonegen/zonegen.h"

namespace mailzone::zonegen {
namespace {

using test::name;

std::vector<std::string> lines(const std::vector<ZoneRRset>& records) {
  std::vector<std::string> out;
  for (const auto& each : records) {
    for (const auto& content : each.rrset.contents) {
      out.push_back(std::to_string(raw(each.zone)) + ' ' + each.rrset.owner.text() + ' ' + each.rrset.type.text() +
                    ' ' + content);
    }
  }
  return out;
}

bool contains(const std::vector<std::string>& all, const std::string& line) {
  return std::find(all.begin(), all.end(), line) != all.end();
}

Pool onePool(std::string_view address, std::string_view host) {
  return {
      PoolId{9}, PlatformId{1}, "main", PoolPurpose::sending, {{AddressId{1}, *IpAddress::parse(address), name(host)}}};
}

TEST(PoolRecords, OfOneRowAgreeForwardAndReverse) {
  const auto context = test::modelFixture().context;
  const auto got = lines(*recordsForPool(context, onePool("192.0.2.25", "mx1.shop.example")));
  const std::vector<std::string> expected = {
      "1 main._spf.shop.example. TXT \"v=spf1 ip4:192.0.2.25 ~all\"",
      "1 mx1.shop.example. A 192.0.2.25",
      "1 mx1.shop.example. TXT \"v=spf1 a -all\"",
      "1 _dmarc.mx1.shop.example. TXT \"v=DMARC1; p=reject; adkim=s; aspf=s; psd=n\"",
      "1 mz1._domainkey.mx1.shop.example. CNAME mz1._domainkey.shop.example.",
      "1 mz2._domainkey.mx1.shop.example. CNAME mz2._domainkey.shop.example.",
      "4 25.2.0.192.in-addr.arpa. PTR mx1.shop.example."};
  EXPECT_EQ(got, expected);
}

TEST(PoolRecords, StandWhereAZoneOfOursHoldsTheName) {
  auto context = test::modelFixture().context;
  const auto elsewhere = lines(*recordsForPool(context, onePool("198.51.100.9", "out.elsewhere.example")));
  EXPECT_EQ(elsewhere.size(), 1U) << "neither the address nor the host lies in a zone of ours";

  const auto six = lines(*recordsForPool(context, onePool("2001:db8::25", "mx1.shop.example")));
  EXPECT_TRUE(contains(six, "1 mx1.shop.example. AAAA 2001:db8::25"));
  EXPECT_TRUE(contains(six,
                       "5 5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR "
                       "mx1.shop.example."));

  auto narrower = context.zones[3];
  narrower.id = ZoneId{7};
  narrower.name = name("25.2.0.192.in-addr.arpa");
  context.zones.push_back(narrower);
  const auto most = lines(*recordsForPool(context, onePool("192.0.2.25", "mx1.shop.example")));
  EXPECT_TRUE(contains(most, "7 25.2.0.192.in-addr.arpa. PTR mx1.shop.example.")) << "the most specific zone";
}

TEST(PoolRecords, UnderstandClasslessReverseZones) {
  const struct {
    const char* why;
    const char* zone;
    const char* address;
    bool held;
  } rows[] = {{"prefix form, first", "128-26.113.0.203.in-addr.arpa", "203.0.113.128", true},
              {"prefix form, last", "128-26.113.0.203.in-addr.arpa", "203.0.113.191", true},
              {"prefix form, above", "128-26.113.0.203.in-addr.arpa", "203.0.113.192", false},
              {"prefix form, below", "128-26.113.0.203.in-addr.arpa", "203.0.113.127", false},
              {"slash", "128/26.113.0.203.in-addr.arpa", "203.0.113.130", true},
              {"range form", "64-127.113.0.203.in-addr.arpa", "203.0.113.127", true},
              {"range form, above", "64-127.113.0.203.in-addr.arpa", "203.0.113.128", false},
              {"0-31 is read as a range, too", "0-31.113.0.203.in-addr.arpa", "203.0.113.31", true},
              {"another network", "128-26.113.0.203.in-addr.arpa", "203.0.112.130", false},
              {"no numbers", "a-b.113.0.203.in-addr.arpa", "203.0.113.130", false}};
  for (const auto& row : rows) {
    auto context = test::modelFixture().context;
    context.zones[5].name = name(row.zone);
    const auto got = lines(*recordsForPool(context, onePool(row.address, "out.elsewhere.example")));
    const auto last = std::string(row.address).substr(std::string(row.address).rfind('.') + 1);
    const auto line = "6 " + last + '.' + name(row.zone).text() + " PTR out.elsewhere.example.";
    EXPECT_EQ(contains(got, line), row.held) << row.why;
  }
}

TEST(PoolRecords, LeaveThePlatformsOwnNameToItsDomain) {
  const auto got = lines(*recordsForPool(test::modelFixture().context, onePool("192.0.2.25", "shop.example")));
  EXPECT_FALSE(contains(got, "1 shop.example. TXT \"v=spf1 a -all\""));
  EXPECT_TRUE(contains(got, "1 shop.example. A 192.0.2.25"));
}

TEST(PoolRecords, RefuseRowsThatCannotBeRecords) {
  const auto context = test::modelFixture().context;
  const auto pool = [](std::string poolName, std::string_view host) {
    auto out = onePool("192.0.2.25", host);
    out.name = std::move(poolName);
    return out;
  };
  const struct {
    const char* why;
    Pool pool;
    const char* value;
  } rows[] = {{"a dot in the pool's name", pool("a.b", "mx.shop.example"), "a.b"},
              {"an empty one", pool("", "mx.shop.example"), ""},
              {"a quote in it", pool("a\"b", "mx.shop.example"), "a\"b"},
              {"capitals", pool("Main", "mx.shop.example"), "Main"},
              {"64 octets", pool(std::string(64, 'a'), "mx.shop.example"), nullptr},
              {"an underscore in the host", pool("main", "_mx.shop.example"), "_mx.shop.example"},
              {"a wildcard host", pool("main", "*.shop.example"), "*.shop.example"},
              {"the root", pool("main", "."), ""},
              {"the forwarding name", pool("main", "srs.shop.example"), "srs.shop.example"},
              {"the common signing domain", pool("main", "sig.shop.example"), "sig.shop.example"}};
  for (const auto& row : rows) {
    const auto got = recordsForPool(context, row.pool);
    ASSERT_FALSE(got) << row.why;
    if (row.value != nullptr) {
      EXPECT_EQ(got.error().value, row.value) << row.why;
    }
    EXPECT_FALSE(got.error().rule.empty()) << row.why;
    EXPECT_FALSE(got.error().remedy.empty()) << row.why;
  }
}

}  // namespace
}  // namespace mailzone::zonegen
