// A file system of the demo's own over the machine's: /etc as a copy, /run, /tmp, /var/lib, /var/spool, /var/log and
// /dev empty, all in memory and seen by the namespace alone. What daemons write there is gone with it.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace mailzone::harness {

/// Call inside the mount namespace. `visible`: folders that stay as they are though they lie below one of those above
/// (the source tree, the programs, the folder of logs). Relative paths and symbolic links are resolved first.
[[nodiscard]] Result<void> makeFilesPrivate(const std::vector<std::string>& visible);

/// Puts `program` at `path` by a bind mount, so that users who may not enter the folder where it was built can run it.
[[nodiscard]] Result<void> exposeProgram(const std::string& program, const std::string& path);

}  // namespace mailzone::harness
