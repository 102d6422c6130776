#include "system/log.h"

#include <gtest/gtest.h>

namespace mailzone {
namespace {

TEST(Log, PrintsAConstantMessageAndPairs) {
  EXPECT_EQ(log::formatLine("domain verified", {{"domain", "a.example"}, {"tenant", 4}, {"bounce", true}}),
            "domain verified domain=a.example tenant=4 bounce=yes");
}

TEST(Log, QuotesWhatWouldBeAmbiguousAndKeepsOneLine) {
  struct Row {
    const char* why;
    std::string value, shown;
  };
  const Row rows[] = {{"blank", "a b", "\"a b\""},
                      {"empty", "", "\"\""},
                      {"a pair within a value", "x=1", "\"x=1\""},
                      {"quote", "a\"b", "\"a\\\"b\""},
                      {"line break", "a\nlevel=error", "\"a\\010level=error\""},
                      {"terminal control", "\x1b[2J", "\"\\027[2J\""}};
  for (const Row& row : rows) EXPECT_EQ(log::formatLine("m", {{"k", row.value}}), "m k=" + row.shown) << row.why;
}

TEST(Log, CutsAValueOfUnreasonableLength) {
  EXPECT_LT(log::formatLine("m", {{"k", std::string(1 << 20, 'x')}}).size(), 1100U);
}

TEST(Log, WritesOneLineWithTimeLevelAndProgram) {
  log::open("mailzone-test", log::Level::info);
  testing::internal::CaptureStderr();
  log::warn("queue is long", {{"length", 7}});
  log::debug("not written");
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(written.ends_with(" warning mailzone-test: queue is long length=7\n")) << written;
  EXPECT_EQ(written.find("not written"), std::string::npos);
  EXPECT_FALSE(log::enabled(log::Level::debug));
  EXPECT_TRUE(log::enabled(log::Level::error));
}

TEST(Log, KnowsItsLevelsByName) {
  EXPECT_EQ(log::parseLevel("warn").value(), log::Level::warn);
  EXPECT_EQ(log::parseLevel("loud").error().code, Errc::invalidInput);
}

}  // namespace
}  // namespace mailzone
