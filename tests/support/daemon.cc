#include "tests/support/daemon.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <stdexcept>
#include <utility>

#include "system/process.h"

namespace mailzone::test {
namespace {

constexpr std::chrono::seconds kStartTime{30};
constexpr std::size_t kLogLines = 40;

}  // namespace

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds within) {
  using Clock = std::chrono::steady_clock;
  for (const auto deadline = Clock::now() + within; Clock::now() < deadline; ::poll(nullptr, 0, 5)) {
    if (holds()) return true;
  }
  return holds();
}

Daemon::Daemon(std::string folder, std::string program, const std::string& settings)
    : folder_(std::move(folder)), program_(std::move(program)), config_(folder_ + "/" + program_ + ".toml") {
  std::ofstream(config_) << settings;
}

Daemon::~Daemon() {
  kill();
}

void Daemon::start() {
  const std::string socket = folder_ + "/" + program_ + ".notify";
  if (notify_.descriptor() < 0) {
    if (const auto opened = notify_.open(socket); !opened) throw std::runtime_error(describe(opened.error()));
  }
  static_cast<void>(notify_.read());  // what a killed predecessor said
  Command command;
  command.argv = {MAILZONE_BINARY_DIR "/bin/" + program_, "--config", config_};
  command.environment["NOTIFY_SOCKET"] = socket;
  command.logFile = folder_ + "/" + program_ + ".log";
  const auto started = spawn(command);
  if (!started) throw std::runtime_error(describe(started.error()));
  pid_ = *started;
  bool ready = false;
  const bool settled = eventually([&] { return (ready = ready || notify_.read().ready) || !running(); }, kStartTime);
  if (!settled || !ready) throw std::runtime_error(program_ + " does not start:\n" + log());
}

void Daemon::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

int Daemon::terminate() {
  ::kill(pid_, SIGTERM);
  int status = -1;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Daemon::running() const {
  siginfo_t info{};
  return pid_ != 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

std::string Daemon::log() const {
  return tailOfFile(folder_ + "/" + program_ + ".log", kLogLines);
}

}  // namespace mailzone::test
