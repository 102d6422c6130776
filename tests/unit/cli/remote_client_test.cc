#include "cli/remote_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace mailzone::cli {
namespace {

/// Answers each line of one connection by the next reply; then hangs up.
class Backend {
 public:
  explicit Backend(std::vector<std::string> replies) : path_(folder_.path() + "/s"), replies_(std::move(replies)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), address.sun_path);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Backend() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void serve() {
    const int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    for (const std::string& reply : replies_) {
      char c = 0;
      while (::read(peer, &c, 1) == 1 && c != '\n') {
      }
      const std::string line = reply + "\n";
      if (::send(peer, line.data(), line.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::close(peer);
  }

  test::TemporaryFolder folder_;
  std::string path_;
  std::vector<std::string> replies_;
  int listener_ = -1;
  std::thread thread_;
};

const DnsName kName = DnsName::parse("a.example").value();
constexpr std::chrono::milliseconds kTimeout{5000};

TEST(RemoteClient, GathersRecordsIntoSets) {
  Backend backend({R"({"result":true})",
                   R"({"result":[{"qtype":"MX","qname":"a.example.","content":"10 b.example.","ttl":60,"auth":1},)"
                   R"({"qtype":"MX","qname":"a.example.","content":"20 c.example.","ttl":60},)"
                   R"({"qtype":"","qname":"a.example.","content":"","ttl":60}]})"});
  auto client = RemoteClient::connect(backend.path(), kTimeout);
  ASSERT_TRUE(client.has_value()) << describe(client.error());
  const auto sets = (*client)->lookup(kName);
  ASSERT_TRUE(sets.has_value()) << describe(sets.error());
  ASSERT_EQ(sets->size(), 1U);
  EXPECT_EQ(sets->front().contents, (std::vector<std::string>{"10 b.example.", "20 c.example."}));
}

TEST(RemoteClient, KeepsNoAndCannotTellApart) {
  struct Row {
    const char* why;
    std::string reply;
    bool known;
    Errc code;
  };
  const Row rows[] = {
      {"no data", R"({"result":[]})", true, Errc::internal},
      {"false is no data as well", R"({"result":false})", true, Errc::internal},
      {"no result: SERVFAIL", R"({"log":["x"]})", false, Errc::temporary},
      {"a null result: SERVFAIL", R"({"result":null})", false, Errc::temporary},
      {"not JSON", "oops", false, Errc::invalidInput},
      {"a record without content", R"({"result":[{"qtype":"A","qname":"a.","ttl":1}]})", false, Errc::corrupt}};
  for (const Row& row : rows) {
    Backend backend({R"({"result":true})", row.reply});
    auto client = RemoteClient::connect(backend.path(), kTimeout);
    ASSERT_TRUE(client.has_value()) << row.why;
    const auto sets = (*client)->lookup(kName);
    EXPECT_EQ(sets.has_value(), row.known) << row.why;
    if (!sets) {
      EXPECT_EQ(sets.error().code, row.code) << row.why;
    }
  }
}

TEST(RemoteClient, SaysThatABackendIsNotThere) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(RemoteClient::connect(folder.path() + "/none", kTimeout).error().code, Errc::unavailable);
  EXPECT_EQ(RemoteClient::connect("/" + std::string(200, 'x'), kTimeout).error().code, Errc::settings);
  Backend empty({R"({"result":false})"});
  EXPECT_EQ(RemoteClient::connect(empty.path(), kTimeout).error().code, Errc::unavailable);
  Backend hangsUp({R"({"result":true})"});
  auto client = RemoteClient::connect(hangsUp.path(), kTimeout);
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ((*client)->lookup(kName).error().code, Errc::unavailable);
}

}  // namespace
}  // namespace mailzone::cli
