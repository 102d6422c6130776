#include "harness/facts.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_resolver.h"

namespace mailzone::harness {
namespace {

using mailzone::testing::FakeResolver;

const std::string kGood =
    "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\nFrom: Shop <a@t1.shop.example>\r\nMessage-ID: <1@t1.shop.example>\r\n"
    "Received: by a\r\nReceived: by b\r\n\r\nhi\r\n";

TEST(Form, FindsEachFaultAndOnlyThat) {
  struct Row {
    const char* why;
    std::string message;
    std::size_t findings;
  };
  const std::string tail = "\r\n\r\nhi\r\n";
  const std::string date = "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n";
  const std::string from = "From: a@t1.shop.example\r\n";
  const std::string id = "Message-ID: <1@t1.shop.example>";
  const std::vector<Row> rows = {
      {"nothing", kGood, 0},
      {"no From", date + id + tail, 1},
      {"two From fields", date + from + from + id + tail, 2},
      {"two addresses in From", date + "From: a@t1.shop.example, b@t2.shop.example\r\n" + id + tail, 1},
      {"an empty From", date + "From:\r\n" + id + tail, 1},
      {"a From without domain", date + "From: a\r\n" + id + tail, 1},
      {"no Message-ID", date + from + "X: y" + tail, 1},
      {"a Message-ID without brackets", date + from + "Message-ID: 1@t1.shop.example" + tail, 1},
      {"a Message-ID without @", date + from + "Message-ID: <12345>" + tail, 1},
      {"a Message-ID with a blank", date + from + "Message-ID: <1 2@t1.shop.example>" + tail, 1},
      {"a folded Message-ID", date + from + "Message-ID:\r\n <1@t1.shop.example>" + tail, 0},
      {"no Date", from + id + tail, 1},
      {"two Dates", date + date + from + id + tail, 1},
      {"two Subjects, in any case", date + from + "Subject: x\r\nSUBJECT: y\r\n" + id + tail, 1},
      {"two Received lines are usual", date + from + "Received: x\r\nReceived: y\r\n" + id + tail, 0},
      {"a line that is no field", date + from + "what is this\r\n" + id + tail, 1},
      {"nothing at all", "", 3},
  };
  for (const Row& row : rows) {
    const auto findings = formFindings(row.message);
    std::string said;
    for (const FormFinding& finding : findings) said += finding.rule + "; ";
    EXPECT_EQ(findings.size(), row.findings) << row.why << ": " << said;
  }
}

TEST(Facts, AreGatheredFromTheConnectionTheMessageAndTheResolver) {
  FakeResolver dns;
  dns.ptrRecords[FakeResolver::ip("192.0.2.25").reverseName()] = {FakeResolver::name("mx1.shop.example")};
  dns.aRecords[FakeResolver::name("mx1.shop.example")] = {FakeResolver::ip("192.0.2.25")};
  dns.txtRecords[FakeResolver::name("mx1.shop.example")] = {"v=spf1 a -all"};
  dns.txtRecords[FakeResolver::name("_dmarc.t1.shop.example")] = {"v=DMARC1; p=reject; t=y; psd=n"};
  // A null sender: SPF judges the HELO name.
  const Connection connection{
      FakeResolver::ip("192.0.2.25"), "mx1.shop.example", "", {"b@receiver.example"}, "TLSv1.3"};
  const Facts facts = gatherFacts(connection, kGood, dns, FakeClock());
  EXPECT_EQ(facts.iprev, AuthResult::pass);
  EXPECT_EQ(facts.ptrName, "mx1.shop.example");
  EXPECT_EQ(facts.spf.result, AuthResult::pass);
  EXPECT_EQ(facts.spf.domain, "mx1.shop.example");
  EXPECT_TRUE(facts.signatures.empty());
  EXPECT_EQ(facts.dmarc.result, AuthResult::fail);
  EXPECT_EQ(facts.dmarc.policy, DmarcPolicy::quarantine) << "t=y asks for one step less than reject";
  EXPECT_EQ(facts.dmarc.recordDomain, "t1.shop.example");
  EXPECT_EQ(facts.from, "a@t1.shop.example");
  EXPECT_EQ(facts.messageId, "<1@t1.shop.example>");
  EXPECT_EQ(facts.hops, 2U);
  EXPECT_TRUE(facts.form.empty());
}

TEST(Facts, HoldTemperrorForWhatCannotBeTold) {
  FakeResolver dns;
  dns.fails = [](const DnsName&, RecordType) { return true; };
  const Connection connection{FakeResolver::ip("192.0.2.25"), "mx1.shop.example", "a@t1.shop.example", {}, ""};
  const Facts facts = gatherFacts(connection, kGood, dns, FakeClock());
  EXPECT_EQ(facts.iprev, AuthResult::temperror);
  EXPECT_EQ(facts.spf.result, AuthResult::temperror);
  EXPECT_EQ(facts.dmarc.result, AuthResult::temperror);
}

TEST(Facts, DoNotWaitForASenderWhoseDnsIsSlowEachTime) {
  FakeResolver dns;
  dns.txtRecords[FakeResolver::name("t1.shop.example")] = {"v=spf1 include:a.example include:b.example -all"};
  dns.txtRecords[FakeResolver::name("a.example")] = {"v=spf1 -all"};
  dns.txtRecords[FakeResolver::name("b.example")] = {"v=spf1 ip4:192.0.2.25 -all"};
  FakeClock clock;
  clock.step = std::chrono::seconds{15};
  const Connection connection{FakeResolver::ip("192.0.2.25"), "mx1.shop.example", "a@t1.shop.example", {}, ""};
  EXPECT_EQ(gatherFacts(connection, kGood, dns, FakeClock()).spf.result, AuthResult::pass);
  EXPECT_EQ(gatherFacts(connection, kGood, dns, clock).spf.result, AuthResult::temperror);
}

}  // namespace
}  // namespace mailzone::harness
