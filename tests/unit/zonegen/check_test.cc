#include "zonegen/check.h"

#include <gtest/gtest.h>

#include "tests/support/model_fixture.h"

namespace mailzone::zonegen {
namespace {

using test::name;

ZoneRRset says(int zone, std::string_view owner, std::string_view type, std::vector<std::string> contents,
               int ttl = 300) {
  return {ZoneId{zone}, {name(owner), *RecordType::parse(type), *Ttl::of(ttl), std::move(contents)}};
}

struct CheckRow {
  const char* why;
  std::vector<ZoneRRset> added;
  std::vector<std::string> expected;  ///< "ZONE OWNER TYPE: beginning of the rule"
};

TEST(Check, FindsWhatNoSingleRowShows) {
  const auto model = test::modelFixture();
  std::vector<ZoneRRset> good;
  const auto zones = *test::wholeZones(model);
  for (const auto& [id, rrsets] : zones) {
    for (const auto& rrset : rrsets) good.push_back({id, rrset});
  }
  const std::vector<CheckRow> rows = {
      {"nothing", {}, {}},
      {"the same RRset from two sources", {says(1, "mx1.shop.example", "A", {"192.0.2.25"})}, {}},
      {"a name outside its zone",
       {says(1, "x.other.example", "A", {"192.0.2.1"})},
       {"1 x.other.example. A: the name lies outside its zone"}},
      {"a zone that is not there",
       {says(99, "x.shop.example", "A", {"192.0.2.1"})},
       {"99 x.shop.example. A: zone 99 is not there"}},
      {"below our own child zone",
       {says(1, "x.rp.shop.example", "TXT", {"\"x\""})},
       {"1 x.rp.shop.example. TXT: the record is hidden below the delegation"}},
      {"below somebody else's delegation",
       {says(1, "x.eu.shop.example", "TXT", {"\"x\""})},
       {"1 x.eu.shop.example. TXT: the record is hidden below the delegation"}},
      {"glue below a delegation", {says(1, "x.eu.shop.example", "A", {"192.0.2.1"})}, {}},
      {"a CNAME beside other data",
       {says(1, "mx1.shop.example", "CNAME", {"x.example."})},
       {"1 shop.example. MX: the target of a record of type MX is an alias",
        "1 mx1.shop.example. CNAME: a CNAME stands beside other data",
        "1 reports.shop.example. MX: the target of a record of type MX is an alias",
        "1 srs.shop.example. MX: the target of a record of type MX is an alias",
        "1 t1.shop.example. MX: the target of a record of type MX is an alias",
        "1 t2.shop.example. MX: the target of a record of type MX is an alias",
        "1 t3.shop.example. MX: the target of a record of type MX is an alias",
        "1 t8.shop.example. MX: the target of a record of type MX is an alias",
        "3 66666666666666666666666666666666.rp.shop.example. MX: the target of a record of type MX is an alias",
        "3 77777777777777777777777777777777.rp.shop.example. MX: the target of a record of type MX is an alias",
        "3 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.rp.shop.example. MX: the target of a record of type MX is an alias",
        "4 25.2.0.192.in-addr.arpa. PTR: the target of a record of type PTR is an alias",
        "5 5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR: the target of a record of "
        "type PTR is an alias"}},
      {"two CNAMEs",
       {says(1, "www.shop.example", "CNAME", {"x.example."})},
       {"1 www.shop.example. CNAME: a name has one"}},
      {"two TTLs",
       {says(1, "imap.shop.example", "A", {"192.0.2.83"}, 60)},
       {"1 imap.shop.example. A: the records of one owner and type share a TTL"}},
      {"two SPF records",
       {says(1, "t1.shop.example", "TXT", {"\"v=spf1 -all\""})},
       {"1 t1.shop.example. TXT: a name has one SPF record"}},
      {"two DMARC records",
       {says(1, "_dmarc.t1.shop.example", "TXT", {"\"v=DMARC1; p=none\""})},
       {"1 _dmarc.t1.shop.example. TXT: a name has one DMARC record"}},
      {"two keys at one selector",
       {says(1, "mz1._domainkey.t1.shop.example", "TXT", {"\"p=\""})},
       {"1 mz1._domainkey.t1.shop.example. TXT: a selector has one key record"}},
      {"a null MX beside another",
       {says(1, "shop.example", "MX", {"0 ."})},
       {"1 shop.example. MX: a null MX stands beside"}},
      {"an MX without address",
       {says(1, "x.shop.example", "MX", {"10 nowhere.shop.example."})},
       {"1 x.shop.example. MX: the target of a record of type MX has no address"}},
      {"an MX at a wildcard's name", {says(1, "x.shop.example", "MX", {"10 any.preview.shop.example."})}, {}},
      {"an MX at a name that hides the wildcard",
       {says(1, "x.shop.example", "MX", {"10 static.preview.shop.example."})},
       {"1 x.shop.example. MX: the target of a record of type MX has no address"}},
      {"below such a name, too",
       {says(1, "x.shop.example", "MX", {"10 a.static.preview.shop.example."})},
       {"1 x.shop.example. MX: the target of a record of type MX has no address"}},
      {"an MX in somebody else's zone", {says(1, "x.shop.example", "MX", {"10 mx.elsewhere.example."})}, {}},
      {"an MX below a delegation", {says(1, "x.shop.example", "MX", {"10 mx.eu.shop.example."})}, {}},
      {"an SRV that is not offered", {says(1, "_x._tcp.shop.example", "SRV", {"0 0 0 ."})}, {}},
      {"a second SOA",
       {says(2, "dkim.shop.example", "SOA", {"a. b. 1 2 3 4 5"})},
       {"2 dkim.shop.example. SOA: a zone has exactly one SOA"}}};
  for (const auto& row : rows) {
    auto all = good;
    all.insert(all.end(), row.added.begin(), row.added.end());
    const auto findings = check(model.context.zones, all);
    ASSERT_EQ(findings.size(), row.expected.size()) << row.why;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const auto got = std::to_string(raw(findings[i].zone)) + ' ' + findings[i].owner.text() + ' ' +
                       findings[i].type.text() + ": " + findings[i].error.rule;
      EXPECT_EQ(got.rfind(row.expected[i], 0), 0U) << row.why << ": " << got;
      EXPECT_FALSE(findings[i].error.remedy.empty()) << row.why;
    }
  }
}

TEST(Check, WantsSoaAndNsOfEveryZone) {
  const auto findings = check(test::modelFixture().context.zones, {});
  EXPECT_EQ(findings.size(), 2 * test::modelFixture().context.zones.size());
}

}  // namespace
}  // namespace mailzone::zonegen
