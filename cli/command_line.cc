#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <deque>
#include <map>
#include <memory>
#include <stdexcept>

namespace mailzone::cli {
namespace {

/// Where the parser puts the values of one argument.
struct Place {
  const Verb* verb = nullptr;
  std::string name;
  CLI::Option* option = nullptr;
  bool present = false;  ///< of a flag
  std::vector<std::string> values;
};

/// All that the parser points into; must not move while it lives.
struct Parser {
  CLI::App root{"", "mailzone"};
  std::deque<Place> places;
  std::map<const CLI::App*, const Verb*> verbs;
  std::map<CLI::App*, std::string> objects;
  Globals globals;
  bool version = false, settingsHelp = false, checkSettings = false;

  [[nodiscard]] CLI::App* objectNamed(const std::string& name) const {
    for (const auto& [app, its] : objects) {
      if (its == name) return app;
    }
    return nullptr;
  }
  /// "" when the command is no object.
  [[nodiscard]] std::string objectOf(const CLI::App* command) const {
    for (const auto& [app, its] : objects) {
      if (app == command) return its;
    }
    return "";
  }
};

constexpr std::size_t kMaxWord = 64 * 1024;

void addArgument(Parser& parser, CLI::App& command, const Verb& verb, const Arg& arg) {
  Place& place = parser.places.emplace_back();
  place.verb = &verb;
  place.name = arg.name;
  if (arg.isFlag()) {
    place.option = command.add_flag(arg.name, place.present, arg.help);
    return;
  }
  place.option = command.add_option(arg.name, place.values, arg.help);
  place.option->type_size(1)->allow_extra_args(false);
  if (!arg.repeated) place.option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  if (arg.repeated) place.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (arg.required) place.option->required();
}

void build(Parser& parser) {
  CLI::App& root = parser.root;
  root.set_help_flag("-h,--help");
  root.fallthrough();
  root.require_subcommand(0, 1);
  root.add_option("--config", parser.globals.config)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  root.add_option("--platform", parser.globals.platform)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  root.add_flag("--json", parser.globals.json);
  root.add_flag("--version", parser.version);
  root.add_flag("--help-settings", parser.settingsHelp);
  root.add_flag("--check-config", parser.checkSettings);
  for (const Verb& verb : allVerbs()) {
    CLI::App* object = parser.objectNamed(verb.object);
    if (object == nullptr) {
      object = root.add_subcommand(verb.object);
      object->require_subcommand(0, 1);
      parser.objects[object] = verb.object;
    }
    // `mailzone status` is an object without actions.
    CLI::App* command = verb.action.empty() ? object : object->add_subcommand(verb.action);
    parser.verbs[command] = &verb;
    for (const Arg& arg : verb.args) addArgument(parser, *command, verb, arg);
    if (verb.changes) command->add_flag("--dry-run", parser.globals.dryRun);
  }
}

/// The innermost command that was named: a verb, an object or the root.
const CLI::App* innermost(const Parser& parser) {
  const CLI::App* command = &parser.root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return command;
}

/// `--wait` alone is an option whose value comes after "=" only, so that it swallows no positional.
bool valueMayBeLeftOut(const std::string& word) {
  for (const Verb& verb : allVerbs()) {
    for (const Arg& arg : verb.args) {
      if (arg.valueIsOptional() && arg.name == word) return true;
    }
  }
  return false;
}

std::string helpHint(const Parser& parser) {
  const CLI::App* command = innermost(parser);
  if (const auto verb = parser.verbs.find(command); verb != parser.verbs.end()) {
    return "usage: " + usageOf(*verb->second);
  }
  const std::string object = parser.objectOf(command);
  return object.empty() ? "see mailzone --help" : "see mailzone " + object + " --help";
}

Request requestOf(const Parser& parser, Request::Kind kind) {
  Request request;
  request.kind = kind;
  request.globals = parser.globals;
  const CLI::App* command = innermost(parser);
  request.object = parser.objectOf(command);
  if (const auto verb = parser.verbs.find(command); verb != parser.verbs.end()) {
    request.verb = verb->second;
    request.object = verb->second->object;
  }
  for (const Place& place : parser.places) {
    if (place.verb != request.verb || place.option->count() == 0) continue;
    if (place.values.empty() && !place.present) continue;  // --flag=false
    request.arguments.set(place.name, place.values.empty() ? place.option->results() : place.values);
  }
  return request;
}

}  // namespace

tl::expected<Request, std::string> parseCommandLine(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.size() > kMaxWord) return tl::unexpected<std::string>("an argument is longer than 65536 octets");
  }
  Parser parser;
  build(parser);
  // This overload takes the words from last to first.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  for (std::string& word : reversed) {
    if (valueMayBeLeftOut(word)) word += "=" + std::string(kNoValue);
  }
  try {
    parser.root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return requestOf(parser, Request::Kind::help);
  } catch (const CLI::ParseError& error) {
    return tl::unexpected<std::string>(std::string(error.what()) + "; " + helpHint(parser));
  } catch (const std::invalid_argument&) {
    // CLI11 2.1 reads `--flag=word` by std::stoll and lets its exception through.
    return tl::unexpected<std::string>("a flag such as --if-not-exists takes no value; " + helpHint(parser));
  }
  if (parser.version) return requestOf(parser, Request::Kind::version);
  if (parser.settingsHelp) return requestOf(parser, Request::Kind::settingsHelp);
  if (parser.checkSettings) return requestOf(parser, Request::Kind::checkSettings);
  Request request = requestOf(parser, Request::Kind::verb);
  if (request.verb == nullptr) {
    return tl::unexpected<std::string>(request.object.empty()
                                           ? "no verb is given; see mailzone --help"
                                           : "no action is given; see mailzone " + request.object + " --help");
  }
  return request;
}

}  // namespace mailzone::cli
