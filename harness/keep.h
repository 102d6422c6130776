// `--keep`: the demo stays up for a person to look around in.
#pragma once

#include <sys/types.h>

#include "harness/receiver.h"
#include "harness/stage.h"

namespace mailzone::harness {

/// Prints how to enter (`pid` as seen from outside) and what to try, then one line for each mail that the receiver
/// judges; returns at SIGINT or SIGTERM.
void keepRunning(const Stage& stage, Receiver& receiver, pid_t pid);

}  // namespace mailzone::harness
