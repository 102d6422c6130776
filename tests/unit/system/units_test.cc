#include "system/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mailzone {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

ServiceUnit parsed(const std::vector<UnitText>& files) {
  auto unit = parseUnit(files);
  EXPECT_TRUE(unit.has_value()) << (unit ? "" : describe(unit.error()));
  return unit.value_or(ServiceUnit{});
}

TEST(Units, ReadTheServiceSectionAsSystemdDoes) {
  const ServiceUnit unit =
      parsed({{"/x/thing.service",
               "[Unit]\nDescription=a thing\nStartLimitIntervalSec=0\n"
               "[Service]\nType=notify\n# a comment\nUser=mailzone-dns\nSupplementaryGroups=pdns\n"
               "ExecStart=/usr/bin/thing --config \\\n  \"%E/thing one.toml\" $FLAGS $UNSET\n"
               "Environment=\"FLAGS=-a -b\" OTHER=1\nRestart=always\nRestartSec=1\nWatchdogSec=2s\n"
               "RuntimeDirectory=thing\nUMask=0007\n[Install]\nUser=nobody\n"}});
  EXPECT_TRUE(unit.notify);
  EXPECT_EQ(unit.user, "mailzone-dns");
  EXPECT_THAT(unit.supplementaryGroups, ElementsAre("pdns"));
  EXPECT_THAT(unit.execStart, ElementsAre("/usr/bin/thing", "--config", "/etc/thing one.toml", "-a", "-b"));
  EXPECT_EQ(unit.environment.at("OTHER"), "1");
  EXPECT_EQ(unit.restart, Restart::always);
  EXPECT_EQ(unit.restartDelay, milliseconds{1000});
  EXPECT_EQ(unit.watchdog, milliseconds{2000});
  EXPECT_EQ(unit.startLimitInterval, milliseconds{0});
  EXPECT_THAT(unit.runtimeDirectories, ElementsAre("thing"));
  EXPECT_EQ(unit.umask, 0007U);
}

TEST(Units, DropInsOverrideAndAnEmptyAssignmentResets) {
  const ServiceUnit unit =
      parsed({{"a.service", "[Service]\nType=forking\nExecStart=/bin/one\nRestart=on-failure\n"},
              {"a.service.d/x.conf", "[Service]\nExecStart=\nExecStart=-/bin/two -f\nRestart=always\n"}});
  EXPECT_THAT(unit.execStart, ElementsAre("/bin/two", "-f"));
  EXPECT_EQ(unit.restart, Restart::always);
}

TEST(Units, RefuseWhatTheyCannotHonourAndNameTheLine) {
  struct Row {
    const char* why;
    const char* text;
    const char* mentions;
  };
  for (const Row& row : {Row{"no ExecStart", "[Service]\nType=simple\n", "0 ExecStart="},
                         Row{"two ExecStart", "[Service]\nExecStart=/a\nExecStart=/b\n", "2 ExecStart="},
                         Row{"unknown Restart", "[Service]\nExecStart=/a\nRestart=sometimes\n", "x.service:3"},
                         Row{"bad time", "[Service]\nRestartSec=1 fortnight\nExecStart=/a\n", "x.service:2"},
                         Row{"open quote", "[Service]\nExecStart=/a \"b\n", "x.service:2"},
                         Row{"no assignment", "[Service]\nhello\n", "x.service:2"},
                         Row{"unknown specifier", "[Service]\nExecStart=/a %H\n", "specifier"},
                         Row{"mode that is no octal number", "[Service]\nUMask=9\nExecStart=/a\n", "x.service:2"}}) {
    const auto unit = parseUnit({{"x.service", row.text}});
    ASSERT_FALSE(unit.has_value()) << row.why;
    EXPECT_THAT(describe(unit.error()), testing::HasSubstr(row.mentions)) << row.why;
  }
}

TEST(Units, TimeSpansAreSystemds) {
  struct Row {
    const char* text;
    long long expected;
  };
  for (const Row& row : {Row{"2", 2000}, Row{"500ms", 500}, Row{"1min 30s", 90'000}, Row{"0.5s", 500},
                         Row{"infinity", 0}, Row{"2h", 7'200'000}, Row{" 3 s ", 3000}}) {
    const auto span = parseTimeSpan(row.text);
    ASSERT_TRUE(span.has_value()) << row.text;
    EXPECT_EQ(span->count(), row.expected) << row.text;
  }
  for (const char* text : {"", "s", "1x", "-1s", "1e400s", "99999999999999999d"})
    EXPECT_FALSE(parseTimeSpan(text).has_value()) << text;
}

TEST(Units, ThoseOfDebianCanBeRead) {
  for (const char* path : {"/lib/systemd/system/pdns.service", "/lib/systemd/system/unbound.service",
                           "/lib/systemd/system/nsd.service", "/lib/systemd/system/opendkim.service"}) {
    const auto unit = loadUnit({path});
    EXPECT_TRUE(unit.has_value()) << path << (unit ? "" : describe(unit.error()));
  }
}

}  // namespace
}  // namespace mailzone
