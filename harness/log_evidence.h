// What the daemons' own logs of this run say about one mail: the verdict must not be the only witness.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mailzone::harness {

/// "250 2.0.0 Ok: queued as 4ABC12" -> "4ABC12"; "" when there is none.
[[nodiscard]] std::string queueIdOfReply(std::string_view reply);

/// Postfix's log holds a delivery of this queue id ("postfix/smtp[12]: 4ABC12: to=<...").
[[nodiscard]] bool postfixDelivered(std::string_view log, std::string_view queueId);

struct SignedBy {
  std::string domain, selector;
  friend bool operator==(const SignedBy&, const SignedBy&) = default;
};
/// "4ABC12: DKIM-Signature field added (s=mz1, d=t1.shop.example)", in the order of the log.
[[nodiscard]] std::vector<SignedBy> opendkimSigned(std::string_view log, std::string_view queueId);

}  // namespace mailzone::harness
