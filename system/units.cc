#include "system/units.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

namespace mailzone {
namespace {

using std::chrono::milliseconds;

std::string_view trimmed(std::string_view text) {
  const auto isBlank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && isBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && isBlank(text.back())) text.remove_suffix(1);
  return text;
}

Result<long long> unitOfTime(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, long long>, 17> kUnits{{{"", 1000},
                                                                           {"ms", 1},
                                                                           {"msec", 1},
                                                                           {"s", 1000},
                                                                           {"sec", 1000},
                                                                           {"second", 1000},
                                                                           {"seconds", 1000},
                                                                           {"m", 60'000},
                                                                           {"min", 60'000},
                                                                           {"minute", 60'000},
                                                                           {"minutes", 60'000},
                                                                           {"h", 3'600'000},
                                                                           {"hr", 3'600'000},
                                                                           {"hour", 3'600'000},
                                                                           {"hours", 3'600'000},
                                                                           {"d", 86'400'000},
                                                                           {"day", 86'400'000}}};
  for (const auto& [word, factor] : kUnits)
    if (word == name) return factor;
  return fail(Errc::invalidInput, name, "is no unit of time", "write ms, s, min, h or d");
}

/// The backslash escapes that occur in unit files; an unknown one is kept as it stands.
char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 's':
      return ' ';
    default:
      return c;
  }
}

Result<std::string> specifier(char c, std::string_view unitName) {
  switch (c) {
    case '%':
      return "%";
    case 't':
      return "/run";
    case 'S':
      return "/var/lib";
    case 'C':
      return "/var/cache";
    case 'L':
      return "/var/log";
    case 'E':
      return "/etc";
    case 'n':
      return std::string(unitName);
    default:
      return fail(Errc::invalidInput, std::string("%") + c, "is a specifier that is not supported here",
                  "write the path out, or use %t, %S, %C, %L, %E");
  }
}

class Parser {
 public:
  Result<ServiceUnit> parse(const std::vector<UnitText>& files);

 private:
  Result<void> file(const UnitText& source);
  Result<void> assign(std::string_view section, std::string_view key, std::string_view value);
  Result<void> assignTime(std::string_view key, std::string_view value, bool& known);
  Result<void> assignList(std::string_view key, std::string_view value, bool& known);
  Result<void> assignCommand(std::vector<std::vector<std::string>>& list, std::string_view value);
  Result<void> assignRestart(std::string_view value);
  Result<void> assignEnvironment(std::string_view value);
  static Result<unsigned> number(std::string_view value, int base);
  std::vector<std::string> expanded(const std::vector<std::string>& words) const;

  ServiceUnit unit_;
  std::vector<std::vector<std::string>> start_;
  std::string name_;
};

Result<unsigned> Parser::number(std::string_view value, int base) {
  unsigned result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result, base);
  if (error != std::errc{} || end != value.data() + value.size())
    return fail(Errc::invalidInput, value, "is no number");
  return result;
}

Result<void> Parser::assignCommand(std::vector<std::vector<std::string>>& list, std::string_view value) {
  if (value.empty()) {
    list.clear();
    return {};
  }
  // Prefixes (ignore failure, full privileges, ...) change how systemd judges a command, not the command.
  while (!value.empty() && std::string_view("-@:+!").find(value.front()) != std::string_view::npos)
    value.remove_prefix(1);
  auto words = splitCommandLine(value, name_);
  if (!words) return pass(words);
  list.push_back(std::move(*words));
  return {};
}

Result<void> Parser::assignRestart(std::string_view value) {
  constexpr std::array<std::pair<std::string_view, Restart>, 7> kWords{{{"no", Restart::no},
                                                                        {"on-success", Restart::onSuccess},
                                                                        {"on-failure", Restart::onFailure},
                                                                        {"on-abnormal", Restart::onAbnormal},
                                                                        {"on-watchdog", Restart::onWatchdog},
                                                                        {"on-abort", Restart::onAbort},
                                                                        {"always", Restart::always}}};
  for (const auto& [word, restart] : kWords)
    if (word == value) {
      unit_.restart = restart;
      return {};
    }
  return fail(Errc::invalidInput, value, "is no value of Restart=", "systemd.service(5) lists them");
}

Result<void> Parser::assignEnvironment(std::string_view value) {
  if (value.empty()) unit_.environment.clear();
  const auto words = splitCommandLine(value, name_);
  if (!words) return pass(words);
  for (const std::string& word : *words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return fail(Errc::invalidInput, word, "Environment= wants NAME=VALUE");
    unit_.environment[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return {};
}

Result<void> Parser::assignTime(std::string_view key, std::string_view value, bool& known) {
  const std::array<std::pair<std::string_view, milliseconds*>, 6> table{
      {{"RestartSec", &unit_.restartDelay},
       {"WatchdogSec", &unit_.watchdog},
       {"TimeoutStartSec", &unit_.startTimeout},
       {"TimeoutStopSec", &unit_.stopTimeout},
       {"StartLimitIntervalSec", &unit_.startLimitInterval},
       {"StartLimitInterval", &unit_.startLimitInterval}}};  // the older name of the same
  for (const auto& [name, field] : table) {
    if (name != key) continue;
    known = true;
    const auto span = parseTimeSpan(value);
    if (!span) return pass(span);
    *field = *span;
  }
  return {};
}

Result<void> Parser::assignList(std::string_view key, std::string_view value, bool& known) {
  const std::array<std::pair<std::string_view, std::vector<std::string>*>, 4> table{
      {{"SupplementaryGroups", &unit_.supplementaryGroups},
       {"AmbientCapabilities", &unit_.ambientCapabilities},
       {"RuntimeDirectory", &unit_.runtimeDirectories},
       {"StateDirectory", &unit_.stateDirectories}}};
  for (const auto& [name, list] : table) {
    if (name != key) continue;
    known = true;
    if (value.empty()) list->clear();
    auto words = splitCommandLine(value, name_);
    if (!words) return pass(words);
    list->insert(list->end(), words->begin(), words->end());
  }
  return {};
}

Result<void> Parser::assign(std::string_view section, std::string_view key, std::string_view value) {
  if (section != "Service" && !key.starts_with("StartLimit")) return {};
  bool known = false;
  if (auto done = assignTime(key, value, known); !done || known) return done;
  if (auto done = assignList(key, value, known); !done || known) return done;
  if (key == "Restart") return assignRestart(value);
  if (key == "Environment") return assignEnvironment(value);
  if (key == "ExecStartPre") return assignCommand(unit_.execStartPre, value);
  if (key == "ExecStartPost") return assignCommand(unit_.execStartPost, value);
  if (key == "ExecStart") return assignCommand(start_, value);
  if (key == "Type") {
    unit_.notify = value.starts_with("notify");
    unit_.forking = value == "forking";
  }
  if (key == "User") unit_.user = value;
  if (key == "Group") unit_.group = value;
  if (key == "WorkingDirectory") unit_.workingDirectory = value;
  const std::array<std::pair<std::string_view, unsigned*>, 3> octal{
      {{"UMask", &unit_.umask},
       {"RuntimeDirectoryMode", &unit_.runtimeDirectoryMode},
       {"StateDirectoryMode", &unit_.stateDirectoryMode}}};
  for (const auto& [name, field] : octal) {
    if (name != key) continue;
    const auto mode = number(value, 8);
    if (!mode) return pass(mode);
    *field = *mode;
  }
  if (key == "StartLimitBurst") {
    const auto burst = number(value, 10);
    if (!burst) return pass(burst);
    unit_.startLimitBurst = *burst;
  }
  return {};
}

Result<void> Parser::file(const UnitText& source) {
  std::istringstream lines(source.text);
  std::string section, line, logical;
  std::size_t number = 0;
  while (std::getline(lines, line)) {
    ++number;
    const std::string_view stripped = trimmed(line);
    if (logical.empty() && stripped.empty()) continue;
    if (!stripped.empty() && (stripped.front() == '#' || stripped.front() == ';'))
      continue;  // within a continuation too
    if (stripped.ends_with('\\')) {
      logical += std::string(stripped.substr(0, stripped.size() - 1)) + " ";
      continue;
    }
    logical += stripped;
    const std::string whole = std::exchange(logical, {});
    if (whole.front() == '[' && whole.back() == ']') {
      section = whole.substr(1, whole.size() - 2);
      continue;
    }
    const std::size_t equals = whole.find('=');
    auto done = equals == std::string::npos
                    ? Result<void>(fail(Errc::invalidInput, whole, "a line of a unit is [SECTION] or KEY=VALUE"))
                    : assign(section, trimmed(std::string_view(whole).substr(0, equals)),
                             trimmed(std::string_view(whole).substr(equals + 1)));
    if (!done) {
      Error error = done.error();
      error.rule = fmt::format("{}:{}: {}", source.fileName, number, error.rule);
      return tl::unexpected<Error>(std::move(error));
    }
  }
  return {};
}

/// "$NAME" as a word of its own becomes the words of the variable; an unset one disappears (systemd.service(5),
/// COMMAND LINES).
std::vector<std::string> Parser::expanded(const std::vector<std::string>& words) const {
  std::vector<std::string> result;
  for (const std::string& word : words) {
    if (word.size() < 2 || word.front() != '$' || word[1] == '{') {
      result.push_back(word);
      continue;
    }
    const auto found = unit_.environment.find(word.substr(1));
    if (found == unit_.environment.end()) continue;
    std::istringstream parts(found->second);
    for (std::string part; parts >> part;) result.push_back(part);
  }
  return result;
}

Result<ServiceUnit> Parser::parse(const std::vector<UnitText>& files) {
  for (const UnitText& source : files) {
    if (name_.empty()) name_ = source.fileName.substr(source.fileName.rfind('/') + 1);
    if (auto done = file(source); !done) return pass(done);
  }
  if (start_.size() != 1)
    return fail(Errc::invalidInput, name_, fmt::format("has {} ExecStart= lines, not one", start_.size()));
  unit_.execStart = expanded(start_.front());
  return unit_;
}

}  // namespace

Result<milliseconds> parseTimeSpan(std::string_view text) {
  text = trimmed(text);
  if (text == "infinity") return milliseconds{0};
  if (text.empty()) return fail(Errc::invalidInput, text, "is no time span");
  double total = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[digits])) != 0 || text[digits] == '.'))
      ++digits;
    double amount = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, amount);
    if (digits == 0 || error != std::errc{} || end != text.data() + digits)
      return fail(Errc::invalidInput, text, "is no time span", "write for example 500ms, 2s or 1min 30s");
    text = trimmed(text.substr(digits));
    std::size_t letters = 0;
    while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters])) != 0) ++letters;
    const auto factor = unitOfTime(text.substr(0, letters));
    if (!factor) return pass(factor);
    total += amount * static_cast<double>(*factor);
    text = trimmed(text.substr(letters));
  }
  constexpr double kLongest = 1e12;  // some thirty years
  if (total > kLongest) return fail(Errc::limitExceeded, fmt::format("{:.0f}ms", total), "is too long a time span");
  return milliseconds{static_cast<long long>(total)};
}

Result<std::vector<std::string>> splitCommandLine(std::string_view text, std::string_view unitName) {
  std::vector<std::string> words;
  std::string word;
  bool within = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      if (std::exchange(within, false)) words.push_back(std::exchange(word, {}));
      continue;
    }
    if (quote == 0 && !within && (c == '"' || c == '\'')) {
      quote = c;
      within = true;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += unescaped(text[++i]);
      within = true;
    } else if (c == '%' && i + 1 < text.size()) {
      auto value = specifier(text[++i], unitName);
      if (!value) return pass(value);
      word += *value;
      within = true;
    } else {
      word += c;
      within = true;
    }
  }
  if (quote != 0) return fail(Errc::invalidInput, text, "has an opening quote without a closing one");
  if (within) words.push_back(std::move(word));
  return words;
}

Result<ServiceUnit> parseUnit(const std::vector<UnitText>& files) {
  return Parser().parse(files);
}

Result<ServiceUnit> loadUnit(const std::vector<std::string>& paths) {
  std::vector<UnitText> files;
  for (const std::string& path : paths) {
    std::ifstream stream(path);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) return fail(Errc::io, path, "cannot be read", "is the package that brings this unit installed?");
    files.push_back({path, text.str()});
  }
  return parseUnit(files);
}

}  // namespace mailzone
