#include "backend/unix_server.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <vector>

#include "backend/dispatcher.h"
#include "system/log.h"

namespace mailzone::backend {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 65536;
constexpr std::size_t kKeepReply = std::size_t{1} << 20;  // memory of a larger reply is given back

/// Answers one connection: reads, answers the whole lines of what came, writes, reads on. While a reply is being taken
/// nothing more is read, so that a peer which does not take its replies costs one of them.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using OnEnd = std::function<void(const std::shared_ptr<Session>&)>;
  Session(Protocol::socket socket, ReplicaAccess& access, const UnixServer::Options& options, OnEnd onEnd)
      : socket_(std::move(socket)), dispatcher_(access), options_(options), onEnd_(std::move(onEnd)) {}

  void start() { read(); }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }
  /// When the peer began to owe us something, a line's end or a reader; it may be idle between requests for ever.
  [[nodiscard]] bool isLate(Clock::time_point now) const { return owing_ && now - *owing_ > options_.partial; }
  [[nodiscard]] bool isIdle() const noexcept { return !owing_; }
  [[nodiscard]] Clock::time_point lastUsed() const noexcept { return lastUsed_; }

 private:
  void end() {
    close();
    onEnd_(shared_from_this());
  }
  void read() {
    socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](error_code error, std::size_t length) {
      if (error) return self->end();  // whole lines were answered; half a one at the end of a stream is nobody's
      self->take(std::string_view(self->chunk_.data(), length));
    });
  }
  void take(std::string_view bytes) {
    lastUsed_ = Clock::now();
    out_.clear();
    while (!bytes.empty() && out_.size() < kKeepReply) {
      const auto end = bytes.find('\n');
      const auto part = bytes.substr(0, end);
      if (pending_.size() + part.size() > options_.maxLine) {
        out_ += Dispatcher::lineTooLong(options_.maxLine);
        hangUp_ = true;
        break;
      }
      if (end == std::string_view::npos) {
        pending_ += part;
        bytes = {};
        break;
      }
      if (pending_.empty()) {
        dispatcher_.onLine(part, out_);
      } else {
        pending_ += part;
        dispatcher_.onLine(pending_, out_);
        pending_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
    rest_ = hangUp_ ? std::string_view() : bytes;
    if (pending_.empty()) {
      owing_.reset();
    } else if (!owing_) {
      owing_ = lastUsed_;
    }
    if (out_.empty()) return read();
    const bool half = owing_.has_value();
    owing_ = Clock::now();
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this(), half](error_code error, std::size_t) {
      if (error || self->hangUp_) return self->end();
      if (!half) self->owing_.reset();
      if (self->out_.capacity() > kKeepReply) std::string().swap(self->out_);
      // What came with the requests that were answered: their replies were enough to hold at once.
      if (!self->rest_.empty()) return self->take(self->rest_);
      self->read();
    });
  }

  Protocol::socket socket_;
  Dispatcher dispatcher_;
  const UnixServer::Options& options_;
  OnEnd onEnd_;
  std::array<char, kReadSize> chunk_{};
  std::string_view rest_;  ///< of chunk_: not looked at yet
  std::string pending_;    ///< a request that has begun
  std::string out_;
  bool hangUp_ = false;
  std::optional<Clock::time_point> owing_;
  Clock::time_point lastUsed_ = Clock::now();
};

Result<void> nameTooLong(const std::string& path) {
  return fail(Errc::settings, path,
              fmt::format("a unix socket's path has at most {} octets", sizeof(sockaddr_un::sun_path) - 1),
              "set a shorter backend.socket");
}

/// Is somebody listening there?
bool isLive(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  // EAGAIN: its backlog is full. Any answer but "refused" may be a living one.
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

Result<void> removeStale(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) {
    return fail(Errc::settings, path, "is not a socket and is not replaced",
                "remove it, or set another backend.socket");
  }
  if (isLive(path)) {
    return fail(Errc::unavailable, path, "the socket is in use by another process",
                "stop the other mailzone-backend, or set another backend.socket");
  }
  ::unlink(path.c_str());
  return {};
}

}  // namespace

class UnixServer::Impl {
 public:
  Impl(const ReplicaSlot& slot, Options options)
      : options_(std::move(options)), access_(slot), acceptor_(io_), retry_(io_), ticker_(io_) {}
  ~Impl() {
    if (!bound_) return;
    struct stat file {};
    // Only our own: after a replacement the path may be somebody else's.
    if (::lstat(options_.path.c_str(), &file) == 0 && file.st_ino == inode_) ::unlink(options_.path.c_str());
  }

  Result<void> listen() {
    if (options_.path.size() >= sizeof(sockaddr_un::sun_path)) return nameTooLong(options_.path);
    if (auto done = removeStale(options_.path); !done) return done;
    gid_t group = static_cast<gid_t>(-1);
    if (!options_.group.empty()) {
      const auto* entry = ::getgrnam(options_.group.c_str());
      if (entry == nullptr) {
        return fail(Errc::settings, options_.group, "is no group of this system",
                    "make it, or set another backend.socket_group");
      }
      group = entry->gr_gid;
    }
    error_code error;
    acceptor_.open(Protocol(), error);
    // The socket is nobody's before it has its group: no moment at which others may connect.
    const auto before = ::umask(0777);
    if (!error) acceptor_.bind(Protocol::endpoint(options_.path), error);
    ::umask(before);
    if (error) return failed("cannot be bound", error.message());
    bound_ = true;
    struct stat file {};
    if (::lstat(options_.path.c_str(), &file) == 0) inode_ = file.st_ino;
    if (!options_.group.empty() && ::lchown(options_.path.c_str(), static_cast<uid_t>(-1), group) != 0) {
      return failed(fmt::format("cannot be given to group {}", options_.group), std::strerror(errno));
    }
    if (::chmod(options_.path.c_str(), options_.group.empty() ? 0600 : 0660) != 0) {
      return failed("its mode cannot be set", std::strerror(errno));
    }
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failed("cannot be listened on", error.message());
    return {};
  }

  void run(const std::function<void()>& onTick) {
    accept();
    tick(onTick);
    io_.run();
  }
  void stop() {
    asio::post(io_, [this] { io_.stop(); });
  }
  [[nodiscard]] std::size_t connections() const noexcept { return sessions_.size(); }

 private:
  [[nodiscard]] Result<void> failed(std::string what, std::string_view why) const {
    return fail(Errc::unavailable, options_.path, fmt::format("the socket {}: {}", what, why),
                "look at the rights of its folder and the groups of this program's user");
  }
  void accept() {
    acceptor_.async_accept([this](error_code error, Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, most likely: try again in a moment instead of at once, for ever.
        log::warn("cannot accept a connection", {{"error", error.message()}});
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }
  void admit(Protocol::socket socket) {
    if (sessions_.size() >= options_.maxConnections && !makeRoom()) {
      log::warn("too many connections: one was refused", {{"limit", options_.maxConnections}});
      return;
    }
    auto session = std::make_shared<Session>(std::move(socket), access_, options_,
                                             [this](const auto& ended) { sessions_.erase(ended); });
    sessions_.insert(session);
    session->start();
  }
  /// The connection that was idle longest goes: PowerDNS opens a new one when it needs it.
  bool makeRoom() {
    std::shared_ptr<Session> longest;
    for (const auto& session : sessions_) {
      if (session->isIdle() && (!longest || session->lastUsed() < longest->lastUsed())) longest = session;
    }
    if (!longest) return false;
    log::warn("too many connections: the one that was idle longest was closed", {{"limit", options_.maxConnections}});
    sessions_.erase(longest);
    longest->close();
    return true;
  }
  void tick(const std::function<void()>& onTick) {
    const auto now = Clock::now();
    const auto sessions = sessions_;
    for (const auto& session : sessions) {
      if (!session->isLate(now)) continue;
      sessions_.erase(session);
      session->close();
    }
    if (onTick) onTick();
    ticker_.expires_after(options_.tick);
    ticker_.async_wait([this, &onTick](error_code error) {
      if (!error) tick(onTick);
    });
  }

  Options options_;
  asio::io_context io_{1};
  ReplicaAccess access_;
  Protocol::acceptor acceptor_;
  asio::steady_timer retry_, ticker_;
  std::set<std::shared_ptr<Session>> sessions_;
  bool bound_ = false;
  ino_t inode_ = 0;
};

UnixServer::UnixServer(const ReplicaSlot& slot, Options options)
    : impl_(std::make_unique<Impl>(slot, std::move(options))) {}
UnixServer::~UnixServer() = default;
Result<void> UnixServer::listen() {
  return impl_->listen();
}
void UnixServer::run(const std::function<void()>& onTick) {
  impl_->run(onTick);
}
void UnixServer::stop() noexcept {
  impl_->stop();
}
std::size_t UnixServer::connections() const noexcept {
  return impl_->connections();
}

}  // namespace mailzone::backend
