// What every program of ours that runs in the foreground does at its start and tells its supervisor.
#pragma once

#include <string_view>

#include "core/result.h"

namespace mailzone {

/// Tells whoever supervises this process (sd_notify(3)): "READY=1", "WATCHDOG=1", "STOPPING=1". Nothing to do, and no
/// error, without $NOTIFY_SOCKET. Never waits: Errc::temporary when the supervisor does not read.
[[nodiscard]] Result<void> notifySupervisor(std::string_view state);

/// No core file and no debugger of the same user: memory that held keys and passwords reaches no disk.
[[nodiscard]] Result<void> forbidCoreDumps();

}  // namespace mailzone
