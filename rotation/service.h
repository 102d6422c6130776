// mailzone-rotate without its main(): the loop that keeps keys and the export, over reconnects and reloads.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "system/settings.h"

namespace mailzone::rotation {

/// Wakes a thread that waits in poll(): written by other threads and by signals.
class Wake {
 public:
  Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake();
  void now() noexcept;  ///< thread-safe
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  void clear() noexcept;

 private:
  int fd_ = -1;
};

/// What the operator asked for since the last look.
struct Signals {
  bool stop = false, reload = false;
};

/// SIGTERM, SIGINT and SIGHUP as a descriptor. Blocks them for the calling thread and every thread that it makes later:
/// call it before any.
class SignalQueue {
 public:
  [[nodiscard]] Result<void> open();
  ~SignalQueue();
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] Signals take();

 private:
  int fd_ = -1;
};

/// Runs until a signal says stop. Tells the supervisor READY=1 after the first whole round. A database that is away
/// when it begins is an Error; one that goes away later is waited for, and the old export stays. `configPath` is read
/// again on SIGHUP; bad settings keep the old ones.
[[nodiscard]] Result<void> runService(Settings settings, const std::string& configPath, SignalQueue& signals,
                                      const Clock& clock);

}  // namespace mailzone::rotation
