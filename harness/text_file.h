// Configuration files of the daemons: written whole, with owner and mode set before the content is there.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone::harness {

struct FileOwner {
  std::string user = "root", group = "root";
};

/// Replaces the file. Folders above it must exist.
[[nodiscard]] Result<void> writeFile(const std::string& path, std::string_view content, mode_t mode = 0644,
                                     const FileOwner& owner = {});
[[nodiscard]] Result<std::string> readFile(const std::string& path);
/// Makes the folder and those above it; owner and mode are those of the last one.
[[nodiscard]] Result<void> makeFolder(const std::string& path, mode_t mode = 0755, const FileOwner& owner = {});

}  // namespace mailzone::harness
