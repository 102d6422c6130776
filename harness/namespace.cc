#include "harness/namespace.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "system/process.h"

namespace mailzone::harness {
namespace {

int statusOf(int raw) {
  return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

/// Process 1 of the pid namespace: starts the second, reaps whatever is orphaned, and ends with the second's status.
[[noreturn]] void beInit(int life, const std::function<int()>& inner) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above: then its end of the pipe is closed.
  pollfd alive{life, 0, 0};
  if (::poll(&alive, 1, 0) > 0) ::_exit(1);
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != 1) ::_exit(1);
    ::close(life);
    const int status = inner();
    std::fflush(nullptr);
    ::_exit(status);
  }
  if (worker < 0) ::_exit(1);
  for (;;) {
    int raw = 0;
    const pid_t ended = ::waitpid(-1, &raw, 0);
    if (ended == worker) ::_exit(statusOf(raw));
    if (ended < 0 && errno != EINTR) ::_exit(1);
  }
}

}  // namespace

Result<int> runInNamespaces(const std::string& hostName, const std::function<int()>& inner) {
  if (::geteuid() != 0)
    return fail(Errc::forbidden, "", "private namespaces and mounts need root", "run it as root, or by sudo");
  std::array<int, 2> life{};
  if (::pipe2(life.data(), O_CLOEXEC) != 0) return fail(Errc::io, "", "no pipe");
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) != 0)
    return fail(Errc::forbidden, "unshare", std::strerror(errno),
                "in a container it needs CAP_SYS_ADMIN (docker run --privileged)");
  if (::sethostname(hostName.c_str(), hostName.size()) != 0) return fail(Errc::io, hostName, std::strerror(errno));
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return fail(Errc::io, "fork", std::strerror(errno));
  if (child == 0) {
    ::close(life[1]);
    beInit(life[0], inner);
  }
  ::close(life[0]);
  int raw = 0;
  while (::waitpid(child, &raw, 0) < 0 && errno == EINTR) {
  }
  ::close(life[1]);
  return statusOf(raw);
}

pid_t outerPid() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    pid_t pid = 0;
    if (words >> key >> pid && key == "NSpid:") return pid;
  }
  return 0;
}

Result<void> setUpLoopback(const std::vector<std::string>& addresses) {
  std::string batch = "link set lo up\n";
  // nodad: an IPv6 address is usable at once.
  for (const std::string& address : addresses)
    batch += "addr add " + address + " dev lo" + (address.find(':') != std::string::npos ? " nodad" : "") + "\n";
  Command ip;
  ip.argv = {"ip", "-batch", "-"};
  const auto done = run(ip, batch, std::chrono::seconds{10});
  if (!done) return pass(done);
  if (done->exitStatus != 0) return fail(Errc::io, "ip -batch", done->errors);
  return {};
}

}  // namespace mailzone::harness
