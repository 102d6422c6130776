#include "backend/methods/methods.h"

namespace mailzone::backend {

Result<void> getAllDomains(Call call) {
  call.out += '[';
  auto done = call.replica.eachZone([&](const ServedZone& zone) {
    if (call.out.back() != '[') call.out += ',';
    appendDomainInfo(call.out, zone);
  });
  call.out += ']';
  return done;
}

}  // namespace mailzone::backend
