#include "core/clock.h"

#include <gtest/gtest.h>

namespace mailzone {
namespace {

TEST(SqlTime, PrintsAndReadsBackTheSameInstant) {
  const TimePoint time{std::chrono::microseconds{1790000000123456}};
  EXPECT_EQ(*parseSqlTime(printSqlTime(time)), time);
  EXPECT_EQ(printSqlTime(TimePoint{}), "1970-01-01 00:00:00.000000");
}

TEST(SqlTime, ReadsPastTwentyThirtyEight) {
  EXPECT_EQ(printSqlTime(*parseSqlTime("2107-02-28T23:59:59.5Z")), "2107-02-28 23:59:59.500000");
}

TEST(SqlTime, RefusesWhatIsNoTime) {
  for (const auto* text : {"", "2026-11-25", "2026-02-30 00:00:00", "2026-11-25 24:00:00", "2026-11-25 09:51:08.",
                           "2026-11-25 09:51:08.1234567", "now"}) {
    EXPECT_FALSE(parseSqlTime(text)) << text;
  }
}

}  // namespace
}  // namespace mailzone
