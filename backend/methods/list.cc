#include "backend/methods/methods.h"

namespace mailzone::backend {

Result<void> list(Call call) {
  auto id = call.request.integer("domain_id", -1);
  if (!id) return pass(id);
  auto zone = zoneNamed(call, "zonename");
  if (!zone) return pass(zone);
  // An id that does not fit is one of a zone that went: that zone is not there.
  if (!*zone || (*id >= 0 && *id != (*zone)->id)) {
    call.out += "false";
    return {};
  }
  call.out += '[';
  const Found found = call.replica.transfer((*zone)->id, call.out);
  call.out += ']';
  return tellable(found, (*zone)->name.textNoDot());
}

}  // namespace mailzone::backend
