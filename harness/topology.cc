#include "harness/topology.h"

#include <array>

namespace mailzone::harness {
namespace {

constexpr std::array<Host, 10> kHosts{{
    {"mta", "192.0.2.25", "mx1.shop.example"},
    {"platform-dns", "192.0.2.53", "ns1.shop.example"},
    {"resolver", "192.0.2.54", ""},
    {"app", "192.0.2.80", "app.shop.example"},
    {"relay", "198.51.100.25", "mail.relay.example"},
    {"customer-dns", "198.51.100.53", "ns1.nic.example"},
    {"rented-with-ptr", "198.51.100.81", "mx2.shop.example"},
    {"rented-without-ptr", "198.51.100.82", "mx3.shop.example"},
    {"receiver", "203.0.113.25", "mx.receiver.example"},
    {"attacker", "203.0.113.66", ""},
}};

constexpr std::array<Door, 8> kDoors{{
    {"mx", 25, false},
    {"submission", 587, true},
    {"marketing", 588, true},
    {"webapp", 10025, false},
    {"webapp-rented-with-ptr", 10081, false},
    {"webapp-rented-without-ptr", 10082, false},
    {"submission-unchecked", 5872, true},
    {"submission-naive", 5873, true},
}};

}  // namespace

std::span<const Host> hosts() noexcept {
  return kHosts;
}

Result<Host> hostOf(std::string_view role) {
  std::string known;
  for (const Host& host : kHosts) {
    if (host.role == role) return host;
    known += (known.empty() ? "" : ", ") + std::string(host.role);
  }
  return fail(Errc::notFound, role, "is no role of the demo's network", "there are: " + known);
}

Result<IpAddress> addressOf(std::string_view role) {
  const auto host = hostOf(role);
  if (!host) return pass(host);
  return IpAddress::parse(host->address);
}

std::string addressText(std::string_view role) {
  const auto host = hostOf(role);
  return host ? std::string(host->address) : std::string();
}

Result<Door> doorOf(std::string_view name) {
  std::string known;
  for (const Door& door : kDoors) {
    if (door.name == name) return door;
    known += (known.empty() ? "" : ", ") + std::string(door.name);
  }
  return fail(Errc::notFound, name, "is no door of the platform's MTA", "there are: " + known);
}

std::uint16_t doorPort(std::string_view name) {
  const auto door = doorOf(name);
  return door ? door->port : 0;
}

}  // namespace mailzone::harness
