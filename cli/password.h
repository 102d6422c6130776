// Passwords of logins, hashed as Dovecot reads them.
#pragma once

#include <string>

#include "core/result.h"
#include "core/secret.h"

namespace mailzone::cli {

/// One line from `file`, which others must not be able to read, or from standard input for "-". 8 to 512 octets.
[[nodiscard]] Result<Secret> readLoginPassword(const std::string& file);
/// {SHA512-CRYPT}$6$SALT$HASH with 96 random bits of salt (crypt(5)).
[[nodiscard]] Result<std::string> hashPassword(const Secret& password);

}  // namespace mailzone::cli
