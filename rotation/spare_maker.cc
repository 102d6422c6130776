#include "rotation/spare_maker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace mailzone::rotation {

SpareMaker::SpareMaker(const Clock& clock, Generate generate, std::function<void()> onKey)
    : clock_(clock), generate_(std::move(generate)), onKey_(std::move(onKey)), thread_([this] { work(); }) {}

SpareMaker::~SpareMaker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SpareMaker::want(std::int64_t count) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = count;
  }
  wake_.notify_all();
}

std::vector<tenantdb::NewKey> SpareMaker::takeKeys() {
  const std::lock_guard lock(mutex_);
  wanted_ -= static_cast<std::int64_t>(ready_.size());
  return std::exchange(ready_, {});
}

std::optional<Error> SpareMaker::takeError() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, std::nullopt);
}

void SpareMaker::work() {
  // On Linux this is the thread's own priority. When it is refused, keys are made at the normal one.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || wanted_ > static_cast<std::int64_t>(ready_.size()); });
    if (stop_) return;
    lock.unlock();
    auto key = generate_(clock_.now());
    lock.lock();
    if (key) {
      ready_.push_back(std::move(*key));
    } else {
      error_ = key.error();
      wanted_ = 0;  // asked again by the next want()
    }
    if (onKey_) onKey_();
  }
}

}  // namespace mailzone::rotation
