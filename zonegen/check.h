// Consistency of what the zones say together: what no single row shows. For `mailzone db check`. Pure.
#pragma once

#include <vector>

#include "core/model.h"
#include "zonegen/zonegen.h"

namespace mailzone::zonegen {

/// Something wrong at one name. `error` has the value, the rule and the remedy.
struct Finding {
  ZoneId zone{};
  DnsName owner;
  RecordType type{0};
  Error error;
  friend bool operator==(const Finding&, const Finding&) = default;
};

/// Looks at all RRsets of all zones, as standing() leaves them of what the sources say, or as they are served:
/// - an owner outside its zone, or answered from a longer zone of ours, or hidden below a delegation;
/// - a CNAME beside other data, two CNAMEs; RRsets of one owner and type with different TTLs;
/// - more than one SPF, DMARC or DKIM record at a name; a null MX beside another;
/// - a zone without exactly one SOA, or without NS;
/// - the target of an MX, NS, PTR or SRV that is an alias in our zones, or that has no address there.
/// Sorted by zone, owner, type and rule.
[[nodiscard]] std::vector<Finding> check(const std::vector<Zone>& zones, const std::vector<ZoneRRset>& records);

}  // namespace mailzone::zonegen
