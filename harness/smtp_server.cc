#include "harness/smtp_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <set>
#include <thread>

#include "harness/tls_identity.h"

namespace mailzone::harness {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using TlsStream = asio::ssl::stream<Tcp::socket&>;
using ErrorCode = boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;

// Judges ask the DNS and block; the network thread never does.
constexpr std::size_t kJudgeThreads = 4;
// After our last words the rest of what a client still sends is read for a moment: a reset would take the words away.
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kChunk = 16 * 1024;

IpAddress fromAsio(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_uint());
  const auto bytes = address.to_v6().to_bytes();
  return IpAddress::v6(bytes).unmapped();
}

asio::ip::address toAsio(const IpAddress& address) {
  const auto& octets = address.octets();
  if (address.isV4()) return asio::ip::address_v4({octets[0], octets[1], octets[2], octets[3]});
  return asio::ip::address_v6(octets);
}

SteadyTime in(std::chrono::seconds wait) {
  return std::chrono::steady_clock::now() + wait;
}

/// The deadline of what a socket waits for: cancels it when the time comes. arm() replaces the deadline before; one
/// that had come already but was not yet handled counts no longer.
class Deadline {
 public:
  Deadline(asio::io_context& io, Tcp::socket& socket) : timer_(io), armed_(std::make_shared<Armed>(Armed{&socket})) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { disarm(); }

  void arm(SteadyTime when) {
    const unsigned turn = ++armed_->turn;
    timer_.expires_at(when);
    timer_.async_wait([armed = armed_, turn](ErrorCode error) {
      if (!error && armed->turn == turn) armed->socket->cancel(error);
    });
  }
  void disarm() {
    ++armed_->turn;
    timer_.cancel();
  }

 private:
  struct Armed {
    Tcp::socket* socket;
    unsigned turn = 0;
  };
  asio::steady_timer timer_;
  std::shared_ptr<Armed> armed_;
};

}  // namespace

struct SmtpServer::State {
  SmtpServerOptions options;
  SmtpHandler handler;
  TlsIdentity identity;
  std::uint16_t port = 0;
  asio::io_context io{1};
  asio::ssl::context tls{asio::ssl::context::tls_server};
  Tcp::acceptor acceptor{io};
  asio::thread_pool judges{kJudgeThreads};
  std::set<Tcp::socket*> open;  ///< touched by the network thread only
  bool stopping = false;        ///< likewise
  std::thread thread;

  std::chrono::seconds commandTime() const { return std::chrono::seconds(options.limits.commandSeconds); }
  asio::awaitable<void> acceptLoop();
  asio::awaitable<void> serve(Tcp::socket socket);
  template <class Stream>
  asio::awaitable<bool> send(Stream& stream, std::string bytes);
  template <class Stream>
  asio::awaitable<SmtpAction> converse(Stream& stream, SmtpSession& session, SteadyTime end, std::string tlsVersion,
                                       IpAddress client, Deadline& deadline);
  asio::awaitable<std::string> answer(SmtpSession& session, std::string tlsVersion, IpAddress client);
};

asio::awaitable<void> SmtpServer::State::acceptLoop() {
  while (!stopping) {
    ErrorCode error;
    Tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopping) co_return;
    if (error) {
      // Out of descriptors, most likely: wait for connections to end instead of spinning.
      asio::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    asio::co_spawn(io, serve(std::move(socket)), asio::detached);
  }
}

template <class Stream>
asio::awaitable<bool> SmtpServer::State::send(Stream& stream, std::string bytes) {
  ErrorCode error;
  co_await asio::async_write(stream, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<std::string> SmtpServer::State::answer(SmtpSession& session, std::string tlsVersion, IpAddress client) {
  const SmtpDelivery delivery{client, std::move(tlsVersion), session.envelope(), session.message()};
  co_return co_await asio::co_spawn(
      judges,
      [this, &delivery]() -> asio::awaitable<std::string> {
        std::string reply = "451 4.3.0 this receiver failed, try again\r\n";
        try {
          reply = handler(delivery);
        } catch (const std::exception&) {
          // A defect of a judge must not take the other connections along; the client may try again.
        }
        co_return reply;
      },
      asio::use_awaitable);
}

/// Runs the session until it wants TLS or is over; anything else than startTls means: close.
template <class Stream>
asio::awaitable<SmtpAction> SmtpServer::State::converse(Stream& stream, SmtpSession& session, SteadyTime end,
                                                        std::string tlsVersion, IpAddress client, Deadline& deadline) {
  std::array<char, kChunk> chunk{};
  bool inData = false;
  SteadyTime limit{};
  while (!stopping) {
    // One limit for a whole command line or message, however slowly its bytes drip.
    if (limit == SteadyTime{} || inData != session.inData()) {
      inData = session.inData();
      limit = in(std::chrono::seconds(inData ? options.limits.dataSeconds : options.limits.commandSeconds));
    }
    deadline.arm(std::min(limit, end));
    ErrorCode error;
    const std::size_t size =
        co_await stream.async_read_some(asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      if (error == asio::error::operation_aborted && !stopping) {
        deadline.arm(in(kLinger));
        co_await send(stream, session.timeoutReply());
      }
      co_return SmtpAction::close;
    }
    SmtpStep step = session.feed(std::string_view(chunk.data(), size));
    while (step.action == SmtpAction::judge) {
      if (!step.reply.empty()) {
        deadline.arm(in(commandTime()));
        if (!co_await send(stream, std::move(step.reply))) co_return SmtpAction::close;
      }
      deadline.disarm();
      const std::string reply = co_await answer(session, tlsVersion, client);
      if (stopping) co_return SmtpAction::close;
      step = session.answer(reply);
    }
    if (!step.reply.empty()) {
      limit = SteadyTime{};  // something was complete: the next command has its own time
      deadline.arm(in(commandTime()));
      if (!co_await send(stream, std::move(step.reply))) co_return SmtpAction::close;
    }
    if (step.action != SmtpAction::read) co_return step.action;
  }
  co_return SmtpAction::close;
}

asio::awaitable<void> SmtpServer::State::serve(Tcp::socket socket) {
  ErrorCode error;
  const auto remote = socket.remote_endpoint(error);
  if (error) co_return;
  const IpAddress client = fromAsio(remote.address());
  const SteadyTime end = std::chrono::steady_clock::now() + std::chrono::seconds(options.limits.sessionSeconds);
  Deadline deadline(io, socket);
  open.insert(&socket);
  struct Closing {
    std::set<Tcp::socket*>& open;
    Tcp::socket& socket;
    ~Closing() { open.erase(&socket); }
  } closing{open, socket};

  deadline.arm(std::min(end, in(commandTime())));
  if (open.size() > options.limits.connections) {
    co_await send(socket, fmt::format("421 4.7.0 {} has too many connections, try later\r\n", options.hostName));
    co_return;
  }
  SmtpSession session(options.hostName, options.limits, true, options.recipientDomains);
  if (!co_await send(socket, session.greeting())) co_return;
  SmtpAction action = co_await converse(socket, session, end, "", client, deadline);
  if (action == SmtpAction::startTls) {
    TlsStream stream(socket, tls);
    deadline.arm(std::min(end, in(commandTime())));
    co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    session.tlsStarted();
    const std::string version = SSL_get_version(stream.native_handle());
    co_await converse(stream, session, end, version, client, deadline);
    if (stopping) co_return;
    deadline.arm(in(kLinger));
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }
  if (stopping) co_return;
  socket.shutdown(Tcp::socket::shutdown_send, error);
  deadline.arm(in(kLinger));
  std::array<char, kChunk> rest{};
  while (!error) {
    co_await socket.async_read_some(asio::buffer(rest), asio::redirect_error(asio::use_awaitable, error));
  }
}

SmtpServer::SmtpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<SmtpServer>> SmtpServer::start(SmtpServerOptions options, SmtpHandler handler, TimePoint now) {
  auto identity = makeTlsIdentity(options.hostName, now);
  if (!identity) return pass(identity);
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->handler = std::move(handler);
  state->identity = std::move(*identity);

  ErrorCode error;
  state->tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  const std::string& certificate = state->identity.certificatePem;
  const std::string& key = state->identity.privateKeyPem;
  if (!error) state->tls.use_certificate_chain(asio::buffer(certificate), error);
  if (!error) state->tls.use_private_key(asio::buffer(key), asio::ssl::context::pem, error);
  if (error)
    return fail(Errc::internal, state->options.hostName, "OpenSSL refuses our certificate: " + error.message());

  const Tcp::endpoint endpoint(toAsio(state->options.address), state->options.port);
  state->acceptor.open(endpoint.protocol(), error);
  if (!error) state->acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) state->acceptor.bind(endpoint, error);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) state->port = state->acceptor.local_endpoint(error).port();
  if (error) {
    return fail(Errc::unavailable, fmt::format("{} port {}", state->options.address.text(), state->options.port),
                "cannot listen there: " + error.message(), "choose another address or port, or end what uses it");
  }
  asio::co_spawn(state->io, state->acceptLoop(), asio::detached);
  state->thread = std::thread([raw = state.get()] { raw->io.run(); });
  return std::unique_ptr<SmtpServer>(new SmtpServer(std::move(state)));
}

SmtpServer::~SmtpServer() {
  asio::post(state_->io, [state = state_.get()] {
    state->stopping = true;
    ErrorCode ignored;
    state->acceptor.close(ignored);
    // Every pending operation ends with an error, and its coroutine with it; the thread ends when none is left.
    for (Tcp::socket* socket : state->open) socket->close(ignored);
  });
  state_->thread.join();
  state_->judges.join();
}

std::uint16_t SmtpServer::port() const noexcept {
  return state_->port;
}

const std::string& SmtpServer::certificatePem() const noexcept {
  return state_->identity.certificatePem;
}

}  // namespace mailzone::harness
