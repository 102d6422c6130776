// The replica in use. The follower puts another one here when a broken file was replaced; readers notice.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "backend/replica.h"

namespace mailzone::backend {

/// Thread-safe.
class ReplicaSlot {
 public:
  explicit ReplicaSlot(std::shared_ptr<Replica> replica) : replica_(std::move(replica)) {}
  [[nodiscard]] std::shared_ptr<Replica> get() const {
    const std::lock_guard guard(mutex_);
    return replica_;
  }
  void set(std::shared_ptr<Replica> replica) {
    const std::lock_guard guard(mutex_);
    replica_ = std::move(replica);
    version_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Replica> replica_;
  std::atomic<std::uint64_t> version_{1};
};

/// One thread's way to read whatever replica is in use.
class ReplicaAccess {
 public:
  explicit ReplicaAccess(const ReplicaSlot& slot) : slot_(slot) {}
  /// A reader that has begun, or nullptr: there is nothing to answer from.
  [[nodiscard]] Replica::Reader* begin() {
    if (const auto version = slot_.version(); version != version_) {
      reader_.reset();
      auto opened = Replica::Reader::open(slot_.get());
      if (!opened) return nullptr;
      reader_.emplace(std::move(*opened));
      version_ = version;
    }
    return reader_->begin() ? &*reader_ : nullptr;
  }

 private:
  const ReplicaSlot& slot_;
  std::uint64_t version_ = 0;
  std::optional<Replica::Reader> reader_;
};

}  // namespace mailzone::backend
