// mailzone-backend as a process, supervised as systemd would, for tests of what it answers.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <string>

#include "system/notify_socket.h"
#include "system/process.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::test {

/// Looks again and again, until it holds or the time is over.
inline bool eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds within = std::chrono::seconds(10)) {
  for (const auto deadline = std::chrono::steady_clock::now() + within; std::chrono::steady_clock::now() < deadline;
       ::poll(nullptr, 0, 2)) {
    if (holds()) return true;
  }
  return holds();
}

/// The daemon, supervised as systemd would: READY by its notify socket.
class BackendProcess {
 public:
  BackendProcess(const std::string& folder, const std::string& databaseSettings) : folder_(folder) {
    std::ofstream(config()) << "[database]\n"
                            << databaseSettings << "[backend]\nsocket = \"" << socket() << "\"\nsocket_group = \"\"\n"
                            << "replica_path = \"" << folder_ << "/replica\"\n";
  }
  ~BackendProcess() { kill(); }
  BackendProcess(const BackendProcess&) = delete;
  BackendProcess& operator=(const BackendProcess&) = delete;

  [[nodiscard]] std::string socket() const { return folder_ + "/backend.sock"; }
  [[nodiscard]] std::string config() const { return folder_ + "/mailzone.toml"; }
  [[nodiscard]] std::string replicaFile() const { return folder_ + "/replica/data.mdb"; }
  [[nodiscard]] std::string log() const { return tailOfFile(folder_ + "/backend.log", 30); }

  void start() {
    if (notify_.descriptor() < 0) {
      ASSERT_TRUE(notify_.open(folder_ + "/notify.sock"));
    }
    (void)notify_.read();
    Command command;
    command.argv = {MAILZONE_BINARY_DIR "/bin/mailzone-backend", "--config", config()};
    command.environment["NOTIFY_SOCKET"] = folder_ + "/notify.sock";
    command.logFile = folder_ + "/backend.log";
    auto started = spawn(command);
    ASSERT_TRUE(started) << describe(started.error());
    pid_ = *started;
  }
  [[nodiscard]] bool ready(std::chrono::milliseconds within = std::chrono::seconds(20)) {
    return eventually([&] { return notify_.read().ready; }, within);
  }
  [[nodiscard]] bool watched() {
    return eventually([&] { return notify_.read().watchdog; }, std::chrono::seconds(3));
  }
  void startReady() {
    start();
    ASSERT_TRUE(ready()) << log();
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  /// The exit status after SIGTERM.
  int terminate() {
    ::kill(pid_, SIGTERM);
    return wait();
  }
  int wait() {
    int status = -1;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void signal(int number) const { ::kill(pid_, number); }
  [[nodiscard]] bool running() const { return pid_ != 0 && ::kill(pid_, 0) == 0; }

 private:
  std::string folder_;
  NotifySocket notify_;
  pid_t pid_ = 0;
};

/// A public key as verifiers take it; its private half was thrown away.
inline constexpr const char* kPublicKey =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlZZNkUE7SWl9WvLBQXP+ad+fgFWy5RIVC1oBjWvEZAHWeDDRRHkG3Szo"
    "xXqyjR3ei3oPlrH/91pxoXMqAJiZDyxJV280sbVv4wOsA0xhUHBCm5fnXIxNmWPKtwQNTg5sRiOUa0EK6Z7VqIExf29c/b0zC/CD"
    "5Q+rGxvgGBs7EUytKhLxXA98kcT00gUustXXhia1U7pRQTVm+8mW9omXh0/emHxNkUao/QBFDref2AHFEaykQ+xKN4NqNiFQuUrj"
    "Txy6E5CFzUvgOMcKR1KippC5fif4t3qE0Eywvvr+rnl8zMv2m49VDqj8z4nfhC7Ki0CFVOxOcuNFWy5Doy9qZQIDAQAB";

inline std::string sqliteSettings(const TemporarySqlite& database) {
  // The private keys are no business of this program: the tests run as one user, who could read them.
  return fmt::format("engine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"\"\n", database.path());
}

}  // namespace mailzone::test
