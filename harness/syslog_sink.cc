#include "harness/syslog_sink.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

namespace mailzone::harness {

struct SyslogSink::State {
  int socket = -1, quit = -1;
  std::string folder;
  std::map<std::string, std::ofstream> files;
  std::thread thread;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (thread.joinable()) {
      const std::uint64_t one = 1;
      const ssize_t ignored = ::write(quit, &one, sizeof one);
      static_cast<void>(ignored);
      thread.join();
    }
    for (const int fd : {socket, quit})
      if (fd >= 0) ::close(fd);
  }

  void serve() {
    std::array<char, 65536> buffer{};
    for (;;) {
      std::array<pollfd, 2> fds{pollfd{socket, POLLIN, 0}, pollfd{quit, POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      for (;;) {
        const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got <= 0) break;
        const SyslogLine parsed = parseSyslogLine({buffer.data(), static_cast<std::size_t>(got)});
        auto [file, isNew] = files.try_emplace(parsed.program);
        if (isNew) file->second.open(folder + "/" + parsed.program + ".log", std::ios::app);
        file->second << parsed.line << std::endl;
      }
      if (fds[1].revents != 0) return;
    }
  }
};

SyslogLine parseSyslogLine(std::string_view datagram) {
  while (!datagram.empty() && (datagram.back() == '\0' || datagram.back() == '\n')) datagram.remove_suffix(1);
  if (const std::size_t end = datagram.find('>'); datagram.starts_with('<') && end < 5) datagram.remove_prefix(end + 1);
  SyslogLine result{"other", std::string(datagram)};
  constexpr std::size_t kTimestamp = 16;  // "Nov 25 10:20:00 "
  if (datagram.size() <= kTimestamp) return result;
  const std::string_view rest = datagram.substr(kTimestamp);
  std::size_t end = 0;
  while (end < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[end])) != 0 || rest[end] == '-')) ++end;
  if (end > 0 && end < rest.size() && std::string_view("/[:").find(rest[end]) != std::string_view::npos)
    result.program = rest.substr(0, end);
  return result;
}

Result<std::unique_ptr<SyslogSink>> SyslogSink::start(const std::string& socketPath, const std::string& logFolder) {
  auto state = std::make_unique<State>();
  state->folder = logFolder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socketPath.size() >= sizeof address.sun_path) return fail(Errc::limitExceeded, socketPath, "is too long a path");
  socketPath.copy(static_cast<char*>(address.sun_path), socketPath.size());
  ::unlink(socketPath.c_str());
  state->socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  state->quit = ::eventfd(0, EFD_CLOEXEC);
  // The C interface of sockets wants this cast.
  const auto* generic =
      reinterpret_cast<const sockaddr*>(&address);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  if (state->socket < 0 || state->quit < 0 || ::bind(state->socket, generic, sizeof address) != 0 ||
      ::chmod(socketPath.c_str(), 0666) != 0)
    return fail(Errc::io, socketPath, "cannot listen there: " + std::string(std::strerror(errno)));
  state->thread = std::thread([raw = state.get()] { raw->serve(); });
  return std::unique_ptr<SyslogSink>(new SyslogSink(std::move(state)));
}

SyslogSink::SyslogSink(std::unique_ptr<State> state) : state_(std::move(state)) {}
SyslogSink::~SyslogSink() = default;

}  // namespace mailzone::harness
