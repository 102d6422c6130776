// Reads the part of a systemd service unit, and of its drop-ins, that a supervisor without systemd can honour. The same
// files are installed for systemd, so that what the harness runs is what is shipped.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone {

enum class Restart { no, onSuccess, onFailure, onAbnormal, onWatchdog, onAbort, always };

/// The defaults are systemd's (systemd.service(5), systemd.unit(5)). Settings that are not listed here (sandboxing,
/// ordering) are skipped: they change what a process may, not how it is started and kept alive.
struct ServiceUnit {
  bool notify = false;   ///< Type=notify or notify-reload; else started means ready
  bool forking = false;  ///< Type=forking: its ExecStart puts itself into the background
  std::vector<std::vector<std::string>> execStartPre;
  std::vector<std::string> execStart;
  std::vector<std::vector<std::string>> execStartPost;
  std::string user, group;
  std::vector<std::string> supplementaryGroups;
  std::vector<std::string> ambientCapabilities;  ///< what a process of another user keeps, such as CAP_KILL
  std::map<std::string, std::string> environment;
  std::vector<std::string> runtimeDirectories;  ///< RuntimeDirectory=, names below /run
  std::vector<std::string> stateDirectories;    ///< StateDirectory=, names below /var/lib
  unsigned runtimeDirectoryMode = 0755, stateDirectoryMode = 0755;
  std::string workingDirectory = "/";
  unsigned umask = 0022;
  Restart restart = Restart::no;
  std::chrono::milliseconds restartDelay{100};           ///< RestartSec=
  std::chrono::milliseconds watchdog{0};                 ///< WatchdogSec=; 0: none
  std::chrono::milliseconds startTimeout{90'000};        ///< TimeoutStartSec=; 0: none
  std::chrono::milliseconds stopTimeout{90'000};         ///< TimeoutStopSec=
  std::chrono::milliseconds startLimitInterval{10'000};  ///< StartLimitIntervalSec=; 0: never gives up
  unsigned startLimitBurst = 5;
};

/// "2s", "500ms", "1min 30s", "infinity" (0 here), a plain number of seconds (systemd.time(7)).
[[nodiscard]] Result<std::chrono::milliseconds> parseTimeSpan(std::string_view text);

/// Splits as systemd does: blanks, quotes, backslash escapes; "%%", "%t" (/run), "%S" (/var/lib), "%E" (/etc), "%n".
[[nodiscard]] Result<std::vector<std::string>> splitCommandLine(std::string_view text, std::string_view unitName);

/// `files`: the unit, then its drop-ins in their order. An empty assignment resets a list, as in systemd.
struct UnitText {
  std::string fileName, text;
};
[[nodiscard]] Result<ServiceUnit> parseUnit(const std::vector<UnitText>& files);
/// Reads them from disk.
[[nodiscard]] Result<ServiceUnit> loadUnit(const std::vector<std::string>& paths);

}  // namespace mailzone
