// One contract for the fake and the real resolver: the same zone, the same questions, the same answers.
#include "system/resolver.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/support/dns_server.h"
#include "tests/support/fake_resolver.h"

namespace mailzone {
namespace {

using testing::DnsServer;
using testing::FakeResolver;

DnsName name(std::string_view text) {
  return FakeResolver::name(text);
}

FakeResolver zone() {
  FakeResolver dns;
  dns.txtRecords[name("b.example")] = {"v=spf1 -all", "another"};
  dns.txtRecords[name("mz1._domainkey.b.example")] = {"v=DKIM1; k=rsa; p=" + std::string(392, 'A')};
  dns.txtRecords[name("octets.example")] = {std::string("\x01\xff\"\\", 4)};
  dns.aRecords[name("b.example")] = {FakeResolver::ip("192.0.2.1"), FakeResolver::ip("192.0.2.2")};
  dns.aaaaRecords[name("b.example")] = {FakeResolver::ip("2001:db8::1")};
  dns.mxRecords[name("b.example")] = {{10, name("mx.b.example")}, {20, name("mx2.b.example")}};
  dns.mxRecords[name("null.example")] = {{0, DnsName()}};
  dns.nsRecords[name("b.example")] = {name("ns.b.example")};
  dns.ptrRecords[FakeResolver::ip("192.0.2.1").reverseName()] = {name("b.example")};
  dns.ptrRecords[FakeResolver::ip("10.0.0.1").reverseName()] = {name("ten.example")};
  dns.ptrRecords[FakeResolver::ip("2001:db8::1").reverseName()] = {name("b.example")};
  dns.cnameRecords[name("alias.example")] = name("other.example");
  dns.cnameRecords[name("other.example")] = name("b.example");
  dns.cnameRecords[name("dangling.example")] = name("gone.example");
  dns.txtRecords[name("odd\\.label.example")] = {"a dot in a label"};
  dns.servfail.insert(name("servfail.example"));
  return dns;
}

template <class T>
std::string told(const Result<Answer<T>>& answer, std::string (*print)(const T&)) {
  if (!answer) return std::string(errcName(answer.error().code));
  std::vector<std::string> records;
  for (const auto& record : answer->records) records.push_back(print(record));
  std::sort(records.begin(), records.end());
  std::string out = answer->nameExists ? "exists" : "nxdomain";
  for (const auto& record : records) out += " [" + record + ']';
  return out + " at " + answer->canonicalName.text();
}
std::string print(const std::string& text) {
  return escapeForDisplay(text, 1000);
}
std::string print(const IpAddress& address) {
  return address.text();
}
std::string print(const DnsName& target) {
  return target.text();
}
std::string print(const MailExchanger& exchanger) {
  return std::to_string(exchanger.preference) + ' ' + exchanger.host.text();
}

std::string all(Resolver& dns, const DnsName& at) {
  return "TXT " + told<std::string>(dns.txt(at), print) + "\nA " + told<IpAddress>(dns.a(at), print) + "\nAAAA " +
         told<IpAddress>(dns.aaaa(at), print) + "\nMX " + told<MailExchanger>(dns.mx(at), print) + "\nPTR " +
         told<DnsName>(dns.ptr(at), print) + "\nNS " + told<DnsName>(dns.ns(at), print) + "\nCNAME " +
         told<DnsName>(dns.cname(at), print);
}

ResolverOptions asking(const DnsServer& server) {
  ResolverOptions options;
  options.servers = {server.address()};
  return options;
}

TEST(Resolver, AnswersLikeTheFake) {
  FakeResolver fake = zone();
  const DnsServer server(zone());
  auto real = openResolver(asking(server));
  ASSERT_TRUE(real) << describe(real.error());
  for (const auto* text :
       {"b.example", "B.Example", "mz1._domainkey.b.example", "_domainkey.b.example", "gone.example",
        "below.gone.example", "octets.example", "null.example", "alias.example", "dangling.example", "servfail.example",
        "odd\\.label.example", "1.2.0.192.in-addr.arpa", "2.2.0.192.in-addr.arpa", "1.0.0.10.in-addr.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}) {
    EXPECT_EQ(all(**real, name(text)), all(fake, name(text))) << text;
  }
}

TEST(Resolver, KnowsTheTtlAndThatNothingIsSecureWithoutAnAnchor) {
  const DnsServer server(zone());
  auto real = openResolver(asking(server)).value();
  const auto found = real->txt(name("b.example"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ttl.seconds(), 300U);
  EXPECT_FALSE(found->secure);
  EXPECT_EQ(real->txt(name("gone.example"))->ttl.seconds(), 60U);
}

TEST(Resolver, CachesAnswers) {
  const DnsServer server(zone());
  auto real = openResolver(asking(server)).value();
  ASSERT_TRUE(real->txt(name("b.example")));
  const int questions = server.questions();
  ASSERT_TRUE(real->txt(name("b.example")));
  EXPECT_EQ(server.questions(), questions);
}

TEST(Resolver, SilenceIsCannotTellAndEndsInTime) {
  const DnsServer server(zone(), {name("silent.example")});
  auto options = asking(server);
  options.timeout = std::chrono::milliseconds(300);
  auto real = openResolver(options).value();
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = real->txt(name("silent.example"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::temporary);
  EXPECT_TRUE(real->txt(name("b.example"))) << "one silent name does not stop the others";
}

TEST(Resolver, NobodyListeningIsCannotTell) {
  std::string address;
  {
    const DnsServer gone(zone());
    address = gone.address();
  }
  ResolverOptions options;
  options.servers = {address};
  options.timeout = std::chrono::milliseconds(1000);
  EXPECT_EQ(openResolver(options).value()->txt(name("b.example")).error().code, Errc::temporary);
}

TEST(Resolver, BogusIsCannotTell) {
  std::string path = ::testing::TempDir() + "mailzone-anchor-XXXXXX";
  const int file = mkstemp(path.data());
  ASSERT_GE(file, 0);
  close(file);
  std::ofstream(path) << "b.example. IN DS 12345 13 2 " << std::string(64, 'a') << "\n";
  const DnsServer server(zone());
  auto options = asking(server);
  options.trustAnchorFile = path;
  auto real = openResolver(options);
  ASSERT_TRUE(real) << describe(real.error());
  const auto answer = (*real)->txt(name("b.example"));
  ASSERT_FALSE(answer) << "the zone must be signed and is not";
  EXPECT_EQ(answer.error().code, Errc::temporary);
  EXPECT_TRUE((*real)->txt(name("octets.example"))) << "no anchor covers this one";
  unlink(path.c_str());
}

TEST(Resolver, ManyThreadsAskAtOnce) {
  const DnsServer server(zone());
  auto real = openResolver(asking(server)).value();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&real, &good, i] {
      for (int k = 0; k < 20; ++k) {
        const auto none = real->a(name("host" + std::to_string(i * 100 + k) + ".example"));
        const auto some = real->txt(name("alias.example"));
        if (none && !none->nameExists && some && some->records.size() == 2) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 160);
}

TEST(Resolver, NamesTheWrongSetting) {
  for (const auto* bad :
       {"", "ns.example", "192.0.2.1@", "192.0.2.1@0", "192.0.2.1@65536", "192.0.2.1:53", "192.0.2.1@53x"}) {
    ResolverOptions options;
    options.servers = {bad};
    const auto resolver = openResolver(options);
    ASSERT_FALSE(resolver) << bad;
    EXPECT_EQ(resolver.error().code, Errc::settings) << bad;
  }
  ResolverOptions options;
  options.servers = {"192.0.2.1"};
  options.trustAnchorFile = "/nonexistent/anchors";
  EXPECT_EQ(openResolver(options).error().code, Errc::settings);
  options.trustAnchorFile = MAILZONE_SOURCE_DIR "/CMakeLists.txt";
  EXPECT_EQ(openResolver(options).error().code, Errc::settings) << "a file that holds no trust anchors";
  options.trustAnchorFile.clear();
  options.timeout = std::chrono::milliseconds(0);
  EXPECT_EQ(openResolver(options).error().code, Errc::settings);
}

}  // namespace
}  // namespace mailzone
