#include "harness/keep.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "harness/topology.h"

namespace mailzone::harness {

void keepRunning(const Stage& stage) {
  fmt::print(stderr, "kept; logs in {}\n", stage.layout.logs());
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  int number = 0;
  sigwait(&ends, &number);
}

}  // namespace mailzone::harness
