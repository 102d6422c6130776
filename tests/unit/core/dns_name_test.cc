#include "core/dns_name.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace mailzone {
namespace {

struct NameRow {
  const char* why;
  std::string text;
  bool ok;
};
class DnsNameRows : public testing::TestWithParam<NameRow> {};
TEST_P(DnsNameRows, ParsesExactlyWhatRfc1035Allows) {
  EXPECT_EQ(DnsName::parse(GetParam().text).has_value(), GetParam().ok) << GetParam().why;
}
std::string octets(std::size_t count) {  // a name of `count` octets on the wire, from labels of 63 and a rest
  std::string text;
  std::size_t left = count - 1;
  while (left > 0) {
    const std::size_t label = std::min<std::size_t>(left, 64) - 1;
    text += std::string(label, 'a') + '.';
    left -= label + 1;
  }
  return text;
}
INSTANTIATE_TEST_SUITE_P(Section234, DnsNameRows,
                         testing::Values(NameRow{"63-octet label", std::string(63, 'a') + ".example.", true},
                                         NameRow{"64-octet label", std::string(64, 'a') + ".example.", false},
                                         NameRow{"255 octets on the wire", octets(255), true},
                                         NameRow{"256 octets on the wire", octets(256), false},
                                         NameRow{"256 octets, no final dot", octets(256).substr(0, 255), false},
                                         NameRow{"the root", ".", true}, NameRow{"nothing", "", false},
                                         NameRow{"empty label", "a..b", false}, NameRow{"leading dot", ".a", false},
                                         NameRow{"final dot is optional", "a.b", true},
                                         NameRow{"underscore is an ordinary octet", "_dmarc.a", true},
                                         NameRow{"wildcard", "*.a", true}, NameRow{"escaped dot", "a\\.b.c", true},
                                         NameRow{"escaped octet", "\\255.c", true},
                                         NameRow{"escape above 255", "\\256.c", false},
                                         NameRow{"half an escape", "a\\", false}, NameRow{"two digits", "\\12", false},
                                         NameRow{"blank", "a b", false}, NameRow{"raw UTF-8", "t\xc5\xa5.a", false}));

TEST(DnsName, FoldsCaseAndKeepsEscapes) {
  EXPECT_EQ(DnsName::parse("WwW.UniT.Test.")->text(), "www.unit.test.");
  EXPECT_EQ(DnsName::parse("a\\.b.\\032")->text(), "a\\.b.\\032.");
  EXPECT_EQ(DnsName().text(), ".");
  EXPECT_EQ(DnsName::parse("a.b.")->textNoDot(), "a.b");
}

TEST(DnsName, TurnsInternationalNamesIntoALabels) {
  EXPECT_EQ(DnsName::parseUnicode("Bücher.example")->text(), "xn--bcher-kva.example.");
  EXPECT_FALSE(DnsName::parseUnicode("\xff.example"));
}

TEST(DnsName, KnowsItsFamily) {
  const auto shop = *DnsName::parse("shop.example");
  const auto t1 = *shop.child("t1");
  EXPECT_EQ(t1.parent(), shop);
  EXPECT_TRUE(t1.isAtOrBelow(shop));
  EXPECT_TRUE(shop.isAtOrBelow(shop));
  EXPECT_FALSE(shop.isAtOrBelow(t1));
  EXPECT_FALSE(DnsName::parse("xshop.example")->isAtOrBelow(shop));
  EXPECT_EQ(t1.rightmost(1).text(), "example.");
  EXPECT_EQ(DnsName::parse("mz1.token")->under(shop)->text(), "mz1.token.shop.example.");
  EXPECT_FALSE(DnsName::parse(octets(255))->under(shop));
}

TEST(DnsName, KnowsHostNames) {
  for (const auto* text : {"mx1.shop.example", "1.example", "xn--bcher-kva.example"})
    EXPECT_TRUE(DnsName::parse(text)->isHostName()) << text;
  for (const auto* text : {".", "_dmarc.example", "*.example", "-a.example", "a-.example", "192.0.2.1"})
    EXPECT_FALSE(DnsName::parse(text)->isHostName()) << text;
}

TEST(DnsName, OrdersAsRfc4034Section61Says) {
  std::vector<DnsName> names;
  for (const auto* text : {"example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE", "z.example",
                           "\\001.z.example", "*.z.example", "\\200.z.example"}) {
    names.push_back(*DnsName::parse(text));
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(DnsName, RandomOctetsReadBackEqualAndKeysOrderAsNames) {
  std::mt19937 random(4034);
  std::string longestKey;
  std::vector<DnsName> names;
  for (int i = 0; i < 20000; ++i) {
    std::string wire;
    while (wire.size() < 200 && random() % 4 != 0) {
      const std::size_t length = 1 + random() % 63;
      if (wire.size() + length + 2 > 255) break;
      wire += static_cast<char>(length);
      const bool nasty = random() % 2 == 0;
      for (std::size_t j = 0; j < length; ++j) wire += static_cast<char>(nasty ? random() % 3 : random() % 256);
    }
    wire += '\0';
    const auto name = DnsName::fromWire(wire);
    ASSERT_TRUE(name);
    ASSERT_EQ(*DnsName::parse(name->text()), *name);
    const auto key = name->canonicalKey();
    ASSERT_LE(key.size(), 507U);
    ASSERT_EQ(*DnsName::fromCanonicalKey(key), *name);
    names.push_back(*name);
  }
  for (std::size_t i = 1; i < names.size(); ++i) {
    auto a = names[i - 1].labels(), b = names[i].labels();
    std::reverse(a.begin(), a.end());
    std::reverse(b.begin(), b.end());
    ASSERT_EQ(a < b, names[i - 1] < names[i]);  // std::string compares as unsigned octets
  }
}

TEST(DnsName, LongestKeyFitsLmdb) {
  std::string wire;
  for (const std::size_t length : {63U, 63U, 63U, 61U}) wire += static_cast<char>(length) + std::string(length, '\0');
  wire += '\0';
  const auto name = DnsName::fromWire(wire);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->wire().size(), 255U);
  EXPECT_EQ(name->canonicalKey().size(), 504U);
}

TEST(LdhLabel, IsWhatASlugMayBe) {
  for (const auto* ok : {"t4", "a", "4", "a-b", "xn--p1ai"}) EXPECT_TRUE(isLdhLabel(ok)) << ok;
  for (const auto* bad : {"", "-a", "a-", "A", "a_b", "a.b", "t\xc5\xa5"}) EXPECT_FALSE(isLdhLabel(bad)) << bad;
  EXPECT_FALSE(isLdhLabel(std::string(64, 'a')));
}

}  // namespace
}  // namespace mailzone
