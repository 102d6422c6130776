// Private network, mount, pid, host name and IPC namespaces, as `unshare --net --mount --pid --fork --kill-child` makes
// them: nothing that runs in them leaves the machine, or outlives the process that made them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "core/result.h"

namespace mailzone::harness {

/// Runs `inner` in new namespaces and returns its exit status (128 + signal when a signal ended it). Must be called
/// before any thread exists, as root. `inner` runs as the child of a small init that reaps orphans; when any of the
/// three processes dies, by whatever signal, the kernel ends everything in the pid namespace and with it every mount,
/// address and socket.
[[nodiscard]] Result<int> runInNamespaces(const std::string& hostName, const std::function<int()>& inner);

/// The pid of the calling process as the machine outside sees it; before privateFiles() has hidden the outer /proc.
[[nodiscard]] pid_t outerPid();

/// Brings `lo` up and gives it these addresses ("192.0.2.25/32").
[[nodiscard]] Result<void> setUpLoopback(const std::vector<std::string>& addresses);

}  // namespace mailzone::harness
