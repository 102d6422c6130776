#include "core/ip_address.h"

#include <gtest/gtest.h>

namespace mailzone {
namespace {

TEST(IpAddress, PrintsWhatItReads) {
  EXPECT_EQ(IpAddress::parse("192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(IpAddress::parse("2001:0DB8::0001")->text(), "2001:db8::1");
  for (const auto* bad : {"", "192.0.2", "192.0.2.256", "::g", "192.0.2.1 ", "fe80::1%eth0"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
}

TEST(IpAddress, HasAReverseName) {
  EXPECT_EQ(IpAddress::parse("192.0.2.1")->reverseName().text(), "1.2.0.192.in-addr.arpa.");
  EXPECT_EQ(IpAddress::parse("2001:db8::1")->reverseName().text(),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
}

TEST(IpAddress, UnmapsIpv4) {
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1")->unmapped().text(), "192.0.2.1");
  EXPECT_FALSE(IpAddress::parse("::1")->unmapped().isV4());
}

TEST(IpAddress, KnowsAddressesThatNoPublicHostHas) {
  for (const auto* special : {"127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fe80::1", "fd00::1", "::ffff:8.8.8.8"})
    EXPECT_TRUE(IpAddress::parse(special)->isSpecialPurpose()) << special;
  for (const auto* common : {"8.8.8.8", "2606:4700::1111"})
    EXPECT_FALSE(IpAddress::parse(common)->isSpecialPurpose()) << common;
}

TEST(IpNetwork, ContainsItsAddressesOnly) {
  const auto network = *IpNetwork::parse("192.0.2.77/26");
  EXPECT_EQ(network.text(), "192.0.2.64/26");
  EXPECT_TRUE(network.contains(*IpAddress::parse("192.0.2.127")));
  EXPECT_FALSE(network.contains(*IpAddress::parse("192.0.2.128")));
  EXPECT_FALSE(network.contains(*IpAddress::parse("::1")));
  EXPECT_TRUE(IpNetwork::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
  for (const auto* bad : {"192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/2x"})
    EXPECT_FALSE(IpNetwork::parse(bad)) << bad;
}

}  // namespace
}  // namespace mailzone
