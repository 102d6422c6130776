// DKIM key records (RFC 6376 section 3.6.1).
#pragma once

#include <string>
#include <vector>

#include "core/model.h"
#include "core/result.h"

namespace mailzone::zonegen {

/// `v=DKIM1; k=rsa; p=...`, or with an empty p= for a slot that is revoked. An Error when p= would not be a key that a
/// verifier takes: SubjectPublicKeyInfo for RSA (6376, erratum 3017), 32 octets for Ed25519 (RFC 8463 section 4.2).
[[nodiscard]] Result<std::string> dkimText(const SlotContent& content);

}  // namespace mailzone::zonegen
