// The running demo: where its files are, what supervises its daemons, and the small steps that every daemon shares.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/result.h"
#include "harness/syslog_sink.h"
#include "harness/text_file.h"
#include "system/supervisor.h"
#include "system/template.h"

namespace mailzone::harness {

struct Layout {
  std::string source;    ///< the project's tree: snippets, units, scenarios
  std::string programs;  ///< folder of mailzone, mailzone-backend, mailzone-rotate
  std::string work;      ///< logs and mails of this run; outlives it when it fails
  [[nodiscard]] std::string logs() const { return work + "/logs"; }
  [[nodiscard]] std::string mails() const { return work + "/mails"; }
};

enum class Database { sqlite, mysql };

struct Stage {
  Layout layout;
  Database database = Database::sqlite;
  std::unique_ptr<SyslogSink> syslog;
  std::unique_ptr<Supervisor> supervisor;
};

/// How long a daemon may take to answer; generous, since a loaded machine is no fault of the daemon.
inline constexpr std::chrono::seconds kStartDeadline{30};

/// Starts a daemon by its unit: RuntimeDirectory= and StateDirectory= are made, ExecStartPre= is not run. `argv` not
/// empty replaces the unit's command line.
[[nodiscard]] Result<void> startByUnit(Stage& stage, const std::string& name, const ServiceUnit& unit,
                                       std::vector<std::string> argv = {});

/// A shipped file of the source tree with its placeholders filled.
[[nodiscard]] Result<std::string> shippedFile(const Stage& stage, const std::string& relativePath,
                                              const TemplateValues& values);
/// The same, written to `target`.
[[nodiscard]] Result<void> installShipped(const Stage& stage, const std::string& relativePath,
                                          const std::string& target, const TemplateValues& values, mode_t mode = 0644,
                                          const FileOwner& owner = {});

/// Waits until something accepts TCP connections there.
[[nodiscard]] Result<void> waitForPort(const Stage& stage, const std::string& what, const std::string& address,
                                       std::uint16_t port);

/// Runs a tool to its end; a status other than 0 is an Error that holds what it printed.
[[nodiscard]] Result<std::string> runTool(const std::vector<std::string>& argv, std::string_view input = {},
                                          std::chrono::milliseconds timeout = std::chrono::seconds{30});

}  // namespace mailzone::harness
