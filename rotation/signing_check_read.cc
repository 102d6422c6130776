// The reading half of signing_check.h: postconf's output and opendkim.conf become values.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "rotation/signing_check.h"
#include "system/process.h"

namespace mailzone::rotation {
namespace {

constexpr std::size_t kMaxFile = 4U << 20U;
constexpr int kMaxIncludes = 20;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string lower(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return folded;
}

/// `name = value`; nullopt for other lines.
std::optional<std::pair<std::string, std::string>> assignment(std::string_view line) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  return std::pair{std::string(trimmed(line.substr(0, equals))), std::string(trimmed(line.substr(equals + 1)))};
}

/// `$name`, `${name}` and `$(name)`; Postfix's conditional forms are left as they are.
std::string expand(std::string_view text, const std::function<std::string(const std::string&)>& valueOf, int depth) {
  std::string expanded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$' || at + 1 == text.size() || depth == 0) {
      expanded += text[at];
      continue;
    }
    const char open = text[at + 1];
    const bool bracketed = open == '{' || open == '(';
    const std::size_t begin = at + (bracketed ? 2 : 1);
    std::size_t end = begin;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
    const bool closed = !bracketed || (end < text.size() && text[end] == (open == '{' ? '}' : ')'));
    if (end == begin || !closed) {
      expanded += text[at];
      continue;
    }
    expanded += expand(valueOf(std::string(text.substr(begin, end - begin))), valueOf, depth - 1);
    at = bracketed ? end : end - 1;
  }
  return expanded;
}

Result<std::string> readSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::settings, path, std::strerror(errno), "name a file that can be read");
  std::string text;
  char buffer[4096];
  while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMaxFile) return fail(Errc::limitExceeded, path, "a configuration file has at most 4 MiB");
  }
  return text;
}

Result<std::string> postconf(const std::string& folder, const std::string& option) {
  Command command;
  command.argv = {"postconf", "-c", folder};
  if (!option.empty()) command.argv.push_back(option);
  const auto ran = run(command, "", std::chrono::seconds{20});
  if (!ran) {
    return fail(ran.error().code == Errc::notFound ? Errc::unavailable : ran.error().code, "postconf", ran.error().rule,
                "install Postfix");
  }
  if (ran->exitStatus != 0) {
    return fail(Errc::settings, folder, "postconf refuses this folder: " + escapeForDisplay(trimmed(ran->errors)),
                "name the folder of main.cf and master.cf");
  }
  return ran->output;
}

/// The text of `refile:PATH`, `file:PATH` or a plain path.
std::optional<std::string> fileOfDataset(const std::string& dataset) {
  std::string path = dataset;
  for (const std::string_view prefix : {"refile:", "file:"}) {
    if (path.compare(0, prefix.size(), prefix) == 0) path.erase(0, prefix.size());
  }
  if (path.empty() || path.front() != '/') return std::nullopt;
  const auto text = readSmallFile(path);
  return text ? std::optional(*text) : std::nullopt;
}

Result<void> parseInto(OpenDkimConfiguration& configuration, std::string_view text, int includes) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::string_view content = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (content.empty()) continue;
    const auto gap = content.find_first_of(" \t");
    if (gap == std::string_view::npos) {
      return fail(Errc::settings, content, "a line of opendkim.conf is a name and a value", "give it a value");
    }
    const std::string name = lower(content.substr(0, gap));
    const std::string value(trimmed(content.substr(gap)));
    if (name != "include") {
      configuration.settings[name] = value;
      continue;
    }
    if (includes == 0) return fail(Errc::limitExceeded, value, "too many files include each other");
    const auto included = readSmallFile(value);
    if (!included) return pass(included);
    if (auto done = parseInto(configuration, *included, includes - 1); !done) return done;
  }
  return {};
}

}  // namespace

std::string PostfixConfiguration::value(const std::string& parameter) const {
  return valueFor({}, parameter);
}

std::string PostfixConfiguration::valueFor(const PostfixService& service, const std::string& parameter) const {
  const auto look = [&](const std::string& name) -> std::string {
    if (const auto own = service.overrides.find(name); own != service.overrides.end()) return own->second;
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  return std::string(trimmed(expand(look(parameter), look, 10)));
}

Result<PostfixConfiguration> parsePostfix(std::string_view parameters, std::string_view services,
                                          std::string_view overrides) {
  PostfixConfiguration configuration;
  std::istringstream parameterLines{std::string(parameters)};
  for (std::string line; std::getline(parameterLines, line);) {
    if (auto one = assignment(line)) configuration.parameters.insert_or_assign(one->first, one->second);
  }
  std::istringstream serviceLines{std::string(services)};
  for (std::string line; std::getline(serviceLines, line);) {
    // name type private unprivileged chroot wakeup maxproc command
    std::istringstream words(line);
    PostfixService service;
    std::string skipped;
    words >> service.name >> service.type;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> service.command;
    if (!service.command.empty()) configuration.services.push_back(std::move(service));
  }
  std::istringstream overrideLines{std::string(overrides)};
  for (std::string line; std::getline(overrideLines, line);) {
    const auto one = assignment(line);
    if (!one) continue;
    // name/type/parameter = value
    const auto last = one->first.rfind('/');
    const auto middle = last == std::string::npos || last == 0 ? std::string::npos : one->first.rfind('/', last - 1);
    if (middle == std::string::npos) continue;
    for (PostfixService& service : configuration.services) {
      if (service.name == one->first.substr(0, middle) &&
          service.type == one->first.substr(middle + 1, last - middle - 1)) {
        service.overrides[one->first.substr(last + 1)] = one->second;
      }
    }
  }
  if (configuration.parameters.empty() || configuration.services.empty()) {
    return fail(Errc::settings, {}, "postconf shows no parameters or no services", "see: postconf; postconf -M");
  }
  return configuration;
}

Result<PostfixConfiguration> readPostfix(const std::string& folder) {
  const auto parameters = postconf(folder, "");
  if (!parameters) return pass(parameters);
  const auto services = postconf(folder, "-M");
  if (!services) return pass(services);
  const auto overrides = postconf(folder, "-P");
  if (!overrides) return pass(overrides);
  return parsePostfix(*parameters, *services, *overrides);
}

Result<OpenDkimConfiguration> parseOpenDkim(std::string_view text) {
  OpenDkimConfiguration configuration;
  if (auto parsed = parseInto(configuration, text, kMaxIncludes); !parsed) return pass(parsed);
  if (const auto table = configuration.settings.find("signingtable"); table != configuration.settings.end()) {
    configuration.signingTable = fileOfDataset(table->second);
  }
  if (const auto script = configuration.settings.find("setuppolicyscript"); script != configuration.settings.end()) {
    configuration.script = fileOfDataset(script->second);
  }
  return configuration;
}

Result<OpenDkimConfiguration> readOpenDkim(const std::string& file) {
  const auto text = readSmallFile(file);
  if (!text) return pass(text);
  return parseOpenDkim(*text);
}

}  // namespace mailzone::rotation
