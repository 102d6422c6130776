// Passwords of one run.
#pragma once

#include <string>

namespace mailzone::harness {

/// 36 hexadecimal digits from the kernel.
[[nodiscard]] std::string randomPassword();

}  // namespace mailzone::harness
