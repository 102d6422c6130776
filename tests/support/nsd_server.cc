#include "tests/support/nsd_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

#include "system/process.h"

namespace mailzone::test {
namespace {

constexpr std::chrono::seconds kStartTime{20};
constexpr std::chrono::seconds kStopTime{5};

std::string configuration(const std::string& folder, std::uint16_t port, const std::vector<NsdZone>& zones) {
  auto out = fmt::format(
      "server:\n"
      "  server-count: 1\n"
      "  ip-address: 127.0.0.1@{1}\n"
      "  username: \"\"\n"
      "  chroot: \"\"\n"
      "  zonesdir: \"{0}\"\n"
      "  database: \"\"\n"
      "  pidfile: \"{0}/nsd.pid\"\n"
      "  xfrdfile: \"{0}/xfrd.state\"\n"
      "  xfrdir: \"{0}\"\n"
      "  zonelistfile: \"{0}/zone.list\"\n"
      "  minimal-responses: yes\n"
      "  round-robin: no\n"
      "  rrl-ratelimit: 0\n"
      "  rrl-whitelist-ratelimit: 0\n"
      "remote-control:\n"
      "  control-enable: no\n",
      folder, port);
  for (std::size_t i = 0; i < zones.size(); ++i) {
    out += fmt::format("zone:\n  name: \"{}\"\n  zonefile: \"zone{}\"\n", zones[i].name.text(), i);
  }
  return out;
}

}  // namespace

NsdServer::NsdServer(const std::vector<NsdZone>& zones) {
  for (std::size_t i = 0; i < zones.size(); ++i) {
    std::ofstream(fmt::format("{}/zone{}", folder_.path(), i)) << zones[i].masterFile;
  }
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (start(zones)) return;
  }
  throw std::runtime_error("NSD does not start:\n" + tailOfFile(folder_.path() + "/nsd.log", 20));
}

NsdServer::~NsdServer() {
  stop();
}

bool NsdServer::start(const std::vector<NsdZone>& zones) {
  port_ = freePort();
  std::ofstream(folder_.path() + "/nsd.conf") << configuration(folder_.path(), port_, zones);
  Command command;
  command.argv = {"nsd", "-d", "-c", folder_.path() + "/nsd.conf"};
  command.logFile = folder_.path() + "/nsd.log";
  const auto started = spawn(command);
  if (!started) throw std::runtime_error(describe(started.error()));
  pid_ = *started;
  DnsQuestion question;
  question.name = zones.front().name;
  question.type = rrtype::SOA;
  question.timeout = std::chrono::milliseconds(200);
  for (const auto deadline = std::chrono::steady_clock::now() + kStartTime;
       std::chrono::steady_clock::now() < deadline;) {
    const auto reply = query(server(), question);
    if (reply && reply->authoritative) return true;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return false;
    }
    ::poll(nullptr, 0, 10);  // a refused connection comes back at once
  }
  stop();
  return false;
}

void NsdServer::stop() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);  // it ends its own children
  const auto deadline = std::chrono::steady_clock::now() + kStopTime;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(-pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      break;
    }
    ::poll(nullptr, 0, 5);
  }
  pid_ = 0;
}

}  // namespace mailzone::test
