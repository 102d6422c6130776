#include "backend/methods/methods.h"

namespace mailzone::backend {

Result<void> getAllDomainMetadata(Call call) {
  auto zone = zoneNamed(call, "name");
  if (!zone) return pass(zone);
  if (!*zone) {
    call.out += "false";
    return {};
  }
  call.out += '{';
  for (const auto& [kind, values] : (*zone)->metadata) {
    if (call.out.back() != '{') call.out += ',';
    appendJsonString(call.out, kind);
    call.out += ':';
    appendValues(call.out, values);
  }
  call.out += '}';
  return {};
}

}  // namespace mailzone::backend
