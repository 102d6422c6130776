// Who is who in the demo's network. Scenario files name the roles; only this file knows addresses.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/result.h"

namespace mailzone::harness {

struct Host {
  std::string_view role;
  std::string_view address;
  std::string_view name;  ///< "" when nothing points at it
};

/// 192.0.2.0/24 is the platform's, 198.51.100.0/24 other people's services, 203.0.113.0/24 the receivers' side
/// (RFC 5737).
[[nodiscard]] std::span<const Host> hosts() noexcept;
/// Errc::notFound lists the roles.
[[nodiscard]] Result<Host> hostOf(std::string_view role);
[[nodiscard]] Result<IpAddress> addressOf(std::string_view role);
/// For roles that stand in this program's text.
[[nodiscard]] std::string addressText(std::string_view role);

inline constexpr std::string_view kPlatform = "shop.example";
inline constexpr std::string_view kMailHost = "mx1.shop.example";

/// Doors of the platform's MTA by the name that scenario files use.
struct Door {
  std::string_view name;
  std::uint16_t port;
  bool login;  ///< a client authenticates there, after STARTTLS
};
[[nodiscard]] Result<Door> doorOf(std::string_view name);
[[nodiscard]] std::uint16_t doorPort(std::string_view name);

/// Milters of the demo: the shipped signer and its two crippled twins.
inline constexpr std::uint16_t kSignerPort = 8891;
inline constexpr std::uint16_t kUncheckedSignerPort = 8892;  ///< without the From check
inline constexpr std::uint16_t kNaiveSignerPort = 8893;      ///< chooses the key by From

}  // namespace mailzone::harness
