// The SOA of a zone.
#include <fmt/format.h>

#include "zonegen/names.h"
#include "zonegen/record_set.h"

namespace mailzone::zonegen {

Result<std::vector<ZoneRRset>> recordsForZone(const Zone& zone) {
  if (auto ok = requireHostName(zone.primaryServer, "zone.primary_server"); !ok) return pass(ok);
  if (zone.hostmaster.labelCount() < 2) {
    return fail(
        Errc::invalidInput, zone.hostmaster.textNoDot(),
        "zone.hostmaster is a mail address written as a name, such as hostmaster.shop.example (RFC 1035 section "
        "8)",
        "correct the name");
  }
  const struct {
    const char* column;
    std::uint32_t value;
  } intervals[] = {
      {"refresh", zone.refresh}, {"retry", zone.retry}, {"expire", zone.expire}, {"minimum", zone.minimum}};
  for (const auto& [column, value] : intervals) {
    if (value > 0x7fffffffU) {
      return fail(Errc::invalidInput, std::to_string(value),
                  fmt::format("zone.{} is 0 to 2147483647 seconds (RFC 1035 section 3.3.13)", column),
                  "correct the column");
    }
  }
  const std::vector<Zone> self = {zone};
  RecordSet records(self);
  records.addIn(zone, zone.name, rrtype::SOA,
                fmt::format("{} {} {} {} {} {} {}", zone.primaryServer.text(), zone.hostmaster.text(), zone.serial,
                            zone.refresh, zone.retry, zone.expire, zone.minimum));
  return records.sorted();
}

}  // namespace mailzone::zonegen
