#include "tests/support/pdns_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "system/process.h"

namespace mailzone::test {
namespace {

constexpr std::chrono::seconds kStartTime{20};

/// The shipped snippet with the socket's path put in.
std::string shippedSnippet(const std::string& socket) {
  std::ifstream file(MAILZONE_SOURCE_DIR "/backend/pdns/mailzone.conf");
  std::ostringstream text;
  text << file.rdbuf();
  std::string out = text.str();
  constexpr std::string_view kPath = "/run/mailzone/backend.sock";
  const auto at = out.find("path=" + std::string(kPath));
  if (at == std::string::npos) throw std::runtime_error("the snippet names no socket");
  return out.replace(at + 5, kPath.size(), socket);
}

}  // namespace

PdnsServer::PdnsServer(const std::string& socket) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (start(socket)) return;
  }
  throw std::runtime_error("PowerDNS does not start:\n" + log());
}

PdnsServer::~PdnsServer() {
  stop();
}

bool PdnsServer::start(const std::string& socket) {
  port_ = freePort();
  std::ofstream(folder_.path() + "/pdns.conf")
      << shippedSnippet(socket)
      << fmt::format("local-address=127.0.0.1\nlocal-port={}\nsocket-dir={}\ndaemon=no\nguardian=no\n", port_,
                     folder_.path())
      << "allow-axfr-ips=127.0.0.0/8\nsecurity-poll-suffix=\n";
  Command command;
  command.argv = {"pdns_server", "--config-dir=" + folder_.path()};
  command.logFile = folder_.path() + "/pdns.log";
  const auto started = spawn(command);
  if (!started) throw std::runtime_error(describe(started.error()));
  pid_ = *started;
  DnsQuestion question;
  question.type = rrtype::SOA;
  question.timeout = std::chrono::milliseconds(200);
  for (const auto deadline = std::chrono::steady_clock::now() + kStartTime;
       std::chrono::steady_clock::now() < deadline;) {
    if (query(server(), question)) return true;
    if (!running()) return false;
    ::poll(nullptr, 0, 10);  // a refused connection comes back at once
  }
  stop();
  return false;
}

bool PdnsServer::running() {
  if (pid_ == 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) != pid_) return true;
  pid_ = 0;
  return false;
}

std::string PdnsServer::log() const {
  return tailOfFile(folder_.path() + "/pdns.log", 30);
}

void PdnsServer::stop() {
  if (!running()) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace mailzone::test
