// A real NSD on 127.0.0.1 that serves zones from files of its own: another implementation's view of what a zone says.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/dns_name.h"
#include "tests/support/dns_client.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::test {

struct NsdZone {
  DnsName name;
  std::string masterFile;  ///< the file's text
};

/// Runs unprivileged settings in a temporary folder: no control channel, no user change, nothing below /etc or /var.
/// The constructor returns when it answers and throws std::runtime_error with its log when it does not.
class NsdServer {
 public:
  explicit NsdServer(const std::vector<NsdZone>& zones);
  ~NsdServer();
  NsdServer(const NsdServer&) = delete;
  NsdServer& operator=(const NsdServer&) = delete;
  [[nodiscard]] DnsServer server() const { return {"127.0.0.1", port_}; }

 private:
  /// False: it ended before it answered, as when somebody took the port.
  [[nodiscard]] bool start(const std::vector<NsdZone>& zones);
  void stop();

  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace mailzone::test
