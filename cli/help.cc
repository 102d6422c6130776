#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.h"

namespace mailzone::cli {
namespace {

std::string commandOf(const Verb& verb) {
  return "mailzone " + verb.object + (verb.action.empty() ? "" : " " + verb.action);
}

std::string shapeOf(const Arg& arg) {
  std::string shape = arg.name;
  if (arg.valueIsOptional()) {
    shape += "[=" + arg.value.substr(1);
  } else if (!arg.isPositional() && !arg.isFlag()) {
    shape += " " + arg.value;
  }
  if (arg.repeated) shape += " ...";
  return arg.required ? shape : "[" + shape + "]";
}

std::vector<Arg> argsOf(const Verb& verb) {
  std::vector<Arg> args = verb.args;
  if (verb.changes) args.push_back(flag("--dry-run", "Do everything, then roll it back and say what would be done."));
  return args;
}

std::string argumentLines(const std::vector<Arg>& args) {
  std::string text;
  for (const Arg& arg : args) {
    std::string name = arg.name;
    if (arg.valueIsOptional()) {
      name += "[=" + arg.value.substr(1);
    } else if (!arg.value.empty()) {
      name += " " + arg.value;
    }
    text += fmt::format("  {:<26} {}{}\n", name, arg.help, arg.repeated ? " May be given several times." : "");
  }
  return text;
}

const std::vector<Arg>& globalArgs() {
  static const std::vector<Arg> args = {
      option("--config", "FILE", "Settings; else $MAILZONE_CONFIG, else /etc/mailzone/mailzone.toml."),
      flag("--json", "One JSON document on standard output; errors as one JSON object on standard error."),
      option("--platform", "NAME", "The platform, where the database holds several."),
      flag("--help", "Of the program, of an object, or of a verb."),
      flag("--help-settings", "All settings, with defaults and ranges."),
      flag("--check-config", "Read the settings, say whether they are right, and end."),
      flag("--version", "The program's version."),
  };
  return args;
}

constexpr std::string_view kStatuses =
    "  0   done\n"
    "  1   a finding, or an input that breaks a rule; nothing was changed\n"
    "  2   the command line is wrong\n"
    "  3   not finished: --wait ran out\n"
    "  69  the database or a daemon is unreachable\n"
    "  75  cannot tell now: try again; nothing was changed\n"
    "  78  the settings are wrong, or the database is older or newer than this program\n";

std::string verbList(const std::string& object) {
  std::string text;
  for (const Verb& verb : allVerbs()) {
    if (!object.empty() && verb.object != object) continue;
    const std::string words = verb.object + (verb.action.empty() ? "" : " " + verb.action);
    text += fmt::format("  {:<18} {}\n", words, verb.summary);
  }
  return text;
}

}  // namespace

std::string usageOf(const Verb& verb) {
  std::string usage = commandOf(verb);
  for (const Arg& arg : argsOf(verb)) usage += " " + shapeOf(arg);
  return usage;
}

std::string helpOf(const Verb& verb) {
  std::string text = fmt::format("{}\n\n{}\n", usageOf(verb), verb.summary);
  if (!verb.notes.empty()) text += "\n" + verb.notes + "\n";
  if (const auto args = argsOf(verb); !args.empty()) text += "\n" + argumentLines(args);
  return text;
}

std::string helpOfObject(const std::string& object) {
  return fmt::format("mailzone {} ACTION ...\n\n{}\nSee mailzone {} ACTION --help.\n", object, verbList(object),
                     object);
}

std::string helpOfProgram() {
  return fmt::format("mailzone OBJECT ACTION ...\n\n{}  {:<18} {}\n\nBefore or after every verb:\n{}\nExit status:\n{}",
                     verbList(""), "harness ...", "Runs mailzone-harness.", argumentLines(globalArgs()), kStatuses);
}

std::string commandLineAsMarkdown() {
  std::string text =
      "# The command line\n\n"
      "`mailzone OBJECT ACTION`. Verbs are idempotent: the same input again is exit 0 and no change. Tables are for\n"
      "people and may change; `--json` is for programs: each document begins with `\"schema\": \"mailzone/NAME/1\"`, "
      "and\n"
      "within a version no field goes or changes type. An error with `--json` is one object on standard error:\n"
      "`{\"schema\": \"mailzone/error/1\", \"code\", \"status\", \"message\", \"value\", \"rule\", \"remedy\", "
      "\"errors\"}`.\n"
      "Passwords are never arguments: they come from a file or from standard input. This page is made from the table\n"
      "of verbs; it is what `--help` prints.\n\n"
      "```\n" +
      helpOfProgram() + "```\n";
  std::string object;
  for (const Verb& verb : allVerbs()) {
    if (verb.object != object) {
      object = verb.object;
      text += fmt::format("\n## {}\n", object);
    }
    text += "\n```\n" + helpOf(verb) + "```\n";
  }
  return text;
}

}  // namespace mailzone::cli
