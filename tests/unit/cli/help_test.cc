#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/command_line.h"

namespace mailzone::cli {
namespace {

TEST(Help, PageInTheDocumentsIsWhatTheProgramPrints) {
  const std::string path = MAILZONE_SOURCE_DIR "/docs/cli.md";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << commandLineAsMarkdown();
  std::ifstream file(path);
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(committed.str(), commandLineAsMarkdown()) << "write it again with UPDATE_GOLDEN=1";
}

TEST(Help, EveryVerbSaysWhatItDoesAndWhatItTakes) {
  std::set<std::string> names;
  for (const Verb& verb : allVerbs()) {
    const std::string name = verb.object + " " + verb.action;
    EXPECT_TRUE(names.insert(name).second) << name << " stands twice";
    EXPECT_FALSE(verb.summary.empty()) << name;
    EXPECT_NE(verb.run, nullptr) << name;
    for (const Arg& arg : verb.args) {
      EXPECT_FALSE(arg.help.empty()) << name << " " << arg.name;
      EXPECT_NE(helpOf(verb).find(arg.name), std::string::npos) << name << " " << arg.name;
    }
  }
}

TEST(Help, NoVerbTakesASecretAsAnArgument) {
  for (const Verb& verb : allVerbs()) {
    for (const Arg& arg : verb.args) {
      const bool secret = arg.name.find("password") != std::string::npos || arg.name.find("key") != std::string::npos;
      EXPECT_TRUE(!secret || arg.value == "FILE") << verb.object << " " << verb.action << " " << arg.name;
    }
  }
}

}  // namespace
}  // namespace mailzone::cli
