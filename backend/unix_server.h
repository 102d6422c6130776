// The unix-socket transport: accepts PowerDNS's connections and hands lines to a Dispatcher each. Knows no DNS.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "backend/replica_slot.h"
#include "core/result.h"

namespace mailzone::backend {

/// One thread: run() answers and calls back; the other members are for the same thread, but stop().
class UnixServer {
 public:
  struct Options {
    std::string path;
    std::string group;                           ///< who may connect besides our own user; "" for nobody
    std::size_t maxLine = std::size_t{1} << 20;  ///< octets of a request
    std::size_t maxConnections = 1024;
    std::chrono::milliseconds partial{10000};  ///< a request that has begun must be whole, a reply taken, in this time
    std::chrono::milliseconds tick{500};       ///< how often onTick is called
  };
  UnixServer(const ReplicaSlot& slot, Options options);
  ~UnixServer();
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;

  /// Binds and listens. A socket that nobody listens on any more is replaced; Errc::unavailable: a live one is in use.
  [[nodiscard]] Result<void> listen();
  /// Serves until stop(). `onTick` is called from the loop that answers: it stops when answering stops.
  void run(const std::function<void()>& onTick);
  void stop() noexcept;  ///< thread-safe and asynchronous
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mailzone::backend
