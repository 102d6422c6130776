#include "cli/names.h"

#include <gtest/gtest.h>

namespace mailzone::cli {
namespace {

std::string labels(std::size_t count, std::size_t length) {
  std::string name;
  for (std::size_t i = 0; i < count; ++i) name += std::string(length, 'a') + ".";
  return name;
}

TEST(Names, OfCustomDomainsBecomeWhatDnsHolds) {
  struct Row {
    const char* why;
    std::string typed, name;
  };
  const Row rows[] = {
      {"plain", "custom.example", "custom.example"},
      {"upper case and a final dot", "Custom.EXAMPLE.", "custom.example"},
      {"U-label (IDNA 2008)",
       "b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"sharp s stays itself without the transition",
       "stra\xc3\x9f"
       "e.example",
       "xn--strae-oqa.example"},
      {"below a public suffix", "shop.co.uk", "shop.co.uk"},
      {"below a private suffix", "me.github.io", "me.github.io"},
  };
  for (const Row& row : rows) {
    const auto name = readCustomDomain(row.typed);
    ASSERT_TRUE(name.has_value()) << row.why << ": " << describe(name.error());
    EXPECT_EQ(name->textNoDot(), row.name) << row.why;
  }
}

TEST(Names, OfCustomDomainsThatCannotBeAreRefusedWithTheReason) {
  struct Row {
    const char* why;
    std::string typed, part;
    Errc code = Errc::invalidInput;
  };
  const Row rows[] = {
      {"empty", "", "is no domain", Errc::invalidInput},
      {"the root", ".", "is no domain", Errc::invalidInput},
      {"a public suffix of ICANN", "co.uk", "is a public suffix", Errc::invalidInput},
      {"a public suffix of a company", "github.io", "is a public suffix", Errc::invalidInput},
      {"a top-level domain that no list has", "example", "is a public suffix", Errc::invalidInput},
      {"a top-level domain", "com", "is a public suffix", Errc::invalidInput},
      {"a URL", "https://custom.example/", "is an address, not a domain", Errc::invalidInput},
      {"a mail address", "owner@custom.example", "is an address, not a domain", Errc::invalidInput},
      {"an empty label", "shop..example", "is no domain", Errc::invalidInput},
      {"a label of 64 octets", std::string(64, 'a') + ".example", "is no domain", Errc::invalidInput},
      {"255 octets and more", labels(32, 7) + "example", "is no domain", Errc::invalidInput},
      {"no room for what stands below it", labels(30, 7) + "example", "is too long", Errc::limitExceeded},
      {"underscore", "my_shop.example", "letters, digits and inner hyphens", Errc::invalidInput},
      {"hyphen first", "-shop.example", "letters, digits and inner hyphens", Errc::invalidInput},
      {"wildcard", "*.custom.example", "letters, digits and inner hyphens", Errc::invalidInput},
      {"IPv4 address", "192.0.2.1", "letters, digits and inner hyphens", Errc::invalidInput},
      {"blank", "custom example", "is no domain", Errc::invalidInput},
      {"line break", "custom.example\n", "is no domain", Errc::invalidInput},
  };
  for (const Row& row : rows) {
    const auto name = readCustomDomain(row.typed);
    ASSERT_FALSE(name.has_value()) << row.why;
    EXPECT_NE(name.error().rule.find(row.part), std::string::npos) << row.why << ": " << describe(name.error());
    EXPECT_FALSE(row.code == Errc::limitExceeded && name.error().code != row.code) << row.why;
  }
}

TEST(Names, OfTenantsAreOneLabel) {
  const DnsName platform = DnsName::parse("shop.example").value();
  EXPECT_EQ(readSlug("T1").value(), "t1");
  EXPECT_EQ(readSlug("b\xc3\xbc"
                     "cher")
                .value(),
            "xn--bcher-kva");
  EXPECT_EQ(readSlug(std::string(63, 'a')).value().size(), 63U);
  for (const char* bad : {"", "a.b", "a_b", "-a", "a-", "a b", "*", "."}) {
    EXPECT_FALSE(readSlug(bad).has_value()) << bad;
  }
  EXPECT_FALSE(readSlug(std::string(64, 'a')).has_value());
  EXPECT_TRUE(tenantDomain("t1", platform).has_value());
  const DnsName longPlatform = DnsName::parse(labels(28, 7) + "example").value();
  EXPECT_EQ(tenantDomain(std::string(20, 'a'), longPlatform).error().code, Errc::limitExceeded);
}

TEST(Names, OfLoginsHoldNothingThatSeparatesNamesInMaps) {
  EXPECT_EQ(readLoginName("owner@t1.shop.example").value(), "owner@t1.shop.example");
  for (const char* bad : {"", "Owner", "a b", "a,b", "a\tb", "a\nb", "a:b", "a%b", "\xc3\xbc"}) {
    EXPECT_FALSE(readLoginName(bad).has_value()) << bad;
  }
  EXPECT_TRUE(readLoginName(std::string(255, 'a')).has_value());
  EXPECT_FALSE(readLoginName(std::string(256, 'a')).has_value());
}

TEST(Names, OfReportAddressesAreMailtoUris) {
  EXPECT_EQ(readRua("").value(), "");
  EXPECT_TRUE(readRua("mailto:a@b.example,mailto:c@d.example").has_value());
  for (const char* bad : {"a@b.example", "mailto:a", "mailto:@b.example", "https://b.example", "mailto:a@b c",
                          "mailto:a@b.example!10m", "mailto:a@b.example; p=none", "mailto:a@b_c.example"}) {
    EXPECT_FALSE(readRua(bad).has_value()) << bad;
  }
  EXPECT_FALSE(readRua("mailto:" + std::string(1000, 'a') + "@b.example").has_value());
}

TEST(Names, AndOtherWordsHaveLimits) {
  EXPECT_TRUE(readExternalId(std::string(255, 'x')).has_value());
  EXPECT_FALSE(readExternalId(std::string(256, 'x')).has_value());
  EXPECT_FALSE(readExternalId("a\nb").has_value());
  EXPECT_EQ(readWord("Main", "pool").value(), "main");
  EXPECT_FALSE(readWord("a.b", "pool").has_value());
  EXPECT_EQ(readNumber("60", "number", 0, 100).value(), 60);
  for (const char* bad : {"", "-1", "101", "1x", "0x1", " 1", "99999999999999999999"}) {
    EXPECT_FALSE(readNumber(bad, "number", 0, 100).has_value()) << bad;
  }
}

TEST(Names, AreShownAsARegistrarsFormWantsThem) {
  struct Row {
    const char* name;
    const char* host;
  };
  const Row rows[] = {{"mz1._domainkey.custom.example", "mz1._domainkey"},
                      {"bounce.custom.example", "bounce"},
                      {"custom.example", "@"},
                      {"mz1._domainkey.shop.brand.example", "mz1._domainkey.shop"},
                      {"mz1._domainkey.brand.co.uk", "mz1._domainkey"}};
  for (const Row& row : rows) EXPECT_EQ(registrarHost(DnsName::parse(row.name).value()), row.host) << row.name;
}

}  // namespace
}  // namespace mailzone::cli
