#include "cli/password.h"

#include <crypt.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace mailzone::cli {
namespace {

std::string fileWith(const test::TemporaryFolder& folder, const std::string& content, mode_t mode = 0600) {
  const std::string path = folder.path() + "/password";
  std::ofstream(path, std::ios::binary) << content;
  ::chmod(path.c_str(), mode);
  return path;
}

TEST(Password, HashIsDovecotsFormAndNeverTheSame) {
  const auto one = hashPassword(Secret(std::string("correct horse")));
  const auto two = hashPassword(Secret(std::string("correct horse")));
  ASSERT_TRUE(one.has_value()) << describe(one.error());
  EXPECT_EQ(one->rfind("{SHA512-CRYPT}$6$", 0), 0U);
  EXPECT_NE(*one, *two) << "the salt is random";
  const std::string hash = one->substr(std::string("{SHA512-CRYPT}").size());
  EXPECT_STREQ(::crypt("correct horse", hash.c_str()), hash.c_str());
  EXPECT_STRNE(::crypt("another horse", hash.c_str()), hash.c_str());
}

TEST(Password, ComesFromAFileThatOthersCannotRead) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(readLoginPassword(fileWith(folder, "correct horse\n")).value().reveal(), "correct horse");
  struct Row {
    const char* why;
    std::string content;
    mode_t mode;
  };
  const Row rows[] = {{"readable by others", "correct horse\n", 0644},
                      {"7 octets", "1234567\n", 0600},
                      {"513 octets", std::string(513, 'x'), 0600},
                      {"two lines", "correct\nhorse\n", 0600},
                      {"empty", "", 0600}};
  for (const Row& row : rows) {
    const auto password = readLoginPassword(fileWith(folder, row.content, row.mode));
    ASSERT_FALSE(password.has_value()) << row.why;
    EXPECT_EQ(exitStatus(password.error().code), 1) << row.why;
  }
  EXPECT_TRUE(readLoginPassword(fileWith(folder, std::string(512, 'x'))).has_value());
  EXPECT_FALSE(readLoginPassword(folder.path() + "/none").has_value());
}

}  // namespace
}  // namespace mailzone::cli
