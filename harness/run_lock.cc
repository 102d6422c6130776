#include "harness/run_lock.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace mailzone::harness {
namespace {

constexpr std::string_view kName = "mailzone-harness-run";  // behind a NUL: no file

struct Address {
  sockaddr_un un{};
  socklen_t length = 0;
  Address() {
    un.sun_family = AF_UNIX;
    kName.copy(static_cast<char*>(un.sun_path) + 1, kName.size());
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  }
  [[nodiscard]] const sockaddr* generic() const {
    // The C interface of sockets wants this cast.
    return reinterpret_cast<const sockaddr*>(&un);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  }
};

/// The process that listens there, 0 when that cannot be told.
pid_t ownerOf(const Address& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ucred peer{};
  socklen_t length = sizeof peer;
  if (fd >= 0 && ::connect(fd, address.generic(), address.length) == 0)
    ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  if (fd >= 0) ::close(fd);
  return peer.pid;
}

}  // namespace

Result<RunLock> RunLock::take() {
  const Address address;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::io, "", "no socket: " + std::string(std::strerror(errno)));
  if (::bind(fd, address.generic(), address.length) == 0 && ::listen(fd, 8) == 0) return RunLock(fd);
  const int reason = errno;
  ::close(fd);
  if (reason != EADDRINUSE) return fail(Errc::io, kName, std::strerror(reason));
  const pid_t owner = ownerOf(address);
  return fail(Errc::conflict, owner == 0 ? "" : fmt::format("process {}", owner),
              "another demo runs on this machine, and two at once would disturb each other's times",
              owner == 0 ? "wait for its end" : fmt::format("wait for its end, or end it: kill {}", owner));
}

RunLock::RunLock(RunLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace mailzone::harness
