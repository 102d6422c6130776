#include "mailauth/iprev.h"

#include <gtest/gtest.h>

#include "tests/support/fake_resolver.h"

namespace mailzone::mailauth {
namespace {

using mailzone::testing::FakeResolver;

const IpAddress kClient = FakeResolver::ip("192.0.2.25");

FakeResolver pointing(int names) {
  FakeResolver dns;
  for (int i = 1; i <= names; ++i) {
    const auto host = FakeResolver::name("mx" + std::to_string(i) + ".shop.example");
    dns.ptrRecords[kClient.reverseName()].push_back(host);
    dns.aRecords[host] = {FakeResolver::ip("192.0.2.99")};
  }
  return dns;
}

TEST(Iprev, PassesWhenOneOfTheNamesLeadsBack) {
  auto dns = pointing(2);
  dns.aRecords[FakeResolver::name("mx2.shop.example")] = {FakeResolver::ip("192.0.2.98"), kClient};
  const auto result = checkIprev(kClient, dns);
  EXPECT_EQ(result.verdict, Verdict::pass) << result.reason;
  EXPECT_EQ(result.name->text(), "mx2.shop.example.");
}

TEST(Iprev, FailsWhenNoNameLeadsBack) {
  auto dns = pointing(1);
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::fail);
}

TEST(Iprev, WithoutPointerIsPermerror) {
  FakeResolver dns;
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::permerror);
}

TEST(Iprev, CannotTellIsTemperror) {
  auto dns = pointing(2);
  dns.servfail.insert(FakeResolver::name("mx1.shop.example"));
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::temperror);
  dns.aRecords[FakeResolver::name("mx2.shop.example")] = {kClient};
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::pass) << "one that leads back is enough";
  dns.servfail.insert(kClient.reverseName());
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::temperror);
}

TEST(Iprev, TheEleventhNameIsNotLookedUp) {
  auto dns = pointing(11);
  dns.aRecords[FakeResolver::name("mx11.shop.example")] = {kClient};
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::fail);
  EXPECT_EQ(dns.asked.size(), 11U);
  dns.aRecords[FakeResolver::name("mx10.shop.example")] = {kClient};
  EXPECT_EQ(checkIprev(kClient, dns).verdict, Verdict::pass);
}

TEST(Iprev, AsksTheFamilyOfTheConnection) {
  FakeResolver dns;
  const auto client = FakeResolver::ip("2001:db8::25");
  const auto host = FakeResolver::name("mx.shop.example");
  dns.ptrRecords[client.reverseName()] = {host};
  dns.aaaaRecords[host] = {client};
  EXPECT_EQ(checkIprev(client, dns).verdict, Verdict::pass);
  dns.ptrRecords[kClient.reverseName()] = {host};
  dns.aRecords[host] = {kClient};
  EXPECT_EQ(checkIprev(FakeResolver::ip("::ffff:192.0.2.25"), dns).verdict, Verdict::pass) << "IPv4-mapped";
}

}  // namespace
}  // namespace mailzone::mailauth
