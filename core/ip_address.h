// IPv4 and IPv6 addresses and networks as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone {

/// One IPv4 or IPv6 address. IPv4-mapped IPv6 text ("::ffff:192.0.2.1") stays IPv6; see unmapped().
class IpAddress {
 public:
  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);
  [[nodiscard]] static IpAddress v4(std::uint32_t hostOrder) noexcept;
  [[nodiscard]] static IpAddress v6(const std::array<std::uint8_t, 16>& octets) noexcept;

  [[nodiscard]] bool isV4() const noexcept { return v4_; }
  [[nodiscard]] unsigned bits() const noexcept { return v4_ ? 32 : 128; }
  /// Network order; an IPv4 address stands in the first four octets.
  [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const noexcept { return octets_; }
  /// RFC 5952 text for IPv6.
  [[nodiscard]] std::string text() const;
  /// d.c.b.a.in-addr.arpa. or 32 nibbles under ip6.arpa. (RFC 1035 section 3.5, RFC 3596 section 2.5)
  [[nodiscard]] DnsName reverseName() const;
  /// The IPv4 address within ::ffff:0:0/96, or itself.
  [[nodiscard]] IpAddress unmapped() const noexcept;
  /// Loopback, private, link-local, multicast, documentation and other addresses that no public host has.
  [[nodiscard]] bool isSpecialPurpose() const noexcept;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> octets_{};
};

/// An address with a prefix length; host bits are cleared.
class IpNetwork {
 public:
  /// "192.0.2.0/24", "2001:db8::/32", or an address alone.
  [[nodiscard]] static Result<IpNetwork> parse(std::string_view text);
  [[nodiscard]] static Result<IpNetwork> of(const IpAddress& address, unsigned prefixLength);
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] const IpAddress& address() const noexcept { return address_; }
  [[nodiscard]] unsigned prefixLength() const noexcept { return prefixLength_; }
  [[nodiscard]] std::string text() const;  ///< always with the prefix length
  friend auto operator<=>(const IpNetwork&, const IpNetwork&) = default;

 private:
  IpAddress address_ = IpAddress::v4(0);
  unsigned prefixLength_ = 32;
};

}  // namespace mailzone
