// The receiving end of sd_notify(3): a datagram socket that a supervised process tells READY=1 and WATCHDOG=1.
#pragma once

#include <string>

#include "core/result.h"

namespace mailzone {

class NotifySocket {
 public:
  NotifySocket() = default;
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();

  /// Binds `path` (a socket that a killed predecessor left there is replaced), writable for every user.
  [[nodiscard]] Result<void> open(const std::string& path);
  [[nodiscard]] int descriptor() const noexcept { return fd_; }

  struct Said {
    bool ready = false, watchdog = false;
  };
  /// What was said since the last call. Unknown and oversized messages are dropped.
  [[nodiscard]] Said read();

 private:
  int fd_ = -1;
  std::string path_;
};

}  // namespace mailzone
