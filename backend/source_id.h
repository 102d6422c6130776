// Who contributed a record: the unit of derivation. A changed row means that one source is derived again.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone::backend {

/// In order of precedence: where two sources contradict each other at one name, the lower one stands. So what is served
/// does not depend on the order in which changes arrived.
enum class SourceKind : std::uint8_t { staticRecord = 0, zone, platform, pool, domain, departed };

struct SourceId {
  SourceKind kind = SourceKind::staticRecord;
  std::int64_t id = 0;

  friend auto operator<=>(const SourceId&, const SourceId&) = default;
  /// Nine octets whose byte-wise order is the order of precedence.
  [[nodiscard]] std::string key() const;
  [[nodiscard]] static Result<SourceId> fromKey(std::string_view key);
  /// "domain:12"
  [[nodiscard]] std::string text() const;
};

}  // namespace mailzone::backend
