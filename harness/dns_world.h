// The DNS that is not the platform's: one NSD that is the root, the top-level domain, the customers' and the strangers'
// zones, and one unbound that resolves from that root and validates.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

/// No answer stays in the resolver's cache for longer.
inline constexpr std::chrono::seconds kResolverMaxTtl{2};

/// A record that a customer sets at his own DNS: owner (absolute), type, content as a master file wants it.
struct CustomerRecord {
  std::string owner, type, content;
};

/// What can be made wrong about the world by `--break` (nothing by default).
struct WorldFaults {
  bool platformReverseZoneLost = false;  ///< the delegation of the platform's reverse zone is gone
  bool customerWithoutDmarc = false;     ///< custom.example sets no _dmarc record
};

[[nodiscard]] Result<void> startCustomerDns(Stage& stage, const WorldFaults& faults = {});
[[nodiscard]] Result<void> startResolver(Stage& stage);
/// Rewrites the zones and has NSD read them again.
[[nodiscard]] Result<void> publishAtCustomers(Stage& stage, const std::vector<CustomerRecord>& records,
                                              const WorldFaults& faults = {});

/// Zone name -> master file. No I/O.
[[nodiscard]] std::map<std::string, std::string> worldZones(const std::vector<CustomerRecord>& records,
                                                            const WorldFaults& faults);

}  // namespace mailzone::harness
