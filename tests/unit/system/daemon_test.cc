#include "system/daemon.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "system/notify_socket.h"

namespace mailzone {
namespace {

class NotifySupervisor : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mailzone-notify-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    ASSERT_TRUE(socket.open(folder + "/notify.sock"));
    ::setenv("NOTIFY_SOCKET", (folder + "/notify.sock").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    std::filesystem::remove_all(folder);
  }
  std::string folder;
  NotifySocket socket;
};

TEST_F(NotifySupervisor, IsHeard) {
  ASSERT_TRUE(notifySupervisor("READY=1"));
  const auto said = socket.read();
  EXPECT_TRUE(said.ready);
  EXPECT_FALSE(said.watchdog);
}

// A daemon that waited here would stand still with its supervisor, and PowerDNS would fall with it.
TEST_F(NotifySupervisor, NeverWaitsForASupervisorThatDoesNotRead) {
  Result<void> told;
  for (int i = 0; told && i < 100000; ++i) told = notifySupervisor("WATCHDOG=1");
  ASSERT_FALSE(told) << "the socket's queue has an end";
  EXPECT_EQ(told.error().code, Errc::temporary);
  EXPECT_TRUE(socket.read().watchdog);
  EXPECT_TRUE(notifySupervisor("WATCHDOG=1")) << "heard again once it reads";
}

TEST_F(NotifySupervisor, IsNoErrorWithoutASupervisor) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(notifySupervisor("READY=1"));
}

}  // namespace
}  // namespace mailzone
