// `--break WHAT`: one thing made wrong that the scenario files do not know of, by the means that an operator's mistake
// would have: plain SQL, a configuration, a signal. The run must then end with status 1 and the row that shows it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

struct Breakage {
  std::string_view name = {};
  std::string_view what = {};  ///< for the person at the terminal
  std::string_view sql = {};   ///< run by the stock client once the platform stands; "" for none
  std::string_view rows = {};  ///< which rows can show it; the others are not run
  bool relayChangesBodies = false;
  bool reverseZoneLost = false;
  bool customerWithoutDmarc = false;
  std::string_view kill = {};  ///< a process that is stopped before the mails; "" for none
};

[[nodiscard]] std::span<const Breakage> breakages() noexcept;
/// Errc::invalidInput lists the names.
[[nodiscard]] Result<Breakage> breakageOf(std::string_view name);

}  // namespace mailzone::harness
