// The two Postfix instances: the platform's MTA with the shipped snippets, and the external relay, which knows nothing
// of us.
#pragma once

#include <string>

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

/// The platform's MTA: Debian's base, the shipped snippets, and doors of the harness's own (bound to a rented address,
/// or with a crippled signer behind them).
[[nodiscard]] Result<void> startPlatformMta(Stage& stage, const TemplateValues& values);

/// `changesBodies`: it rewrites the body of every mail (a fault); otherwise only of those to footer@receiver.example.
[[nodiscard]] Result<void> startRelay(Stage& stage, bool changesBodies = false);

}  // namespace mailzone::harness
