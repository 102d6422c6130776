#include "core/ip_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mailzone {
namespace {

bool samePrefix(const IpAddress& a, const IpAddress& b, unsigned bits) noexcept {
  for (unsigned i = 0; i < bits; ++i) {
    const unsigned shift = 7 - i % 8;
    if (((a.octets()[i / 8] ^ b.octets()[i / 8]) >> shift & 1U) != 0) return false;
  }
  return true;
}

// RFC 6890 and its registries, as far as mail could meet them.
constexpr std::array<std::string_view, 24> kSpecialPurpose = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/128",         "::1/128",        "::ffff:0:0/96",
    "64:ff9b:1::/48", "100::/64",     "2001:db8::/32",  "fc00::/7",       "fe80::/10",      "ff00::/8"};

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text.substr(0, 64));
  std::array<std::uint8_t, 16> octets{};
  IpAddress out;
  if (copy.size() == text.size() && copy.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, copy.c_str(), octets.data()) == 1) {
      out.octets_ = octets;
      return out;
    }
    if (inet_pton(AF_INET6, copy.c_str(), octets.data()) == 1) return v6(octets);
  }
  return fail(Errc::invalidInput, text, "not an IPv4 or IPv6 address", "write 192.0.2.1 or 2001:db8::1");
}

IpAddress IpAddress::v4(std::uint32_t hostOrder) noexcept {
  IpAddress out;
  for (unsigned i = 0; i < 4; ++i) out.octets_[i] = static_cast<std::uint8_t>(hostOrder >> (24 - 8 * i) & 0xffU);
  return out;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& octets) noexcept {
  IpAddress out;
  out.v4_ = false;
  out.octets_ = octets;
  return out;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), buffer.data(), buffer.size());
  return buffer.data();
}

DnsName IpAddress::reverseName() const {
  std::string text;
  if (v4_) {
    text = fmt::format("{}.{}.{}.{}.in-addr.arpa", octets_[3], octets_[2], octets_[1], octets_[0]);
  } else {
    for (auto it = octets_.rbegin(); it != octets_.rend(); ++it)
      text += fmt::format("{:x}.{:x}.", *it & 15U, *it >> 4U);
    text += "ip6.arpa";
  }
  return *DnsName::parse(text);
}

IpAddress IpAddress::unmapped() const noexcept {
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (v4_ || !std::equal(kMapped.begin(), kMapped.end(), octets_.begin())) return *this;
  IpAddress out;
  std::copy(octets_.begin() + 12, octets_.end(), out.octets_.begin());
  return out;
}

bool IpAddress::isSpecialPurpose() const noexcept {
  return std::any_of(kSpecialPurpose.begin(), kSpecialPurpose.end(), [this](std::string_view text) {
    const auto network = IpNetwork::parse(text);
    return network && network->contains(*this);
  });
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return pass(address);
  unsigned length = address->bits();
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return fail(Errc::invalidInput, text, "the prefix length is not a number", "write 192.0.2.0/24");
    }
  }
  return of(*address, length);
}

Result<IpNetwork> IpNetwork::of(const IpAddress& address, unsigned prefixLength) {
  if (prefixLength > address.bits()) {
    return fail(Errc::invalidInput, fmt::format("{}/{}", address.text(), prefixLength),
                fmt::format("the prefix length is at most {}", address.bits()));
  }
  auto octets = address.octets();
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned keep = prefixLength > i * 8 ? std::min(8U, prefixLength - i * 8) : 0;
    octets[i] = static_cast<std::uint8_t>(octets[i] & (0xff00U >> keep) & 0xffU);
  }
  IpNetwork out;
  out.prefixLength_ = prefixLength;
  if (address.isV4()) {
    out.address_ =
        IpAddress::v4(static_cast<std::uint32_t>(octets[0]) << 24U | static_cast<std::uint32_t>(octets[1]) << 16U |
                      static_cast<std::uint32_t>(octets[2]) << 8U | octets[3]);
  } else {
    out.address_ = IpAddress::v6(octets);
  }
  return out;
}

bool IpNetwork::contains(const IpAddress& address) const noexcept {
  return address.isV4() == address_.isV4() && samePrefix(address_, address, prefixLength_);
}

std::string IpNetwork::text() const {
  return fmt::format("{}/{}", address_.text(), prefixLength_);
}

}  // namespace mailzone
