// `--keep`: the demo stays up for a person to look around in.
#pragma once

#include "harness/stage.h"

namespace mailzone::harness {

/// Prints how to enter and what to try; returns at SIGINT or SIGTERM.
void keepRunning(const Stage& stage);

}  // namespace mailzone::harness
