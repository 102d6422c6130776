// OpenDKIM as shipped, its two crippled twins, and Dovecot's password check.
#pragma once

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

/// The shipped signer, by Debian's unit and the shipped drop-in.
[[nodiscard]] Result<void> startSigner(Stage& stage, const TemplateValues& values);
/// Two more, for the forgeries: one without author.lua, and one that also chooses the key by From:.
[[nodiscard]] Result<void> startCrippledSigners(Stage& stage, const TemplateValues& values);
[[nodiscard]] Result<void> startPasswordCheck(Stage& stage, const TemplateValues& values);

}  // namespace mailzone::harness
