#include "harness/stage.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ip_address.h"

namespace mailzone::harness {
namespace {

bool accepts(const std::string& address, std::uint16_t port) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &peer.sin_addr) != 1) return false;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // The C interface of sockets wants this cast.
  const auto* generic =
      reinterpret_cast<const sockaddr*>(&peer);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  const bool connected = fd >= 0 && ::connect(fd, generic, sizeof peer) == 0;
  if (fd >= 0) ::close(fd);
  return connected;
}

}  // namespace

Result<void> startByUnit(Stage& stage, const std::string& name, const ServiceUnit& unit,
                         std::vector<std::string> argv) {
  ProcessSpec spec = specOf(unit, name);
  if (!argv.empty()) spec.command.argv = std::move(argv);
  const FileOwner owner{unit.user.empty() ? "root" : unit.user,
                        unit.group.empty() ? (unit.user.empty() ? "root" : unit.user) : unit.group};
  for (const std::string& folder : unit.runtimeDirectories)
    if (auto made = makeFolder("/run/" + folder, unit.runtimeDirectoryMode, owner); !made) return made;
  for (const std::string& folder : unit.stateDirectories)
    if (auto made = makeFolder("/var/lib/" + folder, unit.stateDirectoryMode, owner); !made) return made;
  return stage.supervisor->start(spec);
}

Result<std::string> shippedFile(const Stage& stage, const std::string& relativePath, const TemplateValues& values) {
  const auto text = readFile(stage.layout.source + "/" + relativePath);
  if (!text) return pass(text);
  return fillTemplate(*text, values);
}

Result<void> installShipped(const Stage& stage, const std::string& relativePath, const std::string& target,
                            const TemplateValues& values, mode_t mode, const FileOwner& owner) {
  const auto text = shippedFile(stage, relativePath, values);
  if (!text) return pass(text);
  return writeFile(target, *text, mode, owner);
}

Result<void> waitForPort(const Stage& stage, const std::string& what, const std::string& address, std::uint16_t port) {
  std::string failure;
  auto done = waitFor(fmt::format("{} at {}:{}", what, address, port), kStartDeadline, [&] {
    failure = stage.supervisor->firstFailure();
    return !failure.empty() || accepts(address, port);
  });
  if (!failure.empty()) return fail(Errc::unavailable, what, failure);
  return done;
}

Result<std::string> runTool(const std::vector<std::string>& argv, std::string_view input,
                            std::chrono::milliseconds timeout) {
  Command command;
  command.argv = argv;
  auto outcome = run(command, input, timeout);
  if (!outcome) return pass(outcome);
  if (outcome->exitStatus != 0)
    return fail(Errc::unavailable, fmt::format("{}", fmt::join(argv, " ")),
                fmt::format("ended with status {}", outcome->exitStatus), outcome->errors + outcome->output);
  return std::move(outcome->output);
}

}  // namespace mailzone::harness
