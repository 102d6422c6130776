#include "mailauth/dmarc.h"

#include <gtest/gtest.h>

#include "tests/support/fake_resolver.h"

namespace mailzone::mailauth {
namespace {

using mailzone::testing::FakeResolver;

DnsName name(std::string_view text) {
  return FakeResolver::name(text);
}

FakeResolver zone(const std::vector<std::pair<std::string, std::string>>& records) {
  FakeResolver dns;
  for (const auto& [owner, text] : records) dns.txtRecords[name("_dmarc." + owner)].push_back(text);
  return dns;
}

SpfResult spf(Verdict verdict, std::string_view domain) {
  SpfResult result;
  result.verdict = verdict;
  result.domain = name(domain);
  result.reason = "a test";
  return result;
}

DkimResult dkim(Verdict verdict, std::string_view domain) {
  DkimResult result;
  result.verdict = verdict;
  result.domain = name(domain);
  result.reason = "a test";
  return result;
}

TEST(DmarcRecord, ReadsAndRefuses) {
  struct Row {
    const char* why;
    const char* text;
    bool ok;
  };
  const Row rows[] = {
      {"the least", "v=DMARC1; p=none", true},
      {"no blanks, a final semicolon", "v=DMARC1;p=reject;", true},
      {"blanks around everything", "v = DMARC1 ; p = reject ; sp = none", true},
      {"words of any case", "v=DMARC1; p=Reject", true},
      {"the version is case-sensitive", "v=dmarc1; p=reject", false},
      {"the version comes first", "p=reject; v=DMARC1", false},
      {"a blank comes first", " v=DMARC1; p=reject", false},
      {"another version", "v=DMARC10; p=reject", false},
      {"no p and no rua", "v=DMARC1", false},
      {"no p but a rua: p=none (RFC 9989 section 4.10.1)", "v=DMARC1; rua=mailto:a@b.example", true},
      {"an invalid p and a rua", "v=DMARC1; p=refuse; rua=mailto:a@b.example", true},
      {"an invalid p and no rua", "v=DMARC1; p=refuse", false},
      {"an invalid sp", "v=DMARC1; p=reject; sp=refuse", false},
      {"an invalid np", "v=DMARC1; p=reject; np=", false},
      {"pct, rf and ri are historic", "v=DMARC1; p=reject; pct=900; rf=x; ri=y", true},
      {"unknown tags", "v=DMARC1; p=reject; zz=1", true},
      {"invalid psd and t count as absent", "v=DMARC1; p=reject; psd=x; t=z", true},
      {"a tag twice", "v=DMARC1; p=reject; p=none", false},
      {"a tag without value", "v=DMARC1; p", false},
      {"a key record", "v=DKIM1; p=", false},
  };
  for (const auto& row : rows) {
    const auto record = parseDmarcRecord(row.text);
    EXPECT_EQ(record.has_value(), row.ok) << row.why;
    if (record) {
      EXPECT_EQ(parseDmarcRecord(printDmarcRecord(*record)), record) << row.why;
    }
  }
  EXPECT_EQ(parseDmarcRecord("v=DMARC1; p=refuse; rua=mailto:a@b.example")->policy, DmarcPolicy::none);
}

TEST(DmarcRecord, PrintsEveryTag) {
  const auto* text =
      "v=DMARC1; p=quarantine; sp=none; np=reject; adkim=s; aspf=s; psd=n; t=y; fo=1:d; "
      "rua=mailto:a@b.example,mailto:c@d.example!10m; ruf=mailto:e@f.example";
  const auto record = parseDmarcRecord(text);
  ASSERT_TRUE(record);
  EXPECT_EQ(printDmarcRecord(*record), text);
  EXPECT_EQ(record->nonexistentPolicy, DmarcPolicy::reject);
  EXPECT_EQ(record->rua.size(), 2U);
}

TEST(ReportUris, AreMailtoOrHttpsWithoutTheCharactersOfTheList) {
  for (const auto* good : {"mailto:a@b.example", "mailto:a@b.example, mailto:c@d.example", "https://r.example/x",
                           "mailto:a%2Cb@b.example"}) {
    EXPECT_TRUE(parseReportUris(good)) << good;
  }
  for (const auto* bad :
       {"", "a@b.example", "mailto:", "mailto:@b.example", "mailto:a@", "mailto:a@b.example!10m", "mailto:a@b.example,",
        "mailto:a@b.example;p=none", "http://r.example/", "mailto:a b@c.example", "mailto:a@-b.example", "https://"}) {
    EXPECT_FALSE(parseReportUris(bad)) << bad;
  }
  std::string many = "mailto:a@b.example";
  for (int i = 0; i < 20; ++i) many += ",mailto:a@b.example";
  EXPECT_EQ(parseReportUris(many).error().code, Errc::limitExceeded);
}

struct WalkRow {
  const char* why;
  const char* author;
  std::vector<std::pair<std::string, std::string>> records;
  const char* organizational;
  const char* recordDomain;  // "" for none
  DmarcPolicy policy;
};

TEST(DmarcDiscovery, WalksTheTree) {
  const std::vector<WalkRow> rows = {
      {"no record: the name itself", "a.b.example", {}, "a.b.example", "", DmarcPolicy::none},
      {"own record",
       "b.example",
       {{"b.example", "v=DMARC1; p=reject; sp=none"}},
       "b.example",
       "b.example",
       DmarcPolicy::reject},
      {"the parent's record: sp",
       "a.b.example",
       {{"b.example", "v=DMARC1; p=reject; sp=quarantine; np=quarantine"}},
       "b.example",
       "b.example",
       DmarcPolicy::quarantine},
      {"the parent's record without sp: p",
       "a.b.example",
       {{"b.example", "v=DMARC1; p=reject"}},
       "b.example",
       "b.example",
       DmarcPolicy::reject},
      {"own record, and the organization above",
       "a.b.example",
       {{"a.b.example", "v=DMARC1; p=none"}, {"b.example", "v=DMARC1; p=reject; sp=reject"}},
       "b.example",
       "a.b.example",
       DmarcPolicy::none},
      {"psd=n ends the walk: a tenant of ours is an organization",
       "t1.shop.example",
       {{"t1.shop.example", "v=DMARC1; p=quarantine; psd=n"}, {"shop.example", "v=DMARC1; p=reject"}},
       "t1.shop.example",
       "t1.shop.example",
       DmarcPolicy::quarantine},
      {"a record between is passed over: the fewest labels count",
       "x.a.b.example",
       {{"a.b.example", "v=DMARC1; p=none"}, {"b.example", "v=DMARC1; p=reject"}},
       "b.example",
       "b.example",
       DmarcPolicy::reject},
      {"psd=y: one label below it",
       "a.b.gov.example",
       {{"gov.example", "v=DMARC1; p=reject; psd=y"}},
       "b.gov.example",
       "gov.example",
       DmarcPolicy::reject},
      {"psd=y, and the organization has a record",
       "a.b.gov.example",
       {{"b.gov.example", "v=DMARC1; p=none"}, {"gov.example", "v=DMARC1; p=reject; psd=y"}},
       "b.gov.example",
       "b.gov.example",
       DmarcPolicy::none},
      {"psd=y at the start",
       "gov.example",
       {{"gov.example", "v=DMARC1; p=reject; psd=y"}},
       "gov.example",
       "gov.example",
       DmarcPolicy::reject},
      {"two records at a name are discarded",
       "a.b.example",
       {{"a.b.example", "v=DMARC1; p=none"},
        {"a.b.example", "v=DMARC1; p=reject"},
        {"b.example", "v=DMARC1; p=quarantine"}},
       "b.example",
       "b.example",
       DmarcPolicy::quarantine},
      {"a record beside another text",
       "b.example",
       {{"b.example", "token"}, {"b.example", "v=DMARC1; p=reject"}},
       "b.example",
       "b.example",
       DmarcPolicy::reject},
      {"nine labels: the start, then the right-most seven",
       "a.b.c.d.e.f.g.h.example",
       {{"b.c.d.e.f.g.h.example", "v=DMARC1; p=none; psd=n"}, {"c.d.e.f.g.h.example", "v=DMARC1; p=reject; psd=n"}},
       "c.d.e.f.g.h.example",
       "c.d.e.f.g.h.example",
       DmarcPolicy::reject},
  };
  for (const auto& row : rows) {
    auto dns = zone(row.records);
    dns.empty.insert(name(row.author));
    const auto found = discoverDmarc(name(row.author), dns);
    ASSERT_TRUE(found) << row.why << ": " << describe(found.error());
    EXPECT_EQ(found->organizationalDomain.textNoDot(), row.organizational) << row.why;
    EXPECT_EQ(found->record ? found->recordDomain.textNoDot() : "", row.recordDomain) << row.why;
    EXPECT_EQ(word(found->policy), word(row.policy)) << row.why;
    EXPECT_LE(dns.asked.size(), 9U) << row.why;
  }
}

TEST(DmarcDiscovery, AsksAtMostEightNames) {
  FakeResolver dns;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "a.";
  ASSERT_TRUE(discoverDmarc(name(deep + "example"), dns));
  EXPECT_EQ(dns.asked.size(), kDmarcWalkLimit);
  EXPECT_EQ(dns.asked.back().first.text(), "_dmarc.example.");
}

TEST(DmarcDiscovery, TheNonexistentPolicyWantsNxdomain) {
  auto dns = zone({{"b.example", "v=DMARC1; p=none; np=reject"}});
  EXPECT_EQ(discoverDmarc(name("gone.b.example"), dns)->policy, DmarcPolicy::reject);
  dns.empty.insert(name("below.there.b.example"));
  EXPECT_EQ(discoverDmarc(name("there.b.example"), dns)->policy, DmarcPolicy::none) << "an empty non-terminal exists";
  dns.servfail.insert(name("gone.b.example"));
  EXPECT_EQ(discoverDmarc(name("gone.b.example"), dns).error().code, Errc::temporary);
}

TEST(DmarcDiscovery, AFailingLookupIsNoAnswer) {
  auto dns = zone({{"a.b.example", "v=DMARC1; p=reject"}});
  dns.servfail.insert(name("_dmarc.b.example"));
  EXPECT_EQ(discoverDmarc(name("a.b.example"), dns).error().code, Errc::temporary);
}

struct EvaluationRow {
  const char* why;
  SpfResult spf;
  std::vector<DkimResult> dkim;
  Verdict verdict;
  DmarcAlignment alignment;
  DmarcAlignment relaxed;
};

TEST(Dmarc, PassesOnOneAlignedPass) {
  const auto strict = zone({{"t1.shop.example", "v=DMARC1; p=quarantine; adkim=s; aspf=s; psd=n"},
                            {"shop.example", "v=DMARC1; p=reject; adkim=s; aspf=s"},
                            {"custom.example", "v=DMARC1; p=reject"}});
  const auto none = spf(Verdict::none, "relay.example");
  const std::vector<std::pair<const char*, EvaluationRow>> rows = {
      {"t1.shop.example",
       {"both",
        spf(Verdict::pass, "t1.shop.example"),
        {dkim(Verdict::pass, "t1.shop.example")},
        Verdict::pass,
        DmarcAlignment::both,
        DmarcAlignment::both}},
      {"t1.shop.example",
       {"DKIM alone, the common signature first",
        none,
        {dkim(Verdict::pass, "sig.shop.example"), dkim(Verdict::pass, "t1.shop.example")},
        Verdict::pass,
        DmarcAlignment::dkim,
        DmarcAlignment::dkim}},
      {"t1.shop.example",
       {"the common signature alone",
        none,
        {dkim(Verdict::pass, "sig.shop.example")},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"t1.shop.example",
       {"a sibling",
        spf(Verdict::pass, "t2.shop.example"),
        {dkim(Verdict::pass, "t2.shop.example")},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"t1.shop.example",
       {"the platform itself",
        spf(Verdict::pass, "shop.example"),
        {},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"t1.shop.example",
       {"below it: relaxed only",
        spf(Verdict::pass, "bounce.t1.shop.example"),
        {},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::spf}},
      {"custom.example",
       {"the bounce domain, relaxed",
        spf(Verdict::pass, "bounce.custom.example"),
        {},
        Verdict::pass,
        DmarcAlignment::spf,
        DmarcAlignment::spf}},
      {"mail.custom.example",
       {"from a subdomain, signed by the parent",
        none,
        {dkim(Verdict::pass, "custom.example")},
        Verdict::pass,
        DmarcAlignment::dkim,
        DmarcAlignment::dkim}},
      {"custom.example",
       {"a name that ends alike",
        spf(Verdict::pass, "badcustom.example"),
        {},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"custom.example",
       {"aligned, but they did not pass",
        spf(Verdict::softfail, "custom.example"),
        {dkim(Verdict::fail, "custom.example")},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"custom.example",
       {"a testing key does not count",
        none,
        {dkim(Verdict::policy, "custom.example")},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"custom.example",
       {"the aligned key cannot be told",
        none,
        {dkim(Verdict::temperror, "custom.example")},
        Verdict::temperror,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"custom.example",
       {"another's key cannot be told",
        none,
        {dkim(Verdict::temperror, "relay.example")},
        Verdict::fail,
        DmarcAlignment::none,
        DmarcAlignment::none}},
      {"custom.example",
       {"SPF cannot be told, DKIM passes",
        spf(Verdict::temperror, "custom.example"),
        {dkim(Verdict::pass, "custom.example")},
        Verdict::pass,
        DmarcAlignment::dkim,
        DmarcAlignment::dkim}},
      {"nowhere.test",
       {"no record: alignment is still told",
        none,
        {dkim(Verdict::pass, "nowhere.test")},
        Verdict::none,
        DmarcAlignment::dkim,
        DmarcAlignment::dkim}},
  };
  for (const auto& [author, row] : rows) {
    auto dns = strict;
    const auto result = evaluateDmarc(name(author), row.spf, row.dkim, dns);
    EXPECT_EQ(word(result.verdict), word(row.verdict)) << row.why << ": " << result.reason;
    EXPECT_EQ(word(result.alignment), word(row.alignment)) << row.why;
    EXPECT_EQ(word(result.relaxedAlignment), word(row.relaxed)) << row.why;
    EXPECT_FALSE(result.reason.empty()) << row.why;
  }
  auto dns = strict;
  const auto second =
      evaluateDmarc(name("t1.shop.example"), none,
                    {dkim(Verdict::pass, "sig.shop.example"), dkim(Verdict::pass, "t1.shop.example")}, dns);
  EXPECT_EQ(second.alignedSignature, 1U);
}

TEST(Dmarc, TestingModeAsksForOneStepLess) {
  const auto nothing = spf(Verdict::none, "x.example");
  for (const auto& [text, policy, asked] : std::vector<std::tuple<std::string, DmarcPolicy, DmarcPolicy>>{
           {"p=reject", DmarcPolicy::reject, DmarcPolicy::reject},
           {"p=reject; pct=0", DmarcPolicy::reject, DmarcPolicy::reject},
           {"p=reject; t=y", DmarcPolicy::reject, DmarcPolicy::quarantine},
           {"p=quarantine; t=y", DmarcPolicy::quarantine, DmarcPolicy::none},
           {"p=none; t=y", DmarcPolicy::none, DmarcPolicy::none}}) {
    auto dns = zone({{"b.example", "v=DMARC1; " + text}});
    const auto result = evaluateDmarc(name("b.example"), nothing, {}, dns);
    EXPECT_EQ(word(result.policy), word(policy)) << text;
    EXPECT_EQ(word(result.disposition), word(asked)) << text;
  }
}

TEST(Dmarc, SaysTemperrorAndPermerror) {
  auto dns = zone({{"b.example", "v=DMARC1; p=refuse"}});
  EXPECT_EQ(evaluateDmarc(name("b.example"), spf(Verdict::pass, "b.example"), {}, dns).verdict, Verdict::permerror);
  EXPECT_EQ(evaluateDmarc(name("a.b.example"), spf(Verdict::pass, "b.example"), {}, dns).verdict, Verdict::permerror);
  dns.servfail.insert(name("_dmarc.b.example"));
  EXPECT_EQ(evaluateDmarc(name("b.example"), spf(Verdict::pass, "b.example"), {}, dns).verdict, Verdict::temperror);
}

TEST(Dmarc, AFailingWalkOfAnotherDomainIsNoFail) {
  auto dns = zone({{"b.example", "v=DMARC1; p=reject"}});
  dns.servfail.insert(name("_dmarc.mail.b.example"));
  EXPECT_EQ(evaluateDmarc(name("b.example"), spf(Verdict::pass, "mail.b.example"), {}, dns).verdict,
            Verdict::temperror);
  auto strict = zone({{"b.example", "v=DMARC1; p=reject; aspf=s"}});
  strict.servfail.insert(name("_dmarc.mail.b.example"));
  EXPECT_EQ(evaluateDmarc(name("b.example"), spf(Verdict::pass, "mail.b.example"), {}, strict).verdict, Verdict::fail);
}

TEST(ReportDestination, IsAskedWhenItIsAnotherOrganization) {
  auto dns = zone({{"b.example", "v=DMARC1; p=none"}, {"r.example", "v=DMARC1; p=none"}});
  EXPECT_EQ(reportDestinationAgrees(name("b.example"), name("reports.b.example"), dns), true);
  EXPECT_EQ(reportDestinationAgrees(name("b.example"), name("r.example"), dns), false);
  dns.txtRecords[name("b.example._report._dmarc.r.example")] = {"v=DMARC1;"};
  EXPECT_EQ(reportDestinationAgrees(name("b.example"), name("r.example"), dns), true);
  dns.servfail.insert(name("b.example._report._dmarc.r.example"));
  EXPECT_FALSE(reportDestinationAgrees(name("b.example"), name("r.example"), dns));
  const std::string label = std::string(60, 'x') + '.';
  EXPECT_EQ(reportDestinationAgrees(name(label + label + label + "b.example"), name(label + "r.example"), dns), false);
}

}  // namespace
}  // namespace mailzone::mailauth
