// The Resolver over libunbound: the one way this project asks the DNS. Never /etc/hosts.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/resolver.h"
#include "core/result.h"

namespace mailzone {

/// The fields of Settings::Resolver.
struct ResolverOptions {
  std::vector<std::string> servers;  ///< ADDRESS or ADDRESS@PORT, asked as forwarders; empty: those of /etc/resolv.conf
  std::string trustAnchorFile;  ///< DS or DNSKEY records for DNSSEC; "": nothing is validated, Answer::secure is false
  std::chrono::milliseconds timeout{5000};  ///< for one question, CNAMEs included
};

/// Thread-safe; answers are cached as their TTLs say. SERVFAIL and other rcodes, time-outs and bogus answers are
/// Errc::temporary; NXDOMAIN and NODATA are Answers. Errc::settings when an option is wrong.
[[nodiscard]] Result<std::unique_ptr<Resolver>> openResolver(const ResolverOptions& options);

}  // namespace mailzone
