#include "system/template.h"

#include <functional>
#include <set>

namespace mailzone {
namespace {

bool isNameStart(char c) {
  return c >= 'A' && c <= 'Z';
}

bool isNameChar(char c) {
  return isNameStart(c) || (c >= '0' && c <= '9') || c == '_';
}

/// Length of the placeholder that begins at `at` with its two '@', or 0.
std::size_t placeholderAt(std::string_view text, std::size_t at) {
  if (text[at] != '@' || at + 2 >= text.size() || !isNameStart(text[at + 1])) return 0;
  std::size_t end = at + 2;
  while (end < text.size() && isNameChar(text[end])) ++end;
  return end < text.size() && text[end] == '@' ? end + 1 - at : 0;
}

}  // namespace

Result<std::string> fillTemplate(std::string_view text, const TemplateValues& values) {
  std::string filled;
  filled.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = placeholderAt(text, at);
    if (length == 0) {
      filled += text[at++];
      continue;
    }
    const std::string_view whole = text.substr(at, length);
    const auto value = values.find(std::string(whole.substr(1, length - 2)));
    if (value == values.end()) {
      return fail(Errc::notFound, whole, "this placeholder has no value", "give it one");
    }
    if (value->second.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return fail(Errc::invalidInput, whole, "the value of a placeholder is one line", "remove the line break");
    }
    filled += value->second;
    at += length;
  }
  return filled;
}

std::vector<std::string> placeholdersOf(std::string_view text) {
  std::set<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = placeholderAt(text, at);
    if (length != 0) names.emplace(text.substr(at + 1, length - 2));
    at += length == 0 ? 1 : length;
  }
  return {names.begin(), names.end()};
}

}  // namespace mailzone
