// check_host() of RFC 7208. Pure but for the Resolver passed in.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/dns_name.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "mailauth/spf_record.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {

struct SpfRequest {
  IpAddress client = IpAddress::v4(0);
  std::string helo;                  ///< the argument of EHLO or HELO, as given
  std::string mailFrom;              ///< without the angle brackets; "" is the null sender: postmaster@HELO is checked
  std::string receiver = "unknown";  ///< our own name, macro "r" of explanations
};

/// The limits of RFC 7208 section 4.6.4 and of ours. The defaults are the RFC's.
struct SpfLimits {
  unsigned lookups = kSpfLookupLimit;
  unsigned voidLookups = 2;
  unsigned mxHosts = 10;          ///< address look-ups under one mx term
  unsigned ptrNames = 10;         ///< further names are ignored
  const Clock* clock = nullptr;   ///< when given, `time` bounds the evaluation
  std::chrono::seconds time{20};  ///< over it: temperror
};

struct SpfResult {
  /// none, neutral, pass, fail, softfail, temperror or permerror (section 2.6).
  Verdict verdict = Verdict::none;
  std::optional<DnsName> domain;  ///< the domain that was checked; absent when what was given is no domain name
  bool helo = false;              ///< the MAIL FROM was null and HELO was checked in its place
  std::string mechanism;          ///< the directive of the domain's own record that decided, as printed ("-all"), or ""
  std::string reason;             ///< for a person, never empty
  std::string explanation;        ///< the sender's own text (exp=) when the verdict is fail, printable ASCII; or ""
  unsigned lookups = 0;
  unsigned voidLookups = 0;
};

/// Asks at most 1 + 10 record look-ups with 10 address look-ups each. Thread-safe as far as the resolver is.
[[nodiscard]] SpfResult checkSpf(const SpfRequest& request, Resolver& resolver, const SpfLimits& limits = {});

}  // namespace mailzone::mailauth
