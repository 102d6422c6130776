// The demo as tests: it passes on both databases, finds each thing that is made wrong behind its back, and leaves
// nothing when it is killed. Runs the program as scripts/demo does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace mailzone {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// One run of mailzone-harness, its output read as it comes.
class Demo {
 public:
  explicit Demo(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {MAILZONE_BINARY_DIR "/bin/mailzone-harness", "run"});
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::dup2(ends[1], 2);
      std::vector<char*> argv;
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;
  ~Demo() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(output_);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& text() const { return text_; }

  /// Reads until `deadline`, or until the run has closed its output (true).
  bool readUntil(Clock::time_point deadline) {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return false;
      pollfd waiting{output_, POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
      char buffer[4096];
      const ssize_t got = ::read(output_, buffer, sizeof buffer);
      if (got <= 0) return true;
      text_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  bool waitFor(const std::string& words, std::chrono::seconds limit) {
    const auto deadline = Clock::now() + limit;
    while (text_.find(words) == std::string::npos) {
      if (Clock::now() >= deadline || readUntil(Clock::now() + std::chrono::milliseconds{20})) return false;
    }
    return true;
  }
  /// The exit status; -1 when a signal ended it, -2 when it is not over in time.
  int finish(std::chrono::seconds limit) {
    if (!readUntil(Clock::now() + limit)) return -2;
    return reap();
  }
  int reap() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
};

json readJson(const fs::path& path) {
  std::ifstream in(path);
  return json::parse(in, nullptr, false);
}

std::size_t rowsNotOk(const json& verdicts) {
  std::size_t count = 0;
  for (const auto& row : verdicts.at("verdicts")) count += row.at("ok").get<bool>() ? 0U : 1U;
  return count;
}

void expectGreen(const std::vector<std::string>& arguments) {
  const test::TemporaryFolder folder;
  const auto file = fs::path(folder.path()) / "verdicts.json";
  auto all = arguments;
  all.insert(all.end(), {"--json", file.string()});
  Demo demo(all);
  ASSERT_EQ(demo.finish(std::chrono::seconds{240}), 0) << demo.text();
  const auto verdicts = readJson(file);
  ASSERT_TRUE(verdicts.is_object()) << demo.text();
  EXPECT_EQ(verdicts.at("schema"), "mailzone/verdicts/1");
  EXPECT_TRUE(verdicts.at("ok").get<bool>());
  EXPECT_GE(verdicts.at("verdicts").size(), 30U);
  EXPECT_EQ(rowsNotOk(verdicts), 0U);
  for (const auto& row : verdicts.at("verdicts")) {
    EXPECT_FALSE(row.at("expected").empty()) << row << " states nothing";
  }
  std::cout << demo.text().substr(0, demo.text().find("verdicts\n")) << '\n';
}

TEST(Demo, PassesOnSqlite) {
  expectGreen({});
}
TEST(Demo, PassesOnMariadbWithTheLiveSigningView) {
  expectGreen({"--database", "mysql"});
}

void expectFound(const std::string& what) {
  const test::TemporaryFolder folder;
  const auto file = fs::path(folder.path()) / "verdicts.json";
  Demo demo({"--break", what, "--json", file.string()});
  ASSERT_EQ(demo.finish(std::chrono::seconds{240}), 1) << demo.text();
  const auto verdicts = readJson(file);
  ASSERT_TRUE(verdicts.is_object()) << demo.text();
  EXPECT_FALSE(verdicts.at("ok").get<bool>());
  EXPECT_GE(rowsNotOk(verdicts), 1U) << demo.text();
}

TEST(DemoBreak, KeyIsFound) {
  expectFound("key");
}
TEST(DemoBreak, BodyIsFound) {
  expectFound("body");
}
TEST(DemoBreak, SpfIsFound) {
  expectFound("spf");
}
TEST(DemoBreak, PtrIsFound) {
  expectFound("ptr");
}
TEST(DemoBreak, DmarcIsFound) {
  expectFound("dmarc");
}
TEST(DemoBreak, BackendIsFound) {
  expectFound("backend");
}
TEST(DemoBreak, SignerIsFound) {
  expectFound("signer");
}

TEST(DemoDoor, RefusesASecondRunBesideTheFirst) {
  Demo first({"--only", "t1-webapp"});
  ASSERT_TRUE(first.waitFor("private namespaces", std::chrono::seconds{30})) << first.text();
  Demo second({"--only", "t1-webapp"});
  EXPECT_NE(second.finish(std::chrono::seconds{30}), 0) << second.text();
  EXPECT_NE(second.text().find(std::to_string(first.pid())), std::string::npos)
      << "names the process that runs already: " << second.text();
  EXPECT_EQ(first.finish(std::chrono::seconds{120}), 0) << first.text();
}

TEST(DemoDoor, RefusesWhatItDoesNotKnow) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--break", "nothing"},
                                                    {"--database", "oracle"},
                                                    {"--only", "no-such-row"},
                                                    {"--nonsense"}}) {
    Demo demo(arguments);
    const int status = demo.finish(std::chrono::seconds{60});
    EXPECT_EQ(status, 2) << arguments.front() << '\n' << demo.text();
    EXPECT_NE(demo.text().find(arguments.back()), std::string::npos) << demo.text();
  }
}

std::string linkOf(const fs::path& path) {
  std::error_code error;
  const auto target = fs::read_symlink(path, error);
  return error ? std::string() : target.string();
}
std::vector<pid_t> processes() {
  std::vector<pid_t> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) all.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return all;
}
/// Processes of a network or pid namespace that is not ours: what a run has started.
std::vector<pid_t> strangers() {
  std::vector<pid_t> found;
  const auto network = linkOf("/proc/self/ns/net");
  const auto pids = linkOf("/proc/self/ns/pid");
  for (const pid_t pid : processes()) {
    const auto at = "/proc/" + std::to_string(pid) + "/ns/";
    const auto theirNetwork = linkOf(at + "net");
    const auto theirPids = linkOf(at + "pid");
    if ((!theirNetwork.empty() && theirNetwork != network) || (!theirPids.empty() && theirPids != pids)) {
      found.push_back(pid);
    }
  }
  return found;
}
pid_t parentOf(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream rest(text.substr(end + 2));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return state == 'Z' ? 0 : parent;
}
std::string mounts() {
  std::ifstream in("/proc/self/mounts");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(DemoKill, LeavesNothingWhateverIsKilledWhenever) {
  const int trials = std::getenv("MAILZONE_LONG") != nullptr ? 50 : 4;
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto mountsBefore = mounts();
  ASSERT_TRUE(strangers().empty()) << "something else runs in namespaces of its own";
  std::chrono::milliseconds slowest{0};
  for (int trial = 0; trial < trials; ++trial) {
    Demo demo({});
    const auto moment = std::chrono::milliseconds{random() % 16000};
    const bool over = demo.readUntil(Clock::now() + moment);
    pid_t victim = demo.pid();
    if (random() % 2 == 0) {  // the supervisor: the child that is the first process of the namespaces
      for (const pid_t pid : strangers()) {
        if (parentOf(pid) == demo.pid()) victim = pid;
      }
    }
    const bool outer = victim == demo.pid();
    SCOPED_TRACE("trial " + std::to_string(trial) + (outer ? ", the outer process" : ", the supervisor") + ", after " +
                 std::to_string(moment.count()) + " ms");
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    const auto killed = Clock::now();
    if (outer) {
      EXPECT_EQ(demo.reap(), over ? 0 : -1);
    }
    while (!strangers().empty() && Clock::now() < killed + std::chrono::seconds{2}) ::poll(nullptr, 0, 10);
    slowest = std::max(slowest, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - killed));
    const auto left = strangers();
    ASSERT_TRUE(left.empty()) << left.size() << " processes live on, such as "
                              << linkOf("/proc/" + std::to_string(left.front()) + "/exe");
    EXPECT_EQ(mounts(), mountsBefore);
    if (!outer) {
      EXPECT_NE(demo.reap(), 0) << "a run whose supervisor was killed is no success";
    }
  }
  std::cout << trials << " trials, the slowest gone after " << slowest.count() << " ms\n";
  Demo next({"--only", "t1-webapp"});
  EXPECT_EQ(next.finish(std::chrono::seconds{120}), 0) << next.text();
}

}  // namespace
}  // namespace mailzone
