// A verb is a row: its words, its arguments, its help and the function that does it. The rows of all objects are the
// one source of parsing, --help and docs/cli.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/document.h"
#include "core/result.h"

namespace mailzone::cli {

class Context;

/// One argument. Names in capitals are positional, names that begin with "--" are options.
struct Arg {
  std::string name;
  std::string value;  ///< what an option takes ("POOL"); "" for a flag; "[SECONDS]": `--wait` or `--wait=SECONDS`
  std::string help;
  bool required = false;
  bool repeated = false;

  [[nodiscard]] Arg needed() const {
    Arg copy = *this;
    copy.required = true;
    return copy;
  }
  [[nodiscard]] Arg many() const {
    Arg copy = *this;
    copy.repeated = true;
    return copy;
  }
  [[nodiscard]] bool isPositional() const noexcept { return name.rfind("--", 0) != 0; }
  [[nodiscard]] bool isFlag() const noexcept { return !isPositional() && value.empty(); }
  [[nodiscard]] bool valueIsOptional() const noexcept { return !value.empty() && value.front() == '['; }
};
[[nodiscard]] inline Arg positional(std::string name, std::string help) {
  return {std::move(name), "", std::move(help), true, false};
}
[[nodiscard]] inline Arg option(std::string name, std::string value, std::string help) {
  return {std::move(name), std::move(value), std::move(help), false, false};
}
[[nodiscard]] inline Arg flag(std::string name, std::string help) {
  return {std::move(name), "", std::move(help), false, false};
}

/// The value of an option whose value was left out.
inline constexpr std::string_view kNoValue = "default";

/// What was given for a verb's arguments. The names are those of its row: another is a defect and throws.
class Arguments {
 public:
  void set(const std::string& name, std::vector<std::string> values) { values_[name] = std::move(values); }
  [[nodiscard]] bool has(const std::string& name) const { return values_.count(name) != 0; }
  [[nodiscard]] const std::string& text(const std::string& name) const { return values_.at(name).front(); }
  [[nodiscard]] std::string textOr(const std::string& name, std::string fallback) const {
    return has(name) ? text(name) : std::move(fallback);
  }
  [[nodiscard]] std::optional<std::string> optional(const std::string& name) const {
    return has(name) ? std::optional(text(name)) : std::nullopt;
  }
  [[nodiscard]] std::vector<std::string> all(const std::string& name) const {
    return has(name) ? values_.at(name) : std::vector<std::string>{};
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

/// What a verb has to say. The program prints `document` with --json, else `text`.
struct Report {
  Document document;
  std::string text;
  int status = 0;
  std::vector<Error> errors;  ///< what is wrong and nothing was done: only these are printed
};
/// A command line that is wrong in a way that only the verb knows: exit 2.
[[nodiscard]] Report usageError(std::string_view value, std::string rule, std::string remedy);

struct Verb {
  std::string object, action;
  std::string summary;
  std::vector<Arg> args;
  bool changes = false;  ///< takes --dry-run: everything is done in a transaction that is rolled back
  Result<Report> (*run)(Context&, const Arguments&) = nullptr;
  std::string notes;  ///< further paragraphs of its help
};

/// All verbs, in the order of the help.
[[nodiscard]] const std::vector<Verb>& allVerbs();

// The rows of each object, in its own file.
[[nodiscard]] std::vector<Verb> databaseVerbs();
[[nodiscard]] std::vector<Verb> platformVerbs();
[[nodiscard]] std::vector<Verb> zoneVerbs();
[[nodiscard]] std::vector<Verb> ipVerbs();
[[nodiscard]] std::vector<Verb> relayVerbs();
[[nodiscard]] std::vector<Verb> streamVerbs();
[[nodiscard]] std::vector<Verb> tenantVerbs();
[[nodiscard]] std::vector<Verb> domainVerbs();
[[nodiscard]] std::vector<Verb> loginVerbs();
[[nodiscard]] std::vector<Verb> keyVerbs();
[[nodiscard]] std::vector<Verb> dnsVerbs();
[[nodiscard]] std::vector<Verb> signingVerbs();
[[nodiscard]] std::vector<Verb> statusVerbs();

/// {"schema": "mailzone/NAME/1"}: every document begins so.
[[nodiscard]] Document documentOf(std::string_view name);

}  // namespace mailzone::cli
