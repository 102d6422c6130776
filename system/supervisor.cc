#include "system/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "system/notify_socket.h"

namespace mailzone {
namespace {

using Instant = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;
constexpr milliseconds kGraceAtEnd{1000};

struct Child {
  ProcessSpec spec;
  NotifySocket notify;
  ProcessState state = ProcessState::ended;
  pid_t pid = 0;
  int pidfd = -1;
  unsigned restarts = 0;
  std::deque<Instant> starts;
  std::string lastEnd;
  Instant restartAt, watchdogAt, killAt;
  bool told = false;  ///< told to stop: it will not be started again
  bool watchdogFired = false;
  bool killPending = false;

  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pidfd >= 0) ::close(pidfd);
  }
  [[nodiscard]] bool runs() const { return pid > 0; }
};

bool restartsAfter(Restart rule, int rawStatus, bool watchdogFired) {
  const bool signalled = WIFSIGNALED(rawStatus);
  const bool clean = !watchdogFired && ((WIFEXITED(rawStatus) && WEXITSTATUS(rawStatus) == 0) ||
                                        (signalled && WTERMSIG(rawStatus) == SIGTERM));
  switch (rule) {
    case Restart::no:
      return false;
    case Restart::always:
      return true;
    case Restart::onSuccess:
      return clean;
    case Restart::onFailure:
      return !clean;
    case Restart::onAbnormal:
      return watchdogFired || (signalled && !clean);
    case Restart::onWatchdog:
      return watchdogFired;
    case Restart::onAbort:
      return signalled && !clean;
  }
  return false;
}

std::string describeEnd(int rawStatus, bool watchdogFired) {
  if (watchdogFired) return "watchdog";
  if (WIFEXITED(rawStatus)) return fmt::format("exit status {}", WEXITSTATUS(rawStatus));
  const char* name = ::sigabbrev_np(WTERMSIG(rawStatus));
  return fmt::format("signal {} ({})", WTERMSIG(rawStatus), name == nullptr ? "?" : name);
}

}  // namespace

/// One thread forks, reaps and watches; callers hand it tasks and wait.
class Supervisor::Loop {
 public:
  Loop(std::string logFolder, std::string notifyFolder)
      : logFolder_(std::move(logFolder)), notifyFolder_(std::move(notifyFolder)), wakeup_(::eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { serve(); });
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    post([this] { quit_ = true; });
    thread_.join();
    ::close(wakeup_);
  }

  Result<void> start(const ProcessSpec& spec);
  Result<void> stop(const std::string& name, milliseconds timeout);
  Result<void> signal(const std::string& name, int number);
  Result<ProcessReport> report(const std::string& name) const;
  std::string firstFailure() const;
  Result<void> waitReady(const std::string& name, milliseconds timeout);

 private:
  void post(std::function<void()> task);
  Result<void> inThread(const std::function<Result<void>()>& work);
  void serve();
  void sleepUntilSomethingHappens(std::unique_lock<std::mutex>& lock);
  void advance(Child& child, Instant now);
  void reap(Child& child, Instant now);
  Result<void> launch(Child& child);
  void beginStop(Child& child, milliseconds grace);
  Child* find(const std::string& name) const;
  ProcessReport reportOf(const Child& child) const;

  std::string logFolder_, notifyFolder_;
  int wakeup_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::unique_ptr<Child>> children_;
  bool quit_ = false;
  std::thread thread_;
};

void Supervisor::Loop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  const ssize_t ignored = ::write(wakeup_, &one, sizeof one);
  static_cast<void>(ignored);
}

Result<void> Supervisor::Loop::inThread(const std::function<Result<void>()>& work) {
  std::promise<Result<void>> promise;
  auto future = promise.get_future();
  post([&] { promise.set_value(work()); });
  return future.get();
}

Child* Supervisor::Loop::find(const std::string& name) const {
  for (const auto& child : children_)
    if (child->spec.name == name) return child.get();
  return nullptr;
}

Result<void> Supervisor::Loop::launch(Child& child) {
  const Instant now = std::chrono::steady_clock::now();
  child.starts.push_back(now);
  child.watchdogFired = child.killPending = false;
  auto pid = spawn(child.spec.command);
  if (!pid) return pass(pid);
  child.pid = *pid;
  child.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0));
  child.state = child.spec.notify ? ProcessState::starting : ProcessState::ready;
  child.watchdogAt = now + child.spec.watchdog;
  return {};
}

Result<void> Supervisor::Loop::start(const ProcessSpec& spec) {
  return inThread([&]() -> Result<void> {
    if (const Child* old = find(spec.name); old != nullptr) {
      if (old->state != ProcessState::ended)
        return fail(Errc::conflict, spec.name, "a process of this name runs already");
      std::erase_if(children_, [&](const auto& child) { return child.get() == old; });
    }
    auto child = std::make_unique<Child>();
    child->spec = spec;
    Command& command = child->spec.command;
    if (command.logFile.empty()) command.logFile = logFolder_ + "/" + spec.name + ".log";
    const std::string socket = notifyFolder_ + "/" + spec.name + ".notify";
    if (spec.notify) {
      if (auto opened = child->notify.open(socket); !opened) return opened;
      command.environment["NOTIFY_SOCKET"] = socket;
    }
    if (spec.watchdog.count() > 0)
      command.environment["WATCHDOG_USEC"] =
          std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(spec.watchdog).count());
    if (auto launched = launch(*child); !launched) return launched;
    children_.push_back(std::move(child));
    return {};
  });
}

void Supervisor::Loop::beginStop(Child& child, milliseconds grace) {
  child.told = true;
  if (!child.runs()) {
    child.state = ProcessState::ended;
    return;
  }
  ::kill(child.pid, SIGTERM);
  ::kill(child.pid, SIGCONT);  // a stopped process takes no SIGTERM
  child.killAt = std::chrono::steady_clock::now() + grace;
  child.killPending = true;
}

Result<void> Supervisor::Loop::stop(const std::string& name, milliseconds timeout) {
  auto begun = inThread([&]() -> Result<void> {
    Child* child = find(name);
    if (child == nullptr) return fail(Errc::notFound, name, "no process of this name");
    beginStop(*child, timeout);
    return {};
  });
  if (!begun) return begun;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    const Child* child = find(name);
    return child == nullptr || child->state == ProcessState::ended;
  });
  return {};
}

Result<void> Supervisor::Loop::signal(const std::string& name, int number) {
  return inThread([&]() -> Result<void> {
    const Child* child = find(name);
    if (child == nullptr) return fail(Errc::notFound, name, "no process of this name");
    if (!child->runs()) return fail(Errc::unavailable, name, "does not run: " + child->lastEnd);
    if (::kill(child->pid, number) != 0) return fail(Errc::io, name, std::strerror(errno));
    return {};
  });
}

ProcessReport Supervisor::Loop::reportOf(const Child& child) const {
  return {child.state, child.pid, child.restarts, child.lastEnd, child.spec.command.logFile};
}

Result<ProcessReport> Supervisor::Loop::report(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const Child* child = find(name);
  if (child == nullptr) return fail(Errc::notFound, name, "no process of this name");
  return reportOf(*child);
}

std::string Supervisor::Loop::firstFailure() const {
  const std::lock_guard lock(mutex_);
  for (const auto& child : children_)
    if (child->state == ProcessState::ended && !child->told)
      return fmt::format("{} ended ({}); its log: {}", child->spec.name, child->lastEnd, child->spec.command.logFile);
  return {};
}

Result<void> Supervisor::Loop::waitReady(const std::string& name, milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const Child* child = find(name);
  if (child == nullptr) return fail(Errc::notFound, name, "no process of this name");
  const auto settled = [&] {
    child = find(name);
    return child == nullptr || child->state == ProcessState::ready || child->state == ProcessState::ended;
  };
  changed_.wait_for(lock, timeout, settled);
  if (child != nullptr && child->state == ProcessState::ready) return {};
  const std::string log = child == nullptr ? "" : child->spec.command.logFile;
  const std::string why = child == nullptr ? "was removed"
                          : child->state == ProcessState::starting
                              ? fmt::format("was not ready within {} ms", timeout.count())
                              : "ended: " + child->lastEnd;
  lock.unlock();
  return fail(Errc::unavailable, name, why, fmt::format("see {}:\n{}", log, tailOfFile(log, 8)));
}

void Supervisor::Loop::reap(Child& child, Instant now) {
  int status = 0;
  if (::waitpid(child.pid, &status, WNOHANG) != child.pid) return;
  ::kill(-child.pid, SIGKILL);  // what its process group left behind
  child.lastEnd = describeEnd(status, child.watchdogFired);
  child.pid = 0;
  ::close(std::exchange(child.pidfd, -1));
  const auto window = child.spec.startLimitInterval;
  while (!child.starts.empty() && child.starts.front() + window < now) child.starts.pop_front();
  const bool overLimit = window.count() > 0 && child.starts.size() >= child.spec.startLimitBurst;
  if (child.told || quit_ || overLimit || !restartsAfter(child.spec.restart, status, child.watchdogFired)) {
    if (overLimit && !child.told) child.lastEnd += ", too often: start limit hit";
    child.state = ProcessState::ended;
    return;
  }
  child.state = ProcessState::waiting;
  child.restartAt = now + child.spec.restartDelay;
}

void Supervisor::Loop::advance(Child& child, Instant now) {
  if (child.spec.notify) {
    const auto said = child.notify.read();
    if (said.ready && child.state == ProcessState::starting) {
      child.state = ProcessState::ready;
      child.watchdogAt = now + child.spec.watchdog;
    }
    if (said.watchdog) child.watchdogAt = now + child.spec.watchdog;
  }
  if (child.runs()) reap(child, now);
  if (child.runs() && child.killPending && child.killAt <= now) {
    ::kill(-child.pid, SIGKILL);
    child.killPending = false;
  }
  if (child.spec.watchdog.count() > 0 && child.state == ProcessState::ready && child.runs() && !child.watchdogFired &&
      child.watchdogAt <= now) {
    child.watchdogFired = true;
    ::kill(-child.pid, SIGKILL);  // systemd sends SIGABRT for a core file, which nobody would look at here
  }
  if (child.state == ProcessState::waiting && child.restartAt <= now) {
    ++child.restarts;
    if (auto launched = launch(child); !launched) {
      child.state = ProcessState::ended;
      child.lastEnd = describe(launched.error());
    }
  }
}

void Supervisor::Loop::sleepUntilSomethingHappens(std::unique_lock<std::mutex>& lock) {
  std::vector<pollfd> fds{{wakeup_, POLLIN, 0}};
  Instant next = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (const auto& child : children_) {
    if (child->pidfd >= 0) fds.push_back({child->pidfd, POLLIN, 0});
    if (child->notify.descriptor() >= 0) fds.push_back({child->notify.descriptor(), POLLIN, 0});
    if (child->killPending && child->runs()) next = std::min(next, child->killAt);
    if (child->state == ProcessState::waiting) next = std::min(next, child->restartAt);
    if (child->spec.watchdog.count() > 0 && child->state == ProcessState::ready && !child->watchdogFired)
      next = std::min(next, child->watchdogAt);
  }
  lock.unlock();
  const auto left = std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now()).count();
  ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long>(left, 0, 5000)));
  if ((fds[0].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    const ssize_t ignored = ::read(wakeup_, &count, sizeof count);
    static_cast<void>(ignored);
  }
  lock.lock();
}

void Supervisor::Loop::serve() {
  std::unique_lock lock(mutex_);
  bool stopping = false;
  for (;;) {
    while (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
    if (quit_ && !std::exchange(stopping, true))
      for (auto child = children_.rbegin(); child != children_.rend(); ++child) beginStop(**child, kGraceAtEnd);
    const Instant now = std::chrono::steady_clock::now();
    for (const auto& child : children_) advance(*child, now);
    changed_.notify_all();
    if (quit_ && std::none_of(children_.begin(), children_.end(), [](const auto& child) { return child->runs(); }))
      return;
    sleepUntilSomethingHappens(lock);
  }
}

ProcessSpec specOf(const ServiceUnit& unit, std::string name) {
  ProcessSpec spec;
  spec.name = std::move(name);
  spec.command.argv = unit.execStart;
  spec.command.user = unit.user;
  spec.command.group = unit.group;
  spec.command.supplementaryGroups = unit.supplementaryGroups;
  spec.command.ambientCapabilities = unit.ambientCapabilities;
  spec.command.environment = unit.environment;
  spec.command.workingDirectory = unit.workingDirectory;
  spec.command.umask = unit.umask;
  spec.notify = unit.notify;
  spec.restart = unit.restart;
  spec.restartDelay = unit.restartDelay;
  spec.watchdog = unit.watchdog;
  spec.startLimitInterval = unit.startLimitInterval;
  spec.startLimitBurst = unit.startLimitBurst;
  return spec;
}

Supervisor::Supervisor(std::string logFolder, std::string notifyFolder)
    : loop_(std::make_unique<Loop>(std::move(logFolder), std::move(notifyFolder))) {}
Supervisor::~Supervisor() = default;
Result<void> Supervisor::start(const ProcessSpec& spec) {
  return loop_->start(spec);
}
Result<void> Supervisor::waitReady(const std::string& name, milliseconds timeout) {
  return loop_->waitReady(name, timeout);
}
Result<void> Supervisor::stop(const std::string& name, milliseconds timeout) {
  return loop_->stop(name, timeout);
}
Result<void> Supervisor::signal(const std::string& name, int number) {
  return loop_->signal(name, number);
}
Result<ProcessReport> Supervisor::report(const std::string& name) const {
  return loop_->report(name);
}
std::string Supervisor::firstFailure() const {
  return loop_->firstFailure();
}

Result<void> waitFor(std::string_view what, milliseconds timeout, const std::function<bool()>& holds) {
  const Instant deadline = std::chrono::steady_clock::now() + timeout;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Errc::temporary, what, fmt::format("did not happen within {} ms", timeout.count()));
    std::this_thread::sleep_for(milliseconds{5});
  }
  return {};
}

}  // namespace mailzone
