// A key and a self-signed certificate made in memory: what an MTA of the harness shows after STARTTLS.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace mailzone::harness {

struct TlsIdentity {
  std::string certificatePem;
  std::string privateKeyPem;  ///< of this process only, never stored
};

/// P-256, valid from an hour before `now` for 30 days, with `hostName` as subject and as its one DNS name.
[[nodiscard]] Result<TlsIdentity> makeTlsIdentity(std::string_view hostName, TimePoint now);

}  // namespace mailzone::harness
