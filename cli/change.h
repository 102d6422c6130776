// Pieces that many verbs share.
#pragma once

#include <string>

#include "cli/context.h"
#include "cli/verb.h"

namespace mailzone::cli {

/// {"schema", "changed", "dry_run"}: how the document of a verb that changes something begins.
[[nodiscard]] Document changeDocument(const Context& context, std::string_view name, bool changed);
/// "added tenant t1", or "... is there already, unchanged", with a note in front when it is a dry run.
[[nodiscard]] std::string changeText(const Context& context, bool changed, const std::string& done,
                                     const std::string& unchanged);
/// Errc::conflict for a row that is there with other values; "" in `differences` means that it is the same.
[[nodiscard]] Result<void> sameOrConflict(const std::string& name, const std::string& differences, bool ifNotExists);

/// "HOST=ADDRESS", several of them, addresses of one host together.
[[nodiscard]] Result<std::vector<tenantdb::NameServer>> readNameServers(const std::vector<std::string>& texts);

/// A word option that must be one of an enum's.
template <class Enum>
[[nodiscard]] Result<std::optional<Enum>> readEnum(const Arguments& arguments, const std::string& option) {
  if (!arguments.has(option)) return std::optional<Enum>();
  const auto value = parseWord<Enum>(arguments.text(option));
  if (!value) return pass(value);
  return std::optional<Enum>(*value);
}

}  // namespace mailzone::cli
