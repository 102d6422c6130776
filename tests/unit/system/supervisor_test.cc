#include "system/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace mailzone {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    std::string pattern = "/tmp/mailzone-supervisor-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SupervisorTest() override { std::filesystem::remove_all(folder_); }

  static ProcessSpec shell(const std::string& name, const std::string& script) {
    ProcessSpec spec;
    spec.name = name;
    spec.command.argv = {"/bin/sh", "-c", script};
    spec.restartDelay = 1ms;
    return spec;
  }
  /// Says READY=1 by a datagram, then does `then`.
  static ProcessSpec notifier(const std::string& name, const std::string& then) {
    ProcessSpec spec = shell(name, "");
    spec.command.argv = {"/usr/bin/python3", "-c",
                         "import os,socket,time\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
                         "say=lambda t: s.sendto(t,os.environ['NOTIFY_SOCKET'])\nsay(b'READY=1\\n')\n" +
                             then};
    spec.notify = true;
    return spec;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string folder_;
};

TEST_F(SupervisorTest, ReadyMeansThatTheProcessSaidSo) {
  Supervisor supervisor(folder_, folder_);
  ASSERT_TRUE(supervisor.start(notifier("good", "time.sleep(60)")).has_value());
  EXPECT_TRUE(supervisor.waitReady("good", 10s).has_value());
  ProcessSpec silent = shell("silent", "exec sleep 60");
  silent.notify = true;
  ASSERT_TRUE(supervisor.start(silent).has_value());
  const auto late = supervisor.waitReady("silent", 50ms);
  ASSERT_FALSE(late.has_value());
  EXPECT_THAT(describe(late.error()), HasSubstr("was not ready within 50 ms"));
}

TEST_F(SupervisorTest, AProcessThatEndsIsReportedWithItsLog) {
  Supervisor supervisor(folder_, folder_);
  ProcessSpec spec = shell("broken", "echo no such key; exit 3");
  spec.notify = true;
  ASSERT_TRUE(supervisor.start(spec).has_value());
  const auto ready = supervisor.waitReady("broken", 10s);
  ASSERT_FALSE(ready.has_value());
  EXPECT_THAT(describe(ready.error()), testing::AllOf(HasSubstr("exit status 3"), HasSubstr("no such key")));
  EXPECT_THAT(supervisor.firstFailure(), HasSubstr("broken ended"));
}

TEST_F(SupervisorTest, RestartsAsTheUnitSays) {
  struct Row {
    const char* why;
    Restart rule;
    const char* script;
    bool again;
  };
  const std::vector<Row> rows{{"always, clean exit", Restart::always, "exit 0", true},
                              {"always, failure", Restart::always, "exit 78", true},
                              {"no", Restart::no, "exit 1", false},
                              {"on-failure, clean exit", Restart::onFailure, "exit 0", false},
                              {"on-failure, SIGTERM counts as clean", Restart::onFailure, "kill -TERM $$", false},
                              {"on-failure, failure", Restart::onFailure, "exit 1", true},
                              {"on-abnormal, failure", Restart::onAbnormal, "exit 1", false},
                              {"on-abnormal, signal", Restart::onAbnormal, "kill -SEGV $$", true},
                              {"on-success, clean exit", Restart::onSuccess, "exit 0", true}};
  int number = 0;
  Supervisor supervisor(folder_, folder_);
  for (const Row& row : rows) {
    const std::string name = "row" + std::to_string(++number);
    // The first run ends as the row says, a second one leaves a mark.
    const std::string mark = folder_ + "/" + name;
    ProcessSpec spec = shell(name, "if [ -e " + mark + " ]; then touch " + mark + ".again; exec sleep 60; fi; touch " +
                                       mark + "; " + row.script);
    spec.restart = row.rule;
    ASSERT_TRUE(supervisor.start(spec).has_value()) << row.why;
    const auto settled = waitFor(row.why, 10s, [&] {
      return std::filesystem::exists(mark + ".again") || supervisor.report(name)->state == ProcessState::ended;
    });
    ASSERT_TRUE(settled.has_value()) << row.why;
    EXPECT_EQ(std::filesystem::exists(mark + ".again"), row.again) << row.why;
  }
}

TEST_F(SupervisorTest, TheStartLimitEndsACrashLoopAndZeroMeansNever) {
  Supervisor supervisor(folder_, folder_);
  ProcessSpec spec = shell("loop", "exit 1");
  spec.restart = Restart::always;
  ASSERT_TRUE(supervisor.start(spec).has_value());
  ASSERT_TRUE(waitFor("end", 10s, [&] { return supervisor.report("loop")->state == ProcessState::ended; }).has_value());
  EXPECT_EQ(supervisor.report("loop")->restarts, 4U);  // five starts
  EXPECT_THAT(supervisor.report("loop")->lastEnd, HasSubstr("start limit"));
  spec.name = "endless";
  spec.startLimitInterval = 0ms;
  ASSERT_TRUE(supervisor.start(spec).has_value());
  EXPECT_TRUE(waitFor("many starts", 10s, [&] { return supervisor.report("endless")->restarts > 20; }).has_value());
}

TEST_F(SupervisorTest, TheWatchdogEndsASilentProcessAndItComesBack) {
  Supervisor supervisor(folder_, folder_);
  ProcessSpec spec = notifier("hung", "time.sleep(60)");
  spec.watchdog = 100ms;
  spec.restart = Restart::onFailure;
  ASSERT_TRUE(supervisor.start(spec).has_value());
  ASSERT_TRUE(waitFor("restart", 10s, [&] { return supervisor.report("hung")->restarts >= 1; }).has_value());
  EXPECT_EQ(supervisor.report("hung")->lastEnd, "watchdog");
}

TEST_F(SupervisorTest, StopKillsTheGroupOfAProcessThatIgnoresTerm) {
  Supervisor supervisor(folder_, folder_);
  ProcessSpec spec = shell("stubborn", "trap '' TERM; sleep 60 & echo $! > " + folder_ + "/child; echo up; wait; wait");
  spec.restart = Restart::always;
  ASSERT_TRUE(supervisor.start(spec).has_value());
  ASSERT_TRUE(waitFor("up", 10s, [&] { return read("stubborn.log") == "up\n"; }).has_value());
  ASSERT_TRUE(supervisor.stop("stubborn", 50ms).has_value());
  EXPECT_EQ(supervisor.report("stubborn")->state, ProcessState::ended);
  const pid_t grandchild = std::stoi(read("child"));
  EXPECT_TRUE(waitFor("the child's end", 10s, [&] {
                const std::string state = tailOfFile("/proc/" + std::to_string(grandchild) + "/stat", 1);
                return state.empty() || state.find(") Z ") != std::string::npos;
              }).has_value());
}

TEST_F(SupervisorTest, NoChildSurvivesASupervisorThatIsKilled) {
  const std::string pidFile = folder_ + "/pid";
  const pid_t owner = ::fork();
  if (owner == 0) {
    Supervisor supervisor(folder_, folder_);
    if (!supervisor.start(shell("orphan", "trap '' TERM HUP; echo $$ > " + pidFile + "; sleep 60")).has_value())
      ::_exit(1);
    std::this_thread::sleep_for(60s);
    ::_exit(0);
  }
  ASSERT_TRUE(waitFor("pid", 10s, [&] { return !read("pid").empty(); }).has_value());
  const pid_t child = std::stoi(read("pid"));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_TRUE(waitFor("the child's end", 2s, [&] {
                const std::string state = tailOfFile("/proc/" + std::to_string(child) + "/stat", 1);
                return state.empty() || state.find(") Z ") != std::string::npos;
              }).has_value());
}

TEST_F(SupervisorTest, WhatCannotBeStartedIsNamed) {
  Supervisor supervisor(folder_, folder_);
  ProcessSpec spec = shell("x", "exit 0");
  spec.command.argv = {"/no/such/program"};
  EXPECT_THAT(describe(supervisor.start(spec).error()), HasSubstr("/no/such/program"));
  spec.command.argv = {"true"};
  spec.command.user = "nobody-knows-me";
  EXPECT_THAT(describe(supervisor.start(spec).error()), HasSubstr("nobody-knows-me"));
  ProcessSpec sleeper = shell("taken", "exec sleep 60");
  ASSERT_TRUE(supervisor.start(sleeper).has_value());
  EXPECT_EQ(supervisor.start(sleeper).error().code, Errc::conflict);
  EXPECT_EQ(supervisor.stop("nobody", 1s).error().code, Errc::notFound);
}

TEST(RunCommand, HandsInputOverAndKeepsBothOutputsApart) {
  Command command;
  command.argv = {"/bin/sh", "-c", "cat; echo oops >&2; exit 7"};
  const std::string input(300'000, 'x');
  const auto outcome = run(command, input, 10s);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->exitStatus, 7);
  EXPECT_EQ(outcome->output, input);
  EXPECT_EQ(outcome->errors, "oops\n");
}

TEST(RunCommand, HasADeadlineAndALimit) {
  Command command;
  command.argv = {"/bin/sh", "-c", "sleep 60"};
  EXPECT_EQ(run(command, "", 50ms).error().code, Errc::temporary);
  command.argv = {"/bin/sh", "-c", "yes"};
  EXPECT_EQ(run(command, "", 10s, 1000).error().code, Errc::limitExceeded);
}

}  // namespace
}  // namespace mailzone
