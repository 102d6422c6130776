// A DNS client as bare as can be: what a server says, in presentation form, nothing followed and nothing cached.
// EDNS over UDP, again over TCP when the answer was cut. Written for tests: it shares no code with what it judges but
// the value types of core/.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/dns_name.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone::test {

struct DnsServer {
  std::string address = "127.0.0.1";
  std::uint16_t port = 53;
};

struct DnsQuestion {
  DnsName name;
  RecordType type{0};
  bool tcp = false;               ///< no UDP first
  bool recursionDesired = false;  ///< for a resolver
  bool dnssecOk = false;
  bool mixedCase = false;  ///< asks wItH sUcH letters (0x20); the reply must echo them
  std::chrono::milliseconds timeout{2000};
};

struct DnsRecord {
  DnsName owner;
  RecordType type{0};
  std::uint32_t ttl = 0;
  std::string content;  ///< A AAAA CAA CNAME MX NS PTR SOA SRV TXT as PowerDNS writes them, others by RFC 3597
  friend auto operator<=>(const DnsRecord&, const DnsRecord&) = default;
};

struct DnsReply {
  int rcode = 0;  ///< 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
  bool authoritative = false, recursionAvailable = false, authenticData = false;
  bool usedTcp = false;
  std::vector<DnsRecord> answer, authority, additional;  ///< as they came, without OPT

  /// The contents of the answer's records of that type, sorted.
  [[nodiscard]] std::vector<std::string> contents(RecordType type) const;
};

/// Errors: no answer in time (temporary), a connection refused (unavailable), a reply that is malformed or answers
/// another question (corrupt).
[[nodiscard]] Result<DnsReply> query(const DnsServer& server, const DnsQuestion& question);
/// "shop.example", "TXT". Throws std::invalid_argument for a name or type that is none.
[[nodiscard]] Result<DnsReply> query(const DnsServer& server, std::string_view name, std::string_view type);

/// A port of 127.0.0.1 on which nobody listens, neither UDP nor TCP; the kernel chose it. It may be taken by the time
/// that it is used: start the daemon again with another one then.
[[nodiscard]] std::uint16_t freePort();

}  // namespace mailzone::test
