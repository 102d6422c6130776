#include "system/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

namespace mailzone::log {
namespace {

constexpr std::array<std::pair<Level, std::string_view>, 5> kLevels = {{{Level::trace, "trace"},
                                                                        {Level::debug, "debug"},
                                                                        {Level::info, "info"},
                                                                        {Level::warn, "warn"},
                                                                        {Level::error, "error"}}};

spdlog::level::level_enum spdlogLevel(Level level) noexcept {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// sd-daemon(3): syslog's priorities.
std::string_view journalPriority(Level level) noexcept {
  switch (level) {
    case Level::trace:
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warn:
      return "<4>";
    case Level::error:
      return "<3>";
  }
  return "<3>";
}

/// systemd.exec(5): $JOURNAL_STREAM is "DEVICE:INODE" of the stream that leads to the journal; a program whose
/// standard error was sent elsewhere still inherits the variable.
bool standardErrorIsJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

struct Log {
  Log() : logger("mailzone", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_level(spdlog::level::info);
    logger.flush_on(spdlog::level::trace);
    setPattern("");
  }
  void setPattern(std::string_view program) {
    journal = standardErrorIsJournal();
    if (journal) {
      logger.set_pattern("%v");
      return;
    }
    logger.set_pattern(
        fmt::format("%Y-%m-%dT%H:%M:%S.%fZ %l {}%v", program.empty() ? "" : fmt::format("{}: ", program)),
        spdlog::pattern_time_type::utc);
  }
  spdlog::logger logger;
  std::atomic<bool> journal = false;
  std::mutex opening;
};

Log& theLog() {
  static Log log;
  return log;
}

bool needsQuotes(std::string_view value) noexcept {
  return value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
}

}  // namespace

Result<Level> parseLevel(std::string_view text) {
  for (const auto& [level, name] : kLevels) {
    if (name == text) return level;
  }
  return fail(Errc::invalidInput, text, "not a log level", "write one of trace, debug, info, warn, error");
}

void open(std::string_view program, Level least) {
  Log& log = theLog();
  const std::lock_guard lock(log.opening);
  log.logger.set_level(spdlogLevel(least));
  log.setPattern(program);
}

bool enabled(Level level) noexcept {
  return theLog().logger.should_log(spdlogLevel(level));
}

void write(Level level, std::string_view message, Fields fields) {
  Log& log = theLog();
  if (!log.logger.should_log(spdlogLevel(level))) return;
  std::string line = formatLine(message, fields);
  if (log.journal) line.insert(0, journalPriority(level));
  log.logger.log(spdlogLevel(level), line);
}

std::string formatLine(std::string_view message, Fields fields) {
  std::string line(message);
  for (const Field& field : fields) {
    const std::string shown = escapeForDisplay(field.value, 1000);
    line += ' ';
    line += field.key;
    line += '=';
    if (!needsQuotes(shown)) {
      line += shown;
      continue;
    }
    line += '"';
    for (const char c : shown) {
      if (c == '"') line += '\\';
      line += c;
    }
    line += '"';
  }
  return line;
}

}  // namespace mailzone::log
