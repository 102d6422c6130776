// One question to one DNS server, as dig would ask it: no recursion, no cache, no search list.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone::cli {

struct ServerAddress {
  IpAddress address = IpAddress::v4(0);
  std::uint16_t port = 53;
};
/// ADDRESS or ADDRESS@PORT
[[nodiscard]] Result<ServerAddress> readServer(std::string_view text);

struct ServerAnswer {
  std::string rcode;  ///< NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ... or RCODEn
  bool authoritative = false;
  std::vector<RRset> sets;  ///< the answer section
};
/// UDP, then TCP when the answer was truncated. Errc::unavailable: no answer within `timeout`.
[[nodiscard]] Result<ServerAnswer> askServer(const ServerAddress& server, const DnsName& name, RecordType type,
                                             std::chrono::milliseconds timeout);

/// What askServer() reads: a whole message. For tests and fuzzing.
[[nodiscard]] Result<ServerAnswer> readMessage(std::string_view message, std::uint16_t id, const DnsName& name,
                                               RecordType type, bool& truncated);

}  // namespace mailzone::cli
