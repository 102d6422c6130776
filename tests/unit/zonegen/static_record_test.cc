#include <gtest/gtest.h>

#include "tests/support/model_fixture.h"
#include "zonegen/zonegen.h"

namespace mailzone::zonegen {
namespace {

using test::name;

Result<std::string> normalised(int zone, std::string_view owner, std::string_view type, std::string content) {
  const auto model = test::modelFixture();
  const auto records = recordsForStatic(model.context, {StaticRecordId{1}, ZoneId{zone}, name(owner),
                                                        *RecordType::parse(type), *Ttl::of(300), std::move(content)});
  if (!records) return pass(records);
  return records->front().rrset.contents.front();
}

TEST(StaticRecords, AreBroughtIntoOneForm) {
  const struct {
    const char* why;
    const char* type;
    std::string content;
    std::string expected;
  } rows[] = {
      {"an address", "A", "192.0.2.1", "192.0.2.1"},
      {"RFC 5952", "AAAA", "2001:DB8:0:0::1", "2001:db8::1"},
      {"final dot and case", "MX", "010 MX.Shop.example", "10 mx.shop.example."},
      {"blanks", "MX", "  10\t mx.shop.example. ", "10 mx.shop.example."},
      {"null MX", "MX", "0 .", "0 ."},
      {"NS", "NS", "NS.example", "ns.example."},
      {"PTR", "PTR", "mx.example", "mx.example."},
      {"a CNAME may point at any name", "CNAME", "_x.Y.example", "_x.y.example."},
      {"SRV", "SRV", "0 5 5060 sip.example", "0 5 5060 sip.example."},
      {"SRV that is not offered", "SRV", "0 0 0 .", "0 0 0 ."},
      {"CAA", "CAA", "0 ISSUE letsencrypt.org", "0 issue \"letsencrypt.org\""},
      {"CAA with parameters", "CAA", "128 issuewild \"ca.example; a=b\"", "128 issuewild \"ca.example; a=b\""},
      {"several strings stay several", "TXT", "\"a\"  \"b c\"", "\"a\" \"b c\""},
      {"an empty string", "TXT", "\"\"", "\"\""},
      {"escapes", "TXT", "\"\\065\\\"\\\\\\009\"", "\"A\\\"\\\\\\009\""},
      {"raw UTF-8 is escaped", "TXT", "\"\xc3\xa4\"", "\"\\195\\164\""},
      {"semicolons and parentheses in quotes", "TXT", "\"(v=DMARC1; p=none)\"", "\"(v=DMARC1; p=none)\""},
      {"256 octets are split", "TXT", '"' + std::string(256, 'k') + '"', '"' + std::string(255, 'k') + "\" \"k\""}};
  for (const auto& row : rows) {
    const auto got = normalised(1, "x.shop.example", row.type, row.content);
    ASSERT_TRUE(got) << row.why << ": " << describe(got.error());
    EXPECT_EQ(*got, row.expected) << row.why;
    EXPECT_EQ(normalised(1, "x.shop.example", row.type, *got), *got) << row.why << ": once more";
  }
}

TEST(StaticRecords, RefuseContentsThatAreNone) {
  const struct {
    const char* why;
    const char* type;
    std::string content;
  } rows[] = {{"empty", "A", ""},
              {"blanks", "A", "   "},
              {"a name", "A", "localhost"},
              {"a short address", "A", "192.0.2"},
              {"IPv6 in A", "A", "2001:db8::1"},
              {"IPv4 in AAAA", "AAAA", "192.0.2.1"},
              {"two fields", "A", "192.0.2.1 192.0.2.2"},
              {"no preference", "MX", "mx.example"},
              {"a preference above 65535", "MX", "65536 mx.example"},
              {"a negative preference", "MX", "-1 mx.example"},
              {"an address as MX", "MX", "10 192.0.2.1"},
              {"an underscore as MX", "MX", "10 _mx.example"},
              {"the root with a preference", "MX", "10 ."},
              {"a quoted name", "MX", "10 \"mx.example\""},
              {"a wildcard as NS", "NS", "*.example"},
              {"two names", "CNAME", "a.example b.example"},
              {"a label of 64", "CNAME", std::string(64, 'a') + ".example"},
              {"an empty label", "CNAME", "a..example"},
              {"three fields", "SRV", "0 0 sip.example"},
              {"a port above 65535", "SRV", "0 0 65536 sip.example"},
              {"flags above 255", "CAA", "256 issue \"x\""},
              {"a tag with a hyphen", "CAA", "0 issue-x \"x\""},
              {"a tag of 16", "CAA", "0 issueissueissuei \"x\""},
              {"a value of 256", "CAA", "0 issue \"" + std::string(256, 'x') + "\""},
              {"unquoted words would lose their blanks", "TXT", "v=spf1 -all"},
              {"one word in quotes, one without", "TXT", "\"a\" b"},
              {"an open quote", "TXT", "\"a"},
              {"a comment", "TXT", "\"a\" ; b"},
              {"a parenthesis", "TXT", "(\"a\")"},
              {"a line break", "TXT", "\"a\n\""},
              {"NUL", "TXT", std::string("\"a\0b\"", 5)},
              {"an escape above 255", "TXT", "\"\\256\""},
              {"an escape of two digits", "TXT", "\"\\25\""},
              {"4097 octets", "TXT", '"' + std::string(4097, 'x') + '"'},
              {"the SOA comes from the zone", "SOA", "ns. h. 1 2 3 4 5"},
              {"a type that is not written by hand", "TLSA", "3 1 1 00"}};
  for (const auto& row : rows) {
    const auto got = normalised(1, "x.shop.example", row.type, row.content);
    ASSERT_FALSE(got) << row.why;
    EXPECT_FALSE(got.error().rule.empty()) << row.why;
  }
  EXPECT_TRUE(normalised(1, "x.shop.example", "TXT", '"' + std::string(4096, 'x') + '"'));
}

TEST(StaticRecords, StandInTheZoneThatAnswers) {
  const struct {
    const char* why;
    int zone;
    const char* owner;
    const char* type;
    const char* content;
    bool ok;
  } rows[] = {{"the apex", 1, "shop.example", "A", "192.0.2.1", true},
              {"a wildcard", 1, "*.x.shop.example", "A", "192.0.2.1", true},
              {"outside", 1, "other.example", "A", "192.0.2.1", false},
              {"another zone's id", 4, "x.shop.example", "A", "192.0.2.1", false},
              {"no such zone", 99, "x.shop.example", "A", "192.0.2.1", false},
              {"in the parent of our own child zone", 1, "x.rp.shop.example", "TXT", "\"x\"", false},
              {"a delegation stands in the parent", 1, "rp.shop.example", "NS", "ns.shop.example", true},
              {"glue as well", 1, "ns.rp.shop.example", "A", "192.0.2.1", true},
              {"a CNAME at the apex", 1, "shop.example", "CNAME", "x.example", false},
              {"NS at a wildcard", 1, "*.shop.example", "NS", "ns.shop.example", false},
              {"a CNAME to itself", 1, "x.shop.example", "CNAME", "X.shop.example", false}};
  for (const auto& row : rows) {
    EXPECT_EQ(normalised(row.zone, row.owner, row.type, row.content).has_value(), row.ok) << row.why;
  }
}

}  // namespace
}  // namespace mailzone::zonegen
