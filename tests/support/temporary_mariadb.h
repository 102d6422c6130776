// A MariaDB server for one test process: its own data folder, a unix socket in a private folder, and, if asked, a port
// of 127.0.0.1 with TLS. It dies with its parent, however that ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "system/sql.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::test {

class TemporaryMariadb {
 public:
  struct Options {
    bool listen = false;               ///< also on 127.0.0.1, a free port
    std::string certificate, key, ca;  ///< PEM files: TLS on that port; empty: a server without TLS
    std::vector<std::string> extra;    ///< more arguments, such as "--log-bin"
  };
  /// Started and answering; throws std::runtime_error with the server's log when it does not come up in 60 s.
  explicit TemporaryMariadb(const Options& options);
  ~TemporaryMariadb();
  TemporaryMariadb(const TemporaryMariadb&) = delete;
  TemporaryMariadb& operator=(const TemporaryMariadb&) = delete;

  /// The one of this process, started at the first call.
  static TemporaryMariadb& shared();

  [[nodiscard]] const std::string& socket() const noexcept { return socket_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// As root (no password) or another account; `database` may be "".
  [[nodiscard]] Result<std::unique_ptr<sql::Connection>> connect(const std::string& database,
                                                                 const std::string& user = "root",
                                                                 const std::string& password = "") const;
  /// Makes an empty database of a name not used before and returns it.
  [[nodiscard]] std::string newDatabase();
  /// Likewise with the newest schema in it. The first one is ready at once, each more takes a second.
  [[nodiscard]] std::string newMigratedDatabase();
  /// SIGKILL, as a machine that fails. Calls to it then find nobody.
  void kill();

 private:
  TemporaryFolder folder_;
  std::string socket_;
  std::uint16_t port_ = 0;
  int pid_ = -1;
  int databases_ = 0;
  bool readyTaken_ = false;
};

}  // namespace mailzone::test
