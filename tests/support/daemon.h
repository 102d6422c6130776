// A daemon of ours in a test, supervised as systemd would: READY by its notify socket, a log that failures show.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "system/notify_socket.h"

namespace mailzone::test {

/// Looks again and again, until it holds or the time is over.
[[nodiscard]] bool eventually(const std::function<bool()>& holds,
                              std::chrono::milliseconds within = std::chrono::seconds(10));

class Daemon {
 public:
  /// Keeps NAME.toml, NAME.log and NAME.notify in `folder`. `program` is looked for in the build's bin/.
  Daemon(std::string folder, std::string program, const std::string& settings);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Returns when it has said READY; throws std::runtime_error with its log otherwise.
  void start();
  /// SIGKILL.
  void kill();
  /// The exit status after SIGTERM, -1 when it did not end in 10 s.
  [[nodiscard]] int terminate();
  [[nodiscard]] bool running() const;
  [[nodiscard]] const std::string& config() const noexcept { return config_; }
  [[nodiscard]] std::string log() const;

 private:
  std::string folder_, program_, config_;
  NotifySocket notify_;
  pid_t pid_ = 0;
};

}  // namespace mailzone::test
