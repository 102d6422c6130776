// Keeps processes alive by the rules of their units: readiness by NOTIFY_SOCKET, Restart=, RestartSec=, the start limit
// and WatchdogSec=, as systemd does. No child outlives it: each one gets SIGKILL when the supervisor's thread ends, and
// its whole process group when the supervisor stops it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "system/process.h"
#include "system/units.h"

namespace mailzone {

struct ProcessSpec {
  std::string name;  ///< unique within a supervisor; also the name of its log and of its notify socket
  Command command;   ///< logFile "": LOGFOLDER/NAME.log. NOTIFY_SOCKET and WATCHDOG_USEC are added.
  bool notify = false;
  Restart restart = Restart::no;
  std::chrono::milliseconds restartDelay{100};
  std::chrono::milliseconds watchdog{0};
  std::chrono::milliseconds startLimitInterval{10'000};
  unsigned startLimitBurst = 5;
};

/// The settings of a unit as a process of that name; the command line and users are the unit's.
[[nodiscard]] ProcessSpec specOf(const ServiceUnit& unit, std::string name);

enum class ProcessState {
  starting,  ///< runs, has not said READY=1 yet
  ready,
  waiting,  ///< ended, and will be started again
  ended,    ///< ended and stays so
};

struct ProcessReport {
  ProcessState state = ProcessState::ended;
  pid_t pid = 0;
  unsigned restarts = 0;
  std::string lastEnd;  ///< "exit status 1", "signal 9 (Killed)", "watchdog", ""
  std::string logFile;
};

class Supervisor {
 public:
  /// Both folders exist. `notifyFolder` holds the sockets NAME.notify, writable for everybody.
  Supervisor(std::string logFolder, std::string notifyFolder);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// Stops everything, the youngest first: SIGTERM, and SIGKILL after a second.
  ~Supervisor();

  /// Returns when the program is executing. Errors: as spawn(), and a name that is taken (Errc::conflict).
  [[nodiscard]] Result<void> start(const ProcessSpec& spec);
  /// READY=1, or running where the spec has notify=false. A process that ended for good is an error at once, with the
  /// last lines of its log.
  [[nodiscard]] Result<void> waitReady(const std::string& name, std::chrono::milliseconds timeout);
  /// No restart. SIGTERM, then SIGKILL for the process group after `timeout`.
  [[nodiscard]] Result<void> stop(const std::string& name, std::chrono::milliseconds timeout);
  /// To the main process.
  [[nodiscard]] Result<void> signal(const std::string& name, int number);
  /// Errc::notFound when there is none of that name.
  [[nodiscard]] Result<ProcessReport> report(const std::string& name) const;
  /// Name and report of the first process that ended without being told to and will not come back.
  [[nodiscard]] std::string firstFailure() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

/// Asks `holds` each few milliseconds until it is true. At the deadline: Errc::temporary naming `what` and the time.
[[nodiscard]] Result<void> waitFor(std::string_view what, std::chrono::milliseconds timeout,
                                   const std::function<bool()>& holds);

}  // namespace mailzone
