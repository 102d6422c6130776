#include "cli/dns_query.h"

#include <gtest/gtest.h>

#include "tests/support/dns_server.h"

namespace mailzone::cli {
namespace {

using testing::FakeResolver;

std::string two(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}
std::string four(std::uint32_t value) {
  return two(value >> 16) + two(value & 0xffff);
}

const DnsName kName = DnsName::parse("a.example").value();

/// A reply to the question for kName with one record of this type and data.
std::string reply(RecordType type, const std::string& rdata, unsigned flags = 0x8400) {
  return two(7) + two(flags) + two(1) + two(1) + two(0) + two(0) + kName.wire() + two(type.number()) + two(1) +
         two(0xc00c) + two(type.number()) + two(1) + four(300) + two(static_cast<unsigned>(rdata.size())) + rdata;
}

TEST(DnsQuery, PrintsEveryTypeAsTheRestOfTheProgramDoes) {
  const std::string host = DnsName::parse("host.example").value().wire();
  struct Row {
    RecordType type;
    std::string rdata, content;
  };
  const Row rows[] = {
      {rrtype::A, std::string("\xc0\x00\x02\x01", 4), "192.0.2.1"},
      {rrtype::AAAA, std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01", "2001:db8::1"},
      {rrtype::NS, host, "host.example."},
      {rrtype::CNAME, std::string("\x04host\xc0\x0c", 7), "host.a.example."},
      {rrtype::MX, two(10) + host, "10 host.example."},
      {rrtype::SRV, two(1) + two(2) + two(443) + host, "1 2 443 host.example."},
      {rrtype::TXT,
       std::string("\x03"
                   "a\"b\x01"
                   "c"),
       "\"a\\\"bc\""},
      {rrtype::CAA,
       std::string("\x00\x05issue"
                   "ca.example",
                   17),
       "0 issue \"ca.example\""},
      {rrtype::SOA, host + host + four(1) + four(2) + four(3) + four(4) + four(5),
       "host.example. host.example. 1 2 3 4 5"},
      {RecordType(65280), "\x01\x02", "\\# 2 0102"},
  };
  for (const Row& row : rows) {
    bool truncated = true;
    const auto answer = readMessage(reply(row.type, row.rdata), 7, kName, row.type, truncated);
    ASSERT_TRUE(answer.has_value()) << row.type.text() << ": " << describe(answer.error());
    EXPECT_FALSE(truncated);
    EXPECT_TRUE(answer->authoritative);
    ASSERT_EQ(answer->sets.size(), 1U) << row.type.text();
    EXPECT_EQ(answer->sets[0].contents, (std::vector<std::string>{row.content})) << row.type.text();
  }
}

TEST(DnsQuery, RefusesMessagesThatAreMalformedOrNotTheAnswer) {
  const std::string good = reply(rrtype::A, std::string(4, '\1'));
  std::string loop = good;
  loop[kName.wire().size() + 12 + 4 + 1] = static_cast<char>(kName.wire().size() + 12 + 4);  // a pointer to itself
  struct Row {
    const char* why;
    std::string message;
  };
  std::vector<Row> rows = {{"empty", ""},
                           {"another id", two(8) + good.substr(2)},
                           {"a question, not a reply", two(7) + two(0) + good.substr(4)},
                           {"a name that points to itself", loop},
                           {"address of five octets in a record of type A is no address", reply(rrtype::MX, "\x01")},
                           {"text longer than its record", reply(rrtype::TXT,
                                                                 "\x05"
                                                                 "ab")}};
  for (std::size_t length = 1; length < good.size(); ++length) rows.push_back({"cut off", good.substr(0, length)});
  for (const Row& row : rows) {
    bool truncated = false;
    EXPECT_FALSE(readMessage(row.message, 7, kName, rrtype::A, truncated).has_value()) << row.why;
  }
  bool truncated = false;
  EXPECT_FALSE(readMessage(good, 7, DnsName::parse("b.example").value(), rrtype::A, truncated).has_value());
  EXPECT_FALSE(readMessage(good, 7, kName, rrtype::TXT, truncated).has_value());
  EXPECT_TRUE(readMessage(good, 7, kName, rrtype::A, truncated).has_value());
}

TEST(DnsQuery, SaysWhenTheReplyWasCut) {
  bool truncated = false;
  EXPECT_TRUE(readMessage(reply(rrtype::A, std::string(4, '\1'), 0x8600), 7, kName, rrtype::A, truncated).has_value());
  EXPECT_TRUE(truncated);
}

TEST(DnsQuery, AsksARealSocket) {
  FakeResolver zone;
  zone.txtRecords[kName] = {"one", std::string(300, 'x')};
  zone.servfail.insert(FakeResolver::name("broken.example"));
  testing::DnsServer server(zone, {FakeResolver::name("silent.example")});
  const auto at = readServer(server.address());
  ASSERT_TRUE(at.has_value());
  const auto answer = askServer(*at, kName, rrtype::TXT, std::chrono::milliseconds(5000));
  ASSERT_TRUE(answer.has_value()) << describe(answer.error());
  EXPECT_EQ(answer->rcode, "NOERROR");
  EXPECT_EQ(answer->sets.at(0).contents.size(), 2U);
  EXPECT_EQ(askServer(*at, FakeResolver::name("none.example"), rrtype::TXT, std::chrono::milliseconds(5000))->rcode,
            "NXDOMAIN");
  EXPECT_EQ(askServer(*at, FakeResolver::name("broken.example"), rrtype::TXT, std::chrono::milliseconds(5000))->rcode,
            "SERVFAIL");
  const auto silent = askServer(*at, FakeResolver::name("silent.example"), rrtype::TXT, std::chrono::milliseconds(50));
  ASSERT_FALSE(silent.has_value());
  EXPECT_EQ(silent.error().code, Errc::unavailable);
}

TEST(DnsQuery, ReadsAServersAddress) {
  EXPECT_EQ(readServer("192.0.2.1").value().port, 53);
  EXPECT_EQ(readServer("2001:db8::1@5353").value().port, 5353);
  for (const char* bad : {"", "dns.example", "192.0.2.1@", "192.0.2.1@0", "192.0.2.1@65536", "192.0.2.1:53"}) {
    EXPECT_FALSE(readServer(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace mailzone::cli
