// Time is passed in. Nothing in this project reads a clock but through this interface.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone {

/// UTC, in microseconds: what a DATETIME(6) column holds.
using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// The machine's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override;
};

/// "2026-11-25 09:51:08.000000": the form in which both databases store times (UTC).
[[nodiscard]] std::string printSqlTime(TimePoint time);
/// Reads what printSqlTime writes; fractions of 0 to 6 digits, "T" or blank in the middle, an optional final "Z".
[[nodiscard]] Result<TimePoint> parseSqlTime(std::string_view text);

}  // namespace mailzone
