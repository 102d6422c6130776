// One demo at a time on a machine: an abstract socket, which leaves no file behind and vanishes with its owner.
#pragma once

#include "core/result.h"

namespace mailzone::harness {

class RunLock {
 public:
  /// Errc::conflict names the process that holds it. Take it before the network namespace is left: each has its own.
  [[nodiscard]] static Result<RunLock> take();
  RunLock(RunLock&& other) noexcept;
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

 private:
  explicit RunLock(int fd) noexcept : fd_(fd) {}
  int fd_;
};

}  // namespace mailzone::harness
