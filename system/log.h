// The log of every program: one line on standard error, a constant message and key=value pairs. Callers pass values,
// never sentences, so that a line can be searched by its message; a Secret does not convert, so none can be logged.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone::log {

enum class Level { trace, debug, info, warn, error };
/// "trace", "debug", "info", "warn", "error": what log.level may be.
[[nodiscard]] Result<Level> parseLevel(std::string_view text);

/// One key=value pair. Values are escaped when printed: octets from outside cannot make a second line.
struct Field {
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(text) {}
  Field(std::string_view name, bool flag) : key(name), value(flag ? "yes" : "no") {}
  template <std::integral Number>
  Field(std::string_view name, Number number) : key(name), value(std::to_string(number)) {}
  Field(std::string_view name, const DnsName& domain) : key(name), value(domain.textNoDot()) {}
  Field(std::string_view name, const Error& error) : key(name), value(describe(error)) {}

  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

/// Names the program in each line and sets the least level that is written; again on a reload. Under systemd (its
/// $JOURNAL_STREAM is our standard error) lines begin with the journal's priority instead of a time. Without open():
/// level info, no program name. Thread-safe.
void open(std::string_view program, Level least);
/// Whether a line of this level would be written.
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes `message key=value ...`. Thread-safe, one line each, never throws for what is in the values.
void write(Level level, std::string_view message, Fields fields = {});
inline void trace(std::string_view message, Fields fields = {}) {
  write(Level::trace, message, fields);
}
inline void debug(std::string_view message, Fields fields = {}) {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(Level::error, message, fields);
}

/// The line without time, level and program: for tests.
[[nodiscard]] std::string formatLine(std::string_view message, Fields fields);

}  // namespace mailzone::log
