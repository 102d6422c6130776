// "iprev" of RFC 8601 section 3: the client's address leads to a name that leads back to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dns_name.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {

/// PTR names whose addresses are looked up; further ones are ignored.
inline constexpr std::size_t kIprevNames = 10;

struct IprevResult {
  /// pass; fail (names, but none leads back); permerror (no PTR record); temperror (cannot tell, and no name passed).
  Verdict verdict = Verdict::permerror;
  std::optional<DnsName> name;  ///< the first that leads back
  std::vector<DnsName> names;   ///< all that PTR says, at most kIprevNames
  std::string reason;           ///< for a person, never empty
};

[[nodiscard]] IprevResult checkIprev(const IpAddress& client, Resolver& resolver);

}  // namespace mailzone::mailauth
