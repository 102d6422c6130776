#include "system/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>

namespace mailzone {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Descriptor readEnd, writeEnd;
  [[nodiscard]] bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    readEnd.reset(ends[0]);
    writeEnd.reset(ends[1]);
    return true;
  }
};

struct Identity {
  bool change = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::uint32_t capabilities = 0;  ///< bits
};

Result<gid_t> groupId(const std::string& name) {
  errno = 0;
  const group* entry = ::getgrnam(name.c_str());
  if (entry == nullptr)
    return fail(Errc::notFound, name, "no such group", "the package or unit that brings it is missing");
  return entry->gr_gid;
}

Result<std::uint32_t> capabilityBits(const std::vector<std::string>& names) {
  constexpr std::array<std::pair<std::string_view, int>, 3> kKnown{
      {{"CAP_CHOWN", CAP_CHOWN}, {"CAP_KILL", CAP_KILL}, {"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE}}};
  std::uint32_t bits = 0;
  for (const std::string& name : names) {
    const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const auto& k) { return k.first == name; });
    if (known == kKnown.end())
      return fail(Errc::invalidInput, name, "this capability is none that the supervisor gives");
    bits |= 1U << known->second;
  }
  return bits;
}

Result<Identity> identityOf(const Command& command) {
  Identity identity;
  if (command.user.empty() && command.group.empty()) return identity;
  identity.change = true;
  identity.uid = ::geteuid();
  identity.gid = ::getegid();
  if (!command.user.empty()) {
    const passwd* entry = ::getpwnam(command.user.c_str());
    if (entry == nullptr)
      return fail(Errc::notFound, command.user, "no such user", "the package or unit that brings it is missing");
    identity.uid = entry->pw_uid;
    identity.gid = entry->pw_gid;
    std::array<gid_t, 64> groups{};
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(command.user.c_str(), entry->pw_gid, groups.data(), &count) < 0)
      return fail(Errc::limitExceeded, command.user, "is in more than 64 groups");
    identity.groups.assign(groups.begin(), groups.begin() + count);
  }
  if (!command.group.empty()) {
    const auto gid = groupId(command.group);
    if (!gid) return pass(gid);
    identity.gid = *gid;
  }
  const auto bits = capabilityBits(command.ambientCapabilities);
  if (!bits) return pass(bits);
  identity.capabilities = *bits;
  for (const std::string& name : command.supplementaryGroups) {
    const auto gid = groupId(name);
    if (!gid) return pass(gid);
    identity.groups.push_back(*gid);
  }
  return identity;
}

Result<std::string> programPath(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return fail(Errc::notFound, name, "no such program, or not executable",
                "scripts/packages.txt lists what is needed");
  }
  std::string_view rest = kProcessPath;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return fail(Errc::notFound, name, "no such program in " + std::string(kProcessPath),
              "scripts/packages.txt lists what is needed");
}

/// Everything the child touches after the fork, made before it: the caller may have threads.
struct Prepared {
  std::string path, workingDirectory;
  std::vector<std::string> texts;
  std::vector<char*> argv, envp;
  Identity identity;
  int in = -1, out = -1, err = -1, report = -1;
  pid_t parent = 0;
  unsigned umask = 0022;
};

// Only async-signal-safe calls from here on.
[[noreturn]] void failInChild(int report, int step) {
  const std::array<int, 2> message{step, errno};
  const ssize_t ignored = ::write(report, message.data(), sizeof message);
  static_cast<void>(ignored);
  ::_exit(127);
}

constexpr std::array<const char*, 5> kSteps{"standard files", "groups", "user", "working directory", "exec"};

/// AmbientCapabilities=: exactly these, and they outlive the exec.
bool keepCapabilities(std::uint32_t bits) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0] = {bits, bits, bits};
  if (::syscall(SYS_capset, &header, data.data()) != 0) return false;
  for (int number = 0; number < 32; ++number) {
    if ((bits >> number & 1U) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) return false;
  }
  return true;
}

[[noreturn]] void becomeChild(const Prepared& p) {
  ::setsid();
  struct sigaction byDefault {};
  byDefault.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &byDefault, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(p.in, 0) < 0 || ::dup2(p.out, 1) < 0 || ::dup2(p.err, 2) < 0) failInChild(p.report, 0);
  if (p.identity.change) {
    if (::setgroups(p.identity.groups.size(), p.identity.groups.data()) != 0 || ::setgid(p.identity.gid) != 0)
      failInChild(p.report, 1);
    if (p.identity.capabilities != 0) ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (::setuid(p.identity.uid) != 0) failInChild(p.report, 2);
    if (p.identity.capabilities != 0 && !keepCapabilities(p.identity.capabilities)) failInChild(p.report, 2);
  }
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != p.parent) ::_exit(127);
  ::umask(p.umask);
  if (::chdir(p.workingDirectory.c_str()) != 0) failInChild(p.report, 3);
  ::execve(p.path.c_str(), p.argv.data(), p.envp.data());
  failInChild(p.report, 4);
}

Result<Prepared> prepare(const Command& command) {
  if (command.argv.empty()) return fail(Errc::invalidInput, "", "a command without a program");
  Prepared p;
  auto path = programPath(command.argv[0]);
  if (!path) return pass(path);
  p.path = std::move(*path);
  auto identity = identityOf(command);
  if (!identity) return pass(identity);
  p.identity = std::move(*identity);
  p.workingDirectory = command.workingDirectory;
  p.texts = command.argv;
  const std::size_t words = p.texts.size();
  p.texts.push_back("PATH=" + std::string(kProcessPath));
  for (const auto& [name, value] : command.environment)
    if (name != "PATH") p.texts.push_back(name + "=" + value);
  for (std::size_t i = 0; i < p.texts.size(); ++i) (i < words ? p.argv : p.envp).push_back(p.texts[i].data());
  p.argv.push_back(nullptr);
  p.envp.push_back(nullptr);
  p.parent = ::getpid();
  p.umask = command.umask;
  return p;
}

Result<pid_t> forkAndExec(Prepared& p, const std::string& program) {
  Pipe report;
  if (!report.open()) return fail(Errc::io, program, "no pipe: " + std::string(std::strerror(errno)));
  p.report = report.writeEnd.get();
  const pid_t child = ::fork();
  if (child < 0) return fail(Errc::io, program, "cannot fork: " + std::string(std::strerror(errno)));
  if (child == 0) becomeChild(p);
  report.writeEnd.reset();
  std::array<int, 2> message{};
  ssize_t got = 0;
  do {
    got = ::read(report.readEnd.get(), message.data(), sizeof message);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof message)) return child;
  ::waitpid(child, nullptr, 0);
  return fail(Errc::io, program,
              fmt::format("could not be started ({}): {}", kSteps[static_cast<std::size_t>(message[0])],
                          std::strerror(message[1])));
}

int statusOf(int raw) {
  return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

/// Pumps the three pipes of one running command.
class Exchange {
 public:
  Exchange(int in, int out, int err, std::string_view input, std::size_t limit)
      : in_(in), out_(out), err_(err), input_(input), limit_(limit) {
    for (const int fd : {in, out, err}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  CommandOutcome outcome;

  /// False: the limit is passed. Stops when both outputs are closed or at the deadline (then `late`).
  bool pump(std::chrono::steady_clock::time_point deadline, bool& late, const std::function<void()>& closeInput);

 private:
  bool take(int& fd, std::string& into);
  int in_, out_, err_;
  std::string_view input_;
  std::size_t limit_;
};

bool Exchange::take(int& fd, std::string& into) {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) fd = -1;
  return into.size() <= limit_;
}

bool Exchange::pump(std::chrono::steady_clock::time_point deadline, bool& late,
                    const std::function<void()>& closeInput) {
  if (input_.empty()) {
    closeInput();
    in_ = -1;
  }
  while (out_ >= 0 || err_ >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return late = true;
    std::array<pollfd, 3> fds{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}, pollfd{in_, POLLOUT, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) <= 0) continue;
    if (fds[0].revents != 0 && !take(out_, outcome.output)) return false;
    if (fds[1].revents != 0 && !take(err_, outcome.errors)) return false;
    if (fds[2].revents != 0) {
      const ssize_t put = ::write(in_, input_.data(), input_.size());
      if (put > 0) input_.remove_prefix(static_cast<std::size_t>(put));
      if (input_.empty() || (put < 0 && errno != EAGAIN && errno != EINTR)) {
        closeInput();
        in_ = -1;
      }
    }
  }
  return true;
}

}  // namespace

Result<pid_t> spawn(const Command& command) {
  auto prepared = prepare(command);
  if (!prepared) return pass(prepared);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Descriptor log;
  if (!command.logFile.empty()) {
    log.reset(::open(command.logFile.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (log.get() < 0) return fail(Errc::io, command.logFile, "cannot open: " + std::string(std::strerror(errno)));
  }
  prepared->in = null.get();
  prepared->out = prepared->err = log.get() < 0 ? null.get() : log.get();
  return forkAndExec(*prepared, command.argv[0]);
}

Result<CommandOutcome> run(const Command& command, std::string_view input, std::chrono::milliseconds timeout,
                           std::size_t outputLimit) {
  auto prepared = prepare(command);
  if (!prepared) return pass(prepared);
  Pipe in, out, err;
  if (!in.open() || !out.open() || !err.open())
    return fail(Errc::io, command.argv[0], "no pipe: " + std::string(std::strerror(errno)));
  prepared->in = in.readEnd.get();
  prepared->out = out.writeEnd.get();
  prepared->err = err.writeEnd.get();
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const auto child = forkAndExec(*prepared, command.argv[0]);
  if (!child) return pass(child);
  in.readEnd.reset();
  out.writeEnd.reset();
  err.writeEnd.reset();
  Exchange exchange(in.writeEnd.get(), out.readEnd.get(), err.readEnd.get(), input, outputLimit);
  bool late = false;
  const bool within = exchange.pump(deadline, late, [&in] { in.writeEnd.reset(); });
  if (late || !within) ::kill(-*child, SIGKILL);
  int status = 0;
  while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) {
  }
  if (late)
    return fail(Errc::temporary, command.argv[0],
                fmt::format("did not end within {} ms, and was killed", timeout.count()), exchange.outcome.errors);
  if (!within)
    return fail(Errc::limitExceeded, command.argv[0], fmt::format("printed more than {} octets", outputLimit));
  exchange.outcome.exitStatus = statusOf(status);
  return std::move(exchange.outcome);
}

std::string tailOfFile(const std::string& path, std::size_t lines) {
  std::ifstream file(path);
  std::vector<std::string> all;
  for (std::string line; std::getline(file, line);) {
    all.push_back(std::move(line));
    if (all.size() > 4 * lines + 64) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(lines));
  }
  std::string text;
  for (std::size_t i = all.size() > lines ? all.size() - lines : 0; i < all.size(); ++i) text += all[i] + "\n";
  return text;
}

}  // namespace mailzone
