// PowerDNS's side of the remote protocol, to ask the backend what its replica says.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/rr.h"

namespace mailzone::cli {

class RemoteClient {
 public:
  /// Connects and sends `initialize`. Errc::unavailable: nobody listens, or it has no replica yet.
  [[nodiscard]] static Result<std::unique_ptr<RemoteClient>> connect(const std::string& socket,
                                                                     std::chrono::milliseconds timeout);
  ~RemoteClient();
  RemoteClient(const RemoteClient&) = delete;
  RemoteClient& operator=(const RemoteClient&) = delete;

  /// All records of exactly this name. Errc::temporary: a reply without a result, which PowerDNS makes a SERVFAIL.
  [[nodiscard]] Result<std::vector<RRset>> lookup(const DnsName& name);

 private:
  RemoteClient(int socket, std::string path, std::chrono::milliseconds timeout)
      : socket_(socket), path_(std::move(path)), timeout_(timeout) {}
  [[nodiscard]] Result<std::string> exchange(const std::string& line);

  int socket_;
  std::string path_;
  std::chrono::milliseconds timeout_;
};

}  // namespace mailzone::cli
