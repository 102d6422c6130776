// What this project asks the DNS. Implemented by system/ over libunbound and by fakes over maps of records.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dns_name.h"
#include "core/ip_address.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone {

struct MailExchanger {
  std::uint16_t preference = 0;
  DnsName host;
  friend bool operator==(const MailExchanger&, const MailExchanger&) = default;
};

/// A definite answer. "Cannot tell" (SERVFAIL, time-out, bogus) is never an Answer: it is an Error of Errc::temporary.
template <class T>
struct Answer {
  std::vector<T> records;  ///< empty: the name has none of this type
  bool nameExists = true;  ///< false: NXDOMAIN (RFC 8020: nothing below it either)
  bool secure = false;     ///< validated by DNSSEC
  Ttl ttl;                 ///< of the answer, or the negative TTL
  DnsName canonicalName;   ///< the end of the CNAME chain, or the name asked
};

/// Blocking; every implementation is thread-safe and has a deadline of its own. CNAMEs are followed.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Each record's character-strings joined without blanks.
  [[nodiscard]] virtual Result<Answer<std::string>> txt(const DnsName& name) = 0;
  [[nodiscard]] virtual Result<Answer<IpAddress>> a(const DnsName& name) = 0;
  [[nodiscard]] virtual Result<Answer<IpAddress>> aaaa(const DnsName& name) = 0;
  [[nodiscard]] virtual Result<Answer<MailExchanger>> mx(const DnsName& name) = 0;
  [[nodiscard]] virtual Result<Answer<DnsName>> ptr(const DnsName& reverseName) = 0;
  [[nodiscard]] virtual Result<Answer<DnsName>> ns(const DnsName& name) = 0;
  /// The CNAME record at the name itself, not followed.
  [[nodiscard]] virtual Result<Answer<DnsName>> cname(const DnsName& name) = 0;
};

}  // namespace mailzone
