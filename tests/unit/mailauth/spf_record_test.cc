#include "mailauth/spf_record.h"

#include <gtest/gtest.h>

#include "mailauth/spf.h"
#include "tests/support/fake_resolver.h"

namespace mailzone::mailauth {
namespace {

using mailzone::testing::FakeResolver;

TEST(SpfRecord, PrintsWhatItReads) {
  for (const auto* text :
       {"v=spf1", "v=spf1 -all", "v=spf1 a mx ptr ~all", "v=spf1 a:b.example/24//64 mx/8 ?all",
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:192.0.2.1 include:_spf.b.example ~all",
        "v=spf1 exists:%{ir}.%{v}.%{d}._spf.b.example redirect=c.example exp=why.b.example x-y=%{l1r+-}%%z",
        "v=spf1 ptr:b.example a//0 ip4:0.0.0.0/0 -all"}) {
    const auto record = parseSpfRecord(text);
    ASSERT_TRUE(record) << text << ": " << describe(record.error());
    EXPECT_EQ(printSpfRecord(*record), text);
    EXPECT_EQ(parseSpfRecord(printSpfRecord(*record)), record) << text;
  }
}

TEST(SpfRecord, BuildsOurOwnKinds) {
  SpfRecord record;
  record.mechanisms = {SpfMechanism::include(FakeResolver::name("main._spf.shop.example")),
                       SpfMechanism::ip(*IpNetwork::parse("192.0.2.25")),
                       SpfMechanism::ip(*IpNetwork::parse("2001:db8::/64")), SpfMechanism::ownAddress(),
                       SpfMechanism::all(Verdict::softfail)};
  EXPECT_EQ(printSpfRecord(record), "v=spf1 include:main._spf.shop.example ip4:192.0.2.25 ip6:2001:db8::/64 a ~all");
  EXPECT_EQ(parseSpfRecord(printSpfRecord(record)), record);
}

TEST(SpfRecord, RefusesWhatTheSuiteDoesNotTry) {
  for (const auto* bad :
       {"v=spf10 -all", " v=spf1 -all", "v=spf1 a:b.example/33", "v=spf1 a//129", "v=spf1 a/024",
        "v=spf1 ip4:192.0.2.0/", "v=spf1 redirect=", "v=spf1 exp=%{c}.b.example", "v=spf1 all/8", "v=spf1 include",
        "v=spf1 include:b", "v=spf1 include:%{d}b", "v=spf1 %all", "v=spf1 -", "v=spf1 x=%{", "v=spf1 a:%{d0}",
        "v=spf1 exists:%{q}.b.example", "v=spf1 =x", "v=spf1 -x=y"}) {
    EXPECT_FALSE(parseSpfRecord(bad)) << bad;
  }
  EXPECT_EQ(parseSpfRecord("v=spf1 x=" + std::string(65536, 'y')).error().code, Errc::limitExceeded);
}

TEST(MergeNetworks, FindsTheFewest) {
  const auto merged = [](const std::vector<std::string>& texts) {
    std::vector<IpNetwork> networks;
    for (const auto& text : texts) networks.push_back(*IpNetwork::parse(text));
    std::string out;
    for (const auto& network : mergeNetworks(networks)) out += network.text() + ' ';
    return out;
  };
  EXPECT_EQ(merged({"192.0.2.1", "192.0.2.0", "192.0.2.2", "192.0.2.3"}), "192.0.2.0/30 ");
  EXPECT_EQ(merged({"192.0.2.1", "192.0.2.2"}), "192.0.2.1/32 192.0.2.2/32 ");
  EXPECT_EQ(merged({"192.0.2.0/24", "192.0.2.7", "192.0.2.0"}), "192.0.2.0/24 ");
  EXPECT_EQ(merged({"192.0.2.1", "2001:db8::", "2001:db8::1", "192.0.2.1"}), "2001:db8::/127 192.0.2.1/32 ");
  EXPECT_EQ(merged({"0.0.0.0/1", "128.0.0.0/1"}), "0.0.0.0/0 ");
  EXPECT_EQ(merged({}), "");
}

SpfRecord including(std::string_view domain) {
  return parseSpfRecord("v=spf1 include:" + std::string(domain) + " ~all").value();
}

TEST(CountLookups, CountsOverIncludesAndRedirects) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("r.example")] = {"token",
                                                     "v=spf1 a mx exists:x.example ip4:192.0.2.1 redirect=s.example"};
  dns.txtRecords[FakeResolver::name("s.example")] = {"v=spf1 include:u.example all ptr redirect=t.example"};
  dns.txtRecords[FakeResolver::name("u.example")] = {"v=spf1 -all"};
  const auto budget = countLookups(including("r.example"), dns);
  ASSERT_TRUE(budget) << describe(budget.error());
  EXPECT_EQ(budget->lookups, 6U) << "what stands behind all is never evaluated";
  EXPECT_TRUE(budget->fits());
}

TEST(CountLookups, TenFitAndElevenDoNot) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("r.example")] = {"v=spf1 a a a a a a a a a"};
  EXPECT_TRUE(countLookups(including("r.example"), dns)->fits());
  dns.txtRecords[FakeResolver::name("r.example")] = {"v=spf1 a a a a a a a a a a"};
  EXPECT_FALSE(countLookups(including("r.example"), dns)->fits());
}

TEST(CountLookups, SaysWhatItCannotFollow) {
  FakeResolver dns;
  const auto macro = countLookups(including("%{i}._spf.r.example"), dns);
  ASSERT_TRUE(macro);
  EXPECT_EQ(macro->lookups, 1U);
  EXPECT_EQ(macro->notes.size(), 1U);
}

TEST(CountLookups, RefusesWhatMakesTheRecordPermerror) {
  FakeResolver dns;
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::invalidInput) << "no record";
  dns.txtRecords[FakeResolver::name("r.example")] = {"v=spf1 -all", "v=spf1 a -all"};
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::invalidInput) << "two records";
  dns.txtRecords[FakeResolver::name("r.example")] = {"v=spf1 foo -all"};
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::invalidInput) << "a malformed one";
  dns.txtRecords[FakeResolver::name("r.example")] = {"v=spf1 include:r.example -all"};
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::limitExceeded) << "a loop";
  dns.servfail.insert(FakeResolver::name("r.example"));
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::temporary) << "cannot tell";
}

TEST(CountLookups, GivesUpAboveAHundred) {
  FakeResolver dns;
  std::string wide = "v=spf1";
  for (int i = 0; i < 200; ++i) wide += " include:s.example";
  dns.txtRecords[FakeResolver::name("r.example")] = {wide};
  dns.txtRecords[FakeResolver::name("s.example")] = {"v=spf1 -all"};
  EXPECT_EQ(countLookups(including("r.example"), dns).error().code, Errc::limitExceeded);
  EXPECT_LE(dns.asked.size(), 102U);
}

struct FixedClock final : Clock {
  mutable TimePoint time{};
  TimePoint now() const override {
    time += std::chrono::seconds(11);
    return time;
  }
};

TEST(Spf, NamesTheDirectiveThatDecided) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("b.example")] = {"v=spf1 include:c.example -all"};
  dns.txtRecords[FakeResolver::name("c.example")] = {"v=spf1 ip4:192.0.2.0/24 -all"};
  SpfRequest request;
  request.client = FakeResolver::ip("192.0.2.1");
  request.helo = "mx.b.example";
  request.mailFrom = "a@b.example";
  EXPECT_EQ(checkSpf(request, dns).mechanism, "include:c.example");
  EXPECT_EQ(checkSpf(request, dns).lookups, 1U);
  request.client = FakeResolver::ip("198.51.100.1");
  const auto refused = checkSpf(request, dns);
  EXPECT_EQ(refused.verdict, Verdict::fail);
  EXPECT_EQ(refused.mechanism, "-all");
  EXPECT_FALSE(refused.helo);
}

TEST(Spf, TheNullSenderIsCheckedByHelo) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("mx.b.example")] = {"v=spf1 a -all"};
  dns.aRecords[FakeResolver::name("mx.b.example")] = {FakeResolver::ip("192.0.2.1")};
  SpfRequest request;
  request.client = FakeResolver::ip("192.0.2.1");
  request.helo = "mx.b.example";
  const auto result = checkSpf(request, dns);
  EXPECT_EQ(result.verdict, Verdict::pass) << result.reason;
  EXPECT_TRUE(result.helo);
  EXPECT_EQ(result.domain->text(), "mx.b.example.");
}

TEST(Spf, AnIpv4MappedClientIsIpv4) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("b.example")] = {"v=spf1 ip4:192.0.2.1 -all"};
  SpfRequest request;
  request.client = FakeResolver::ip("::ffff:192.0.2.1");
  request.mailFrom = "a@b.example";
  EXPECT_EQ(checkSpf(request, dns).verdict, Verdict::pass);
}

TEST(Spf, StopsWhenItsTimeIsOver) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("b.example")] = {"v=spf1 a:c.example a:d.example -all"};
  dns.aRecords[FakeResolver::name("c.example")] =
      dns.aRecords[FakeResolver::name("d.example")] = {FakeResolver::ip("192.0.2.9")};
  SpfRequest request;
  request.client = FakeResolver::ip("192.0.2.1");
  request.mailFrom = "a@b.example";
  EXPECT_EQ(checkSpf(request, dns).verdict, Verdict::fail);
  const FixedClock clock;
  SpfLimits limits;
  limits.clock = &clock;
  EXPECT_EQ(checkSpf(request, dns, limits).verdict, Verdict::temperror);
}

TEST(Spf, AnExplanationIsPrintableAndShortOrIsNone) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("b.example")] = {"v=spf1 -all exp=why.b.example"};
  SpfRequest request;
  request.client = FakeResolver::ip("192.0.2.1");
  request.mailFrom = "a@b.example";
  for (const auto& [text, expected] :
       std::vector<std::pair<std::string, std::string>>{{"%{i} may not", "192.0.2.1 may not"},
                                                        {std::string(1000, 'x'), std::string(1000, 'x')},
                                                        {std::string(1001, 'x'), ""},
                                                        {"line\nbreak", ""},
                                                        {"%{", ""}}) {
    dns.txtRecords[FakeResolver::name("why.b.example")] = {text};
    const auto result = checkSpf(request, dns);
    EXPECT_EQ(result.verdict, Verdict::fail);
    EXPECT_EQ(result.explanation, expected);
  }
}

TEST(Spf, AHostileSenderIsNoDomain) {
  FakeResolver dns;
  for (const std::string& from :
       std::vector<std::string>{"a@b\\.example", "a@b.example\r\nX: y", "a@" + std::string(300, 'b') + ".example",
                                "a@..", "a@.", "a@", "@", "a@[IPv6:::1]", "a@\xff\xfe.example"}) {
    SpfRequest request;
    request.mailFrom = from;
    const auto result = checkSpf(request, dns);
    EXPECT_EQ(result.verdict, Verdict::none) << from;
    EXPECT_EQ(result.reason.find('\n'), std::string::npos) << from;
  }
}

}  // namespace
}  // namespace mailzone::mailauth
