#include "backend/methods/methods.h"

namespace mailzone::backend {
Result<void> getDomainMetadata(Call call) {
  auto kind = call.request.text("kind");
  if (!kind) return pass(kind);
  auto zone = zoneNamed(call, "name");
  if (!zone) return pass(zone);
  if (*zone) {
    if (const auto at = (*zone)->metadata.find(std::string(*kind)); at != (*zone)->metadata.end()) {
      appendValues(call.out, at->second);
      return {};
    }
  }
  call.out += "false";
  return {};
}

}  // namespace mailzone::backend
