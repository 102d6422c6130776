// A real PowerDNS with the snippet that we ship, on a free port of 127.0.0.1.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/dns_client.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::test {

class PdnsServer {
 public:
  /// Asks the backend at `socket`. Returns when it answers anything; throws std::runtime_error with its log otherwise.
  explicit PdnsServer(const std::string& socket);
  ~PdnsServer();
  PdnsServer(const PdnsServer&) = delete;
  PdnsServer& operator=(const PdnsServer&) = delete;

  [[nodiscard]] DnsServer server() const { return {"127.0.0.1", port_}; }
  [[nodiscard]] bool running();
  [[nodiscard]] std::string log() const;

 private:
  [[nodiscard]] bool start(const std::string& socket);
  void stop();

  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace mailzone::test
