// What a log daemon would do, small: reads /dev/log and writes one file per program ("opendkim.log", "postfix.log").
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone::harness {

class SyslogSink {
 public:
  /// Reads from start() until destroyed, in a thread of its own.
  [[nodiscard]] static Result<std::unique_ptr<SyslogSink>> start(const std::string& socketPath,
                                                                 const std::string& logFolder);
  SyslogSink(const SyslogSink&) = delete;
  SyslogSink& operator=(const SyslogSink&) = delete;
  ~SyslogSink();

 private:
  struct State;
  explicit SyslogSink(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// "<22>Nov 25 10:20:00 postfix/smtp[12]: text" -> the line without its priority and the program's name up to "/" or
/// "[" ("other" when there is none).
struct SyslogLine {
  std::string program, line;
};
[[nodiscard]] SyslogLine parseSyslogLine(std::string_view datagram);

}  // namespace mailzone::harness
