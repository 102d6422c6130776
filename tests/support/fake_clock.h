// A clock that stands still until told otherwise.
#pragma once

#include "core/clock.h"

namespace mailzone {

struct FakeClock final : Clock {
  mutable TimePoint time = parseSqlTime("2026-11-25 10:00:00").value();
  std::chrono::microseconds step{0};  ///< passes at each look
  [[nodiscard]] TimePoint now() const override {
    const TimePoint seen = time;
    time += step;
    return seen;
  }
};

}  // namespace mailzone
