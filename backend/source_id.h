// Who contributed a record: the unit of derivation. A changed row means that one source is derived again.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone::backend {

enum class SourceKind : std::uint8_t { staticRecord = 0, zone, platform, pool, domain, departed };

struct SourceId {
  SourceKind kind = SourceKind::staticRecord;
  std::int64_t id = 0;

  friend auto operator<=>(const SourceId&, const SourceId&) = default;
  /// Nine octets that sort as the ids do.
  [[nodiscard]] std::string key() const;
  [[nodiscard]] static Result<SourceId> fromKey(std::string_view key);
  /// "domain:12"
  [[nodiscard]] std::string text() const;
};

}  // namespace mailzone::backend
