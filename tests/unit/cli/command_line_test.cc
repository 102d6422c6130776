#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <sstream>

namespace mailzone::cli {
namespace {

std::vector<std::string> wordsOf(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

TEST(CommandLine, FindsTheVerbAndItsArguments) {
  const auto request = parseCommandLine(
      wordsOf("platform add shop.example --ns a.example=192.0.2.1 --ns b.example=192.0.2.2 --mx mx.example --dry-run"));
  ASSERT_TRUE(request.has_value()) << request.error();
  EXPECT_EQ(request->verb->object + " " + request->verb->action, "platform add");
  EXPECT_EQ(request->arguments.text("NAME"), "shop.example");
  EXPECT_EQ(request->arguments.all("--ns"), (std::vector<std::string>{"a.example=192.0.2.1", "b.example=192.0.2.2"}));
  EXPECT_TRUE(request->globals.dryRun);
  EXPECT_FALSE(request->arguments.has("--rua"));
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndAfterTheVerb) {
  for (const char* line : {"--json --config /c --platform p tenant list", "tenant list --json --config /c --platform p",
                           "tenant --json list --config=/c --platform=p"}) {
    const auto request = parseCommandLine(wordsOf(line));
    ASSERT_TRUE(request.has_value()) << line << ": " << request.error();
    EXPECT_TRUE(request->globals.json) << line;
    EXPECT_EQ(request->globals.config, "/c") << line;
    EXPECT_EQ(request->globals.platform, "p") << line;
    EXPECT_EQ(request->verb->action, "list") << line;
  }
}

TEST(CommandLine, WaitTakesItsValueAfterAnEqualsSignOnly) {
  EXPECT_EQ(parseCommandLine(wordsOf("tenant add --wait t4")).value().arguments.text("SLUG"), "t4");
  EXPECT_EQ(parseCommandLine(wordsOf("tenant add --wait t4")).value().arguments.text("--wait"), kNoValue);
  EXPECT_EQ(parseCommandLine(wordsOf("tenant add t4 --wait=30")).value().arguments.text("--wait"), "30");
}

TEST(CommandLine, HelpIsFoundAtEveryLevel) {
  EXPECT_EQ(parseCommandLine({"--help"}).value().kind, Request::Kind::help);
  EXPECT_EQ(parseCommandLine(wordsOf("tenant --help")).value().object, "tenant");
  const auto verb = parseCommandLine(wordsOf("tenant show --help"));
  ASSERT_TRUE(verb.has_value()) << verb.error();
  EXPECT_EQ(verb->kind, Request::Kind::help);
  ASSERT_NE(verb->verb, nullptr);
  EXPECT_EQ(verb->verb->action, "show");
}

TEST(CommandLine, ThatIsWrongNamesTheWordAndTheUsage) {
  struct Row {
    const char* why;
    const char* line;
    const char* part;
  };
  const Row rows[] = {
      {"nothing", "", "see mailzone --help"},
      {"unknown object", "shop add", "shop"},
      {"object alone", "tenant", "see mailzone tenant --help"},
      {"unknown action", "tenant explode", "explode"},
      {"positional missing", "tenant show", "SLUG is required"},
      {"positional too many", "tenant show a b", "b"},
      {"unknown option", "tenant list --colour", "--colour"},
      {"option without its value", "login add x --tenant", "--tenant"},
      {"needed option missing", "domain add a.example", "--tenant is required"},
      {"option twice", "login list --tenant a --tenant b", "--tenant"},
      {"no dry run of what changes nothing", "tenant list --dry-run", "--dry-run"},
      {"a value for a flag", "tenant add t1 --if-not-exists=maybe", "--if-not-exists"},
  };
  for (const Row& row : rows) {
    const auto request = parseCommandLine(wordsOf(row.line));
    ASSERT_FALSE(request.has_value()) << row.why;
    EXPECT_NE(request.error().find(row.part), std::string::npos) << row.why << ": " << request.error();
  }
}

TEST(CommandLine, WordsHaveALimit) {
  EXPECT_TRUE(parseCommandLine({"tenant", "show", std::string(64 * 1024, 'a')}).has_value());
  EXPECT_FALSE(parseCommandLine({"tenant", "show", std::string(64 * 1024 + 1, 'a')}).has_value());
}

}  // namespace
}  // namespace mailzone::cli
