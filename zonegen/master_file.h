// Master files (RFC 1035 section 5): a zone comes in by one and goes out as one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone::zonegen {

struct MasterFileLimits {
  std::size_t octets = std::size_t{64} << 20;
  std::size_t records = 500'000;
};

struct StartOfAuthority {
  DnsName primaryServer;
  DnsName hostmaster;
  std::uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
  Ttl ttl;
  friend bool operator==(const StartOfAuthority&, const StartOfAuthority&) = default;
};

struct MasterFile {
  std::optional<StartOfAuthority> soa;
  std::vector<StaticRecord> records;  ///< in the file's order, without repetitions; `zone` as given, no id
};

/// Reads the file of the zone `origin`. $ORIGIN, $TTL (RFC 2308 section 4), "@", relative names, comments, parentheses,
/// quoted strings, TTLs with units (1h30m); class IN; types A AAAA CAA CNAME MX NS PTR SRV TXT, and the SOA apart.
/// The first error ends the reading and says at which line and column.
[[nodiscard]] Result<MasterFile> readMasterFile(std::string_view text, const DnsName& origin, ZoneId zone,
                                                const MasterFileLimits& limits = {});

/// One record a line, names absolute: the SOA, then owners in canonical order, types by number, the same bytes
/// whatever the order of `rrsets`. What readMasterFile() reads again, as do BIND and NSD.
[[nodiscard]] std::string writeMasterFile(const DnsName& origin, const std::vector<RRset>& rrsets);

}  // namespace mailzone::zonegen
