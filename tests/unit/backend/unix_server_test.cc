#include "backend/unix_server.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <future>
#include <thread>

#include "replica_fixture.h"

namespace mailzone::backend {
namespace {

const std::string kGood = R"({"method":"lookup","parameters":{"qname":"shop.example.","qtype":"SOA","zone-id":-1}})";

/// A peer that does as it likes.
class Peer {
 public:
  explicit Peer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  /// False once the server has hung up.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void halfClose() const { ::shutdown(fd_, SHUT_WR); }
  /// Up to `lines` lines, fewer when the server hangs up; waits 10 s at most.
  std::string receive(std::size_t lines) const {
    std::string in;
    pollfd ready{fd_, POLLIN, 0};
    while (static_cast<std::size_t>(std::count(in.begin(), in.end(), '\n')) < lines && ::poll(&ready, 1, 10000) == 1) {
      char chunk[4096];
      const auto got = ::recv(fd_, chunk, sizeof(chunk), 0);
      if (got <= 0) break;
      in.append(chunk, static_cast<std::size_t>(got));
    }
    return in;
  }
  /// Waits until the server has hung up (10 s at most) and drops what comes before.
  [[nodiscard]] bool hungUp() const {
    pollfd ready{fd_, POLLIN, 0};
    char chunk[4096];
    while (::poll(&ready, 1, 10000) == 1) {
      if (::recv(fd_, chunk, sizeof(chunk), 0) <= 0) return true;
    }
    return false;
  }

 private:
  int fd_;
  bool connected_ = false;
};

class UnixServerFixture : public ReplicaFixture {
 protected:
  void SetUp() override {
    ReplicaFixture::SetUp();
    fill();
    slot = std::make_unique<ReplicaSlot>(replica);
    options.path = folder.path() + "/backend.sock";
    options.maxLine = 2000;
    options.maxConnections = 4;
    options.partial = std::chrono::milliseconds(200);
    options.tick = std::chrono::milliseconds(20);
  }
  void TearDown() override { stop(); }
  void start() {
    server = std::make_unique<UnixServer>(*slot, options);
    auto done = server->listen();
    ASSERT_TRUE(done) << describe(done.error());
    running = std::thread([this] { server->run({}); });
  }
  void stop() {
    if (server) server->stop();
    if (running.joinable()) running.join();
    server.reset();
  }
  [[nodiscard]] Peer peer() const { return Peer(options.path); }
  /// Asks on a connection of its own and expects the right answer.
  void expectServes(const char* after) const {
    const auto other = peer();
    ASSERT_TRUE(other.send(kGood + "\n"));
    EXPECT_NE(other.receive(1).find(R"("qtype":"SOA")"), std::string::npos) << "after " << after;
  }

  UnixServer::Options options;
  std::unique_ptr<ReplicaSlot> slot;
  std::unique_ptr<UnixServer> server;
  std::thread running;
};

TEST_F(UnixServerFixture, AnswersLinesHoweverTheyArrive) {
  start();
  const auto one = peer();
  std::string want;
  for (const char* shape : {"whole", "in pieces", "many at once"}) {
    if (std::string_view(shape) == "in pieces") {
      for (const char c : kGood + "\n") ASSERT_TRUE(one.send(std::string(1, c)));
      EXPECT_EQ(one.receive(1), want) << shape;
    } else if (std::string_view(shape) == "whole") {
      ASSERT_TRUE(one.send(kGood + "\n"));
      want = one.receive(1);
      EXPECT_NE(want.find("SOA"), std::string::npos);
    } else {
      std::string all, replies;
      for (int i = 0; i < 500; ++i) {
        all += kGood + "\n";
        replies += want;
      }
      std::thread sender([&] { ASSERT_TRUE(one.send(all)); });
      EXPECT_EQ(one.receive(500), replies) << shape;
      sender.join();
    }
  }
}

TEST_F(UnixServerFixture, GivesOneErrorToABadPeerAndServesTheOthers) {
  start();
  const auto steady = peer();
  {
    const auto bad = peer();
    ASSERT_TRUE(bad.send("this is no JSON\n" + kGood + "\n"));
    const auto in = bad.receive(2);
    EXPECT_EQ(in.find(R"({"log":[)"), 0U) << "one error";
    EXPECT_NE(in.find(R"("qtype":"SOA")"), std::string::npos) << "and on with the next line";
  }
  expectServes("malformed JSON");
  {
    const auto bad = peer();
    ASSERT_TRUE(bad.send(std::string(2001, 'x')));
    EXPECT_NE(bad.receive(1).find("at most 2000 octets"), std::string::npos);
    EXPECT_TRUE(bad.hungUp());
  }
  expectServes("an oversized line");
  {
    const auto half = peer();
    ASSERT_TRUE(half.send(kGood + "\n" + kGood.substr(0, 20)));
    half.halfClose();
    const auto in = half.receive(2);
    EXPECT_EQ(std::count(in.begin(), in.end(), '\n'), 1) << "whole lines are answered, half a one is not: " << in;
    EXPECT_TRUE(half.hungUp());
  }
  expectServes("a half-closed connection");
  {
    const auto slow = peer();
    ASSERT_TRUE(slow.send(kGood.substr(0, 20)));
    EXPECT_TRUE(slow.hungUp()) << "a request that does not end";
  }
  expectServes("a request that does not end");
  ASSERT_TRUE(steady.send(kGood + "\n"));
  EXPECT_NE(steady.receive(1).find("SOA"), std::string::npos) << "an idle connection stays open all the while";
}

TEST_F(UnixServerFixture, LetsAPeerGoThatDoesNotTakeItsReplies) {
  options.maxLine = 100000;
  start();
  const auto greedy = peer();
  std::string all;
  for (int i = 0; i < 200; ++i) all += kGood + "\n";
  bool open = true;
  for (int i = 0; open && i < 5000; ++i) open = greedy.send(all);
  EXPECT_FALSE(open) << "the server hangs up instead of holding more and more replies";
  expectServes("a peer that does not read");
}

TEST_F(UnixServerFixture, HoldsFewRepliesHoweverManyRequestsComeAtOnce) {
  const auto peakKilobytes = [] {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("VmHWM:", 0) == 0) return std::stol(line.substr(6));
    }
    return -1L;
  };
  std::vector<std::string> texts;
  for (const char c : {'a', 'b', 'c', 'd'}) texts.push_back('"' + std::string(250000, c) + '"');
  apply(source(SourceKind::staticRecord, 9), {rrset(1, "big.shop.example", "TXT", texts)});
  options.partial = std::chrono::seconds(60);  // this peer reads, if slowly
  start();
  const auto one = peer();
  const std::string request =
      R"({"method":"lookup","parameters":{"qname":"big.shop.example.","qtype":"TXT","zone-id":1}})";
  ASSERT_TRUE(one.send(request + "\n"));
  ASSERT_GT(one.receive(1).size(), 1000000U);
  const long before = peakKilobytes();
  std::string all;
  for (int i = 0; i < 100; ++i) all += request + "\n";  // within what is read at once
  ASSERT_TRUE(one.send(all));
  std::ptrdiff_t lines = 0;
  for (std::string in = "-"; lines < 100 && !in.empty(); lines += std::count(in.begin(), in.end(), '\n')) {
    in = one.receive(1);
  }
  EXPECT_EQ(lines, 100) << "each is answered";
  EXPECT_GT(before, 0);
  EXPECT_LT(peakKilobytes() - before, 32 * 1024) << "of 100 MB of replies";
}

TEST_F(UnixServerFixture, MakesRoomAtTheLimitOfConnections) {
  start();
  std::vector<Peer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(peer());
    ASSERT_TRUE(peers.back().send(kGood + "\n"));
    ASSERT_NE(peers.back().receive(1), "");
  }
  expectServes("four connections that are open");
  EXPECT_TRUE(peers[0].hungUp()) << "the one that was idle longest went";
  ASSERT_TRUE(peers[3].send(kGood + "\n"));
  EXPECT_NE(peers[3].receive(1), "");
}

TEST_F(UnixServerFixture, ReplacesADeadSocketAndLeavesALivingOne) {
  start();
  UnixServer second(*slot, options);
  const auto refused = second.listen();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_EQ(exitStatus(refused.error().code), 69);
  EXPECT_NE(refused.error().rule.find("in use"), std::string::npos);
  expectServes("a second server was refused");
  stop();
  {
    // What a killed server leaves behind.
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, options.path.data(), options.path.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
  }
  start();
  expectServes("a stale socket");
  stop();
  EXPECT_FALSE(std::filesystem::exists(options.path)) << "it takes its socket away";
  std::ofstream(options.path) << "precious";
  UnixServer third(*slot, options);
  EXPECT_EQ(third.listen().error().code, Errc::settings) << "what is no socket is not removed";
  EXPECT_TRUE(std::filesystem::exists(options.path));
}

TEST_F(UnixServerFixture, OpensItsSocketToItsGroupAlone) {
  start();
  struct stat file {};
  ASSERT_EQ(::stat(options.path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  stop();
  options.group = ::getgrgid(::getgid())->gr_name;
  start();
  ASSERT_EQ(::stat(options.path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0660U);
  stop();
  options.group = "no-such-group-here";
  EXPECT_EQ(UnixServer(*slot, options).listen().error().code, Errc::settings);
  options.group.clear();
  options.path = folder.path() + "/" + std::string(120, 'a');
  EXPECT_EQ(UnixServer(*slot, options).listen().error().code, Errc::settings) << "longer than a socket's path may be";
  options.path = folder.path() + "/no/such/folder";
  EXPECT_EQ(UnixServer(*slot, options).listen().error().code, Errc::unavailable);
}

TEST_F(UnixServerFixture, CallsBackFromTheLoopThatAnswers) {
  server = std::make_unique<UnixServer>(*slot, options);
  ASSERT_TRUE(server->listen());
  std::promise<void> thrice;
  int ticks = 0;
  const std::function<void()> onTick = [&] {
    if (++ticks == 3) thrice.set_value();
  };
  running = std::thread([&] { server->run(onTick); });
  EXPECT_EQ(thrice.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  stop();
}

}  // namespace
}  // namespace mailzone::backend
