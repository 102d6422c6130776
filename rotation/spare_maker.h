// Makes spare keys ahead, in a thread of low priority: key generation is the cost, and no domain waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "tenantdb/secret/secret_store.h"

namespace mailzone::rotation {

/// Holds no connection: the keeper's thread takes the keys and writes them.
class SpareMaker {
 public:
  using Generate = std::function<Result<tenantdb::NewKey>(TimePoint)>;
  /// `onKey` is called in the maker's thread after each key.
  SpareMaker(const Clock& clock, Generate generate, std::function<void()> onKey);
  SpareMaker(const SpareMaker&) = delete;
  SpareMaker& operator=(const SpareMaker&) = delete;
  ~SpareMaker();  ///< waits for the key under way

  /// How many keys are to be ready or taken from now on; replaces what was wanted before.
  void want(std::int64_t count);
  [[nodiscard]] std::vector<tenantdb::NewKey> takeKeys();
  /// What generation said last, if it failed.
  [[nodiscard]] std::optional<Error> takeError();

 private:
  void work();

  const Clock& clock_;
  Generate generate_;
  std::function<void()> onKey_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::int64_t wanted_ = 0;
  std::vector<tenantdb::NewKey> ready_;
  std::optional<Error> error_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace mailzone::rotation
