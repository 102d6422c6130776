// Collects records into RRsets, each in the zone of ours that answers for its owner. Internal to zonegen/.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "zonegen/zonegen.h"

namespace mailzone::zonegen {

/// The zone that a name server asked for `name` answers from: the longest one (as PowerDNS chooses); nullptr if none of
/// `zones` holds it.
[[nodiscard]] const Zone* zoneOf(const std::vector<Zone>& zones, const DnsName& name);

/// Lives no longer than the zones that it was made with.
class RecordSet {
 public:
  explicit RecordSet(const std::vector<Zone>& zones) : zones_(zones) {}

  /// Adds one record with the TTL of its zone. An Error when no zone of ours holds `owner`.
  [[nodiscard]] Result<void> add(const DnsName& owner, RecordType type, const std::string& content);
  /// As add(), in a zone that the caller has chosen (a delegation stands in the parent).
  void addIn(const Zone& zone, const DnsName& owner, RecordType type, const std::string& content);
  [[nodiscard]] bool holds(const DnsName& owner) const { return zoneOf(zones_, owner) != nullptr; }

  /// Everything, sorted by zone, owner, type and content; a record added twice is there once.
  [[nodiscard]] std::vector<ZoneRRset> sorted() const;

 private:
  using Key = std::tuple<ZoneId, std::string, std::uint16_t>;  // the middle: the owner's canonical key
  struct Contents {
    DnsName owner;
    Ttl ttl;
    std::set<std::string> contents;
  };
  const std::vector<Zone>& zones_;
  std::map<Key, Contents> rrsets_;
};

}  // namespace mailzone::zonegen
