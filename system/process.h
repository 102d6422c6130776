// Starting one process: as a user, with a log file, and bound to the life of whoever started it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone {

/// What exec needs. Everything that can fail by a wrong value (user, group, log file) is looked up before the fork.
struct Command {
  std::vector<std::string> argv;  ///< argv[0] is a path, or a name looked for in PATH
  std::string user, group;        ///< "": as the caller
  std::vector<std::string> supplementaryGroups;
  /// Kept over the change of user: CAP_KILL, CAP_CHOWN, CAP_NET_BIND_SERVICE. Others are an error.
  std::vector<std::string> ambientCapabilities;
  std::map<std::string, std::string> environment;  ///< the whole environment, but for PATH, which is always there
  std::string workingDirectory = "/";
  unsigned umask = 0022;
  std::string logFile;  ///< standard output and error are appended here; "": /dev/null
};

/// The PATH that every process started here gets.
inline constexpr std::string_view kProcessPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Forks and executes. The child leads a session and process group of its own and gets SIGKILL when the *thread* that
/// called this ends (PR_SET_PDEATHSIG is bound to a thread), so the calling thread must live as long as the child
/// should. Errors: a missing program, user or group, each by name.
[[nodiscard]] Result<pid_t> spawn(const Command& command);

struct CommandOutcome {
  int exitStatus = 0;  ///< 128 + signal when a signal ended it
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// Runs to the end. Output above `outputLimit` octets, and a run longer than `timeout`, are errors (and the process
/// group is killed). `input` is written to standard input.
[[nodiscard]] Result<CommandOutcome> run(const Command& command, std::string_view input,
                                         std::chrono::milliseconds timeout, std::size_t outputLimit = 16U << 20U);

/// The last lines of a log file, for an error message; "" when it cannot be read.
[[nodiscard]] std::string tailOfFile(const std::string& path, std::size_t lines);

}  // namespace mailzone
