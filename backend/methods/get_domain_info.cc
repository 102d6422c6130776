#include "backend/methods/methods.h"

namespace mailzone::backend {

Result<void> getDomainInfo(Call call) {
  auto zone = zoneNamed(call, "name");
  if (!zone) return pass(zone);
  if (*zone) {
    appendDomainInfo(call.out, **zone);
  } else {
    call.out += "false";
  }
  return {};
}

void appendDomainInfo(std::string& out, const ServedZone& zone) {
  out += R"({"id":)" + std::to_string(zone.id) + R"(,"zone":)";
  appendJsonString(out, zone.name.text());
  const std::string serial = std::to_string(zone.serial);
  out +=
      R"(,"kind":"native","serial":)" + serial + R"(,"notified_serial":)" + serial + R"(,"last_check":0,"masters":[]})";
}

}  // namespace mailzone::backend
