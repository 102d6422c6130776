// Gathers what a judge may know about one mail: the connection's side from the caller, the rest by mailauth/ and a
// Resolver.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "harness/judge.h"

namespace mailzone::harness {

struct Connection {
  IpAddress client = IpAddress::v4(0);
  std::string helo;
  std::string mailFrom;  ///< "" for the null sender
  std::vector<std::string> recipients;
  std::string tlsVersion;  ///< "" without TLS
};

/// Asks the resolver; takes as long as its deadlines allow. Never fails: what cannot be told is temperror in the facts.
[[nodiscard]] Facts gatherFacts(const Connection& connection, std::string_view message, Resolver& resolver,
                                const Clock& clock);

/// Rules of RFC 5322 and of Gmail's guidelines that the header section breaks: exactly one From with one address,
/// Message-ID present and well formed, single-instance fields once (RFC 5322 section 3.6), no line without a field
/// name.
[[nodiscard]] std::vector<FormFinding> formFindings(std::string_view message);

}  // namespace mailzone::harness
