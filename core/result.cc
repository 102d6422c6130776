#include "core/result.h"

#include <fmt/format.h>

namespace mailzone {

std::string_view errcName(Errc code) noexcept {
  switch (code) {
    case Errc::invalidInput:
      return "invalid_input";
    case Errc::limitExceeded:
      return "limit_exceeded";
    case Errc::notFound:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::forbidden:
      return "forbidden";
    case Errc::temporary:
      return "temporary";
    case Errc::unavailable:
      return "unavailable";
    case Errc::schemaVersion:
      return "schema_version";
    case Errc::settings:
      return "settings";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

int exitStatus(Errc code) noexcept {
  switch (code) {
    case Errc::unavailable:
      return 69;
    case Errc::temporary:
      return 75;
    case Errc::schemaVersion:
    case Errc::settings:
      return 78;
    default:
      return 1;
  }
}

std::string describe(const Error& error) {
  std::string line;
  if (!error.value.empty()) line += '"' + error.value + "\": ";
  line += error.rule;
  if (!error.remedy.empty()) line += "; " + error.remedy;
  return line;
}

std::string escapeForDisplay(std::string_view bytes, std::size_t limit) {
  std::string text;
  for (const char c : bytes.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e) {
      text += fmt::format("\\{:03d}", byte);
    } else {
      text += c;
    }
  }
  if (bytes.size() > limit) text += "...";
  return text;
}

tl::unexpected<Error> fail(Errc code, std::string_view value, std::string rule, std::string remedy) {
  return tl::unexpected<Error>(Error{code, escapeForDisplay(value), std::move(rule), std::move(remedy)});
}

}  // namespace mailzone
