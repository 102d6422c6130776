// From argv to a verb and its arguments. The parser's library stands in command_line.cc alone.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/verb.h"
#include "core/result.h"

namespace mailzone::cli {

/// What a command line asks for.
struct Request {
  enum class Kind { verb, help, version, settingsHelp, checkSettings };
  Kind kind = Kind::verb;
  Globals globals;
  const Verb* verb = nullptr;  ///< kind verb; help: of this verb, or nullptr
  std::string object;          ///< help: of this object, or ""
  Arguments arguments;
};

/// The failure is a usage error (exit 2); `json` is set as far as the words could be read.
[[nodiscard]] tl::expected<Request, std::string> parseCommandLine(const std::vector<std::string>& words);

// help.cc
[[nodiscard]] std::string usageOf(const Verb& verb);  ///< "mailzone tenant add SLUG [--external-id ID] ..."
[[nodiscard]] std::string helpOf(const Verb& verb);
[[nodiscard]] std::string helpOfObject(const std::string& object);
[[nodiscard]] std::string helpOfProgram();
/// docs/cli.md
[[nodiscard]] std::string commandLineAsMarkdown();

}  // namespace mailzone::cli
