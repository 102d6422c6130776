// PowerDNS's remote protocol without sockets: a line in, a line out. The transports stay thin.
//
// "Cannot tell" is not "no": `false` and `[]` are authoritative denials to PowerDNS, a reply without `result` is
// SERVFAIL.
#pragma once

#include <string>
#include <string_view>

#include "backend/replica_slot.h"
#include "backend/request.h"

namespace mailzone::backend {

/// One connection's conversation. Not thread-safe; `access` belongs to the same thread.
class Dispatcher {
 public:
  explicit Dispatcher(ReplicaAccess& access) : access_(access) {}

  /// Appends the reply to one request, with its line feed. Never fails: what is wrong with the request is said in the
  /// reply.
  void onLine(std::string_view line, std::string& out);
  [[nodiscard]] std::string onLine(std::string_view line) {
    std::string out;
    onLine(line, out);
    return out;
  }
  /// What is said, once, to a peer whose line is over the limit; it is hung up on afterwards.
  [[nodiscard]] static std::string lineTooLong(std::size_t limit);

 private:
  ReplicaAccess& access_;
  Request request_;
};

}  // namespace mailzone::backend
