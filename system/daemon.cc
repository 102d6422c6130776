#include "system/daemon.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace mailzone {

Result<void> notifySupervisor(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path || (*path != '/' && *path != '@')) {
    return fail(Errc::settings, path, "NOTIFY_SOCKET is no socket path", "unset it, or start by systemd");
  }
  std::memcpy(address.sun_path, path, length);
  if (*path == '@') address.sun_path[0] = '\0';  // the abstract name space of Linux
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::io, path, std::strerror(errno));
  // Never waits: a supervisor that does not read must not stop the one it supervises.
  const auto sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                             static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  const int error = errno;
  ::close(fd);
  if (sent < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
    return fail(Errc::temporary, path, "the supervisor does not read its socket", "it is told again");
  }
  if (sent < 0) return fail(Errc::io, path, std::strerror(error), "the supervisor closed its socket");
  return {};
}

Result<void> forbidCoreDumps() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail(Errc::io, "RLIMIT_CORE", std::strerror(errno));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(Errc::io, "PR_SET_DUMPABLE", std::strerror(errno));
  return {};
}

}  // namespace mailzone
