#include "harness/smtp_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

namespace mailzone::harness {
namespace {

using SteadyClock = std::chrono::steady_clock;

// RFC 5321 section 4.5.3.1.5 knows reply lines of 512 octets; a peer that goes on and on is cut.
constexpr std::size_t kMaxReply = 64 * 1024;

struct SslFreer {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
struct SslContextFreer {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
struct BioFreer {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct X509Freer {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

socklen_t toSockaddr(const IpAddress& address, std::uint16_t port, sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (address.isV4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.octets().data(), 4);
    std::memcpy(&storage, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  std::memcpy(&in.sin6_addr, address.octets().data(), 16);
  std::memcpy(&storage, &in, sizeof in);
  return sizeof in;
}

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string opensslReason() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

// OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that closes would end the whole program.
void ignoreSigpipe() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction now {};
    if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
  });
}

}  // namespace

struct SmtpClient::Connection {
  int fd = -1;
  std::string peer;  ///< for errors
  std::chrono::milliseconds allowed{};
  SteadyClock::time_point deadline;
  std::unique_ptr<SSL_CTX, SslContextFreer> context;
  std::unique_ptr<SSL, SslFreer> ssl;
  std::string buffer;  ///< received, not yet taken
  std::string tail;    ///< the last line received, for errors
  SmtpReply greeting;
  SmtpReply lastEhlo;

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    ssl.reset();
    if (fd >= 0) ::close(fd);
  }

  void begin() { deadline = SteadyClock::now() + allowed; }

  [[nodiscard]] tl::unexpected<Error> broken(std::string what) const {
    if (!tail.empty()) what += "; the last line received was " + escapeForDisplay(tail);
    return fail(Errc::io, peer, std::move(what));
  }

  Result<void> wait(short events) const {
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
      if (left <= 0) {
        return fail(Errc::temporary, peer, fmt::format("the server did not answer within {} ms", allowed.count()));
      }
      pollfd item{fd, events, 0};
      const int ready = ::poll(&item, 1, static_cast<int>(std::min<long long>(left, 60'000)));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return broken(fmt::format("poll: {}", std::strerror(errno)));
    }
  }

  /// After an SSL function returned `result`: waits for what it needs, or says why it failed.
  Result<void> waitForTls(int result, std::string_view what) const {
    const int why = SSL_get_error(ssl.get(), result);
    if (why == SSL_ERROR_WANT_READ) return wait(POLLIN);
    if (why == SSL_ERROR_WANT_WRITE) return wait(POLLOUT);
    const long verified = SSL_get_verify_result(ssl.get());
    if (verified != X509_V_OK) return broken(fmt::format("{}: {}", what, X509_verify_cert_error_string(verified)));
    if (why == SSL_ERROR_ZERO_RETURN || (why == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)) {
      return broken("the server closed the connection");
    }
    return broken(fmt::format("{}: {}", what, opensslReason()));
  }

  Result<void> write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (ssl) {
        ERR_clear_error();
        const int sent =
            SSL_write(ssl.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 16384)));
        if (sent > 0) {
          bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (auto waited = waitForTls(sent, "TLS write"); !waited) {
          return waited;
        }
        continue;
      }
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (auto waited = wait(POLLOUT); !waited) return waited;
      } else if (errno != EINTR) {
        return broken(fmt::format("cannot send: {}", std::strerror(errno)));
      }
    }
    return {};
  }

  /// Appends at least one octet to the buffer.
  Result<void> read() {
    std::array<char, 4096> chunk{};
    while (true) {
      if (ssl) {
        ERR_clear_error();
        const int got = SSL_read(ssl.get(), chunk.data(), static_cast<int>(chunk.size()));
        if (got > 0) {
          buffer.append(chunk.data(), static_cast<std::size_t>(got));
          return {};
        }
        if (auto waited = waitForTls(got, "TLS read"); !waited) return waited;
        continue;
      }
      const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
      if (got > 0) {
        buffer.append(chunk.data(), static_cast<std::size_t>(got));
        return {};
      }
      if (got == 0) return broken("the server closed the connection");
      if (errno == EAGAIN) {
        if (auto waited = wait(POLLIN); !waited) return waited;
      } else if (errno != EINTR) {
        return broken(fmt::format("cannot receive: {}", std::strerror(errno)));
      }
    }
  }

  Result<std::string> readLine() {
    std::size_t end = 0;
    while ((end = buffer.find('\n')) == std::string::npos) {
      if (buffer.size() > kMaxReply) return fail(Errc::corrupt, buffer, "a reply line without end");
      if (auto got = read(); !got) return pass(got);
    }
    std::string line = buffer.substr(0, end);
    buffer.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    tail = line;
    return line;
  }

  /// RFC 5321 section 4.2.1
  Result<SmtpReply> readReply() {
    SmtpReply reply;
    std::size_t size = 0;
    while (true) {
      auto line = readLine();
      if (!line) return pass(line);
      size += line->size();
      const auto digit = [&](std::size_t i) { return (*line)[i] >= '0' && (*line)[i] <= '9'; };
      if (line->size() < 3 || !digit(0) || !digit(1) || !digit(2) ||
          (line->size() > 3 && (*line)[3] != ' ' && (*line)[3] != '-') || size > kMaxReply) {
        return fail(Errc::corrupt, *line, "this is no SMTP reply");
      }
      reply.code = ((*line)[0] - '0') * 100 + ((*line)[1] - '0') * 10 + ((*line)[2] - '0');
      const bool more = line->size() > 3 && (*line)[3] == '-';
      reply.lines.push_back(std::move(*line));
      if (!more) return reply;
    }
  }

  Result<SmtpReply> exchange(std::string_view line) {
    begin();
    std::string bytes(line);
    bytes += "\r\n";
    auto sent = write(bytes);
    OPENSSL_cleanse(bytes.data(), bytes.size());  // it may be a password
    if (!sent) return pass(sent);
    return readReply();
  }

  Result<void> handshake(const SmtpTls& tls) {
    ignoreSigpipe();
    context.reset(SSL_CTX_new(TLS_client_method()));
    if (!context) return broken("OpenSSL: " + opensslReason());
    if (!tls.caPem.empty()) {
      const std::unique_ptr<BIO, BioFreer> bio(BIO_new_mem_buf(tls.caPem.data(), static_cast<int>(tls.caPem.size())));
      const std::unique_ptr<X509, X509Freer> ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
      if (!ca || X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), ca.get()) != 1) {
        return fail(Errc::invalidInput, "", "the CA certificate cannot be read: " + opensslReason());
      }
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    }
    ssl.reset(SSL_new(context.get()));
    if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return broken("OpenSSL: " + opensslReason());
    if (!tls.serverName.empty()) {
      // What the macro SSL_set_tlsext_host_name does, without its cast.
      std::string sni = tls.serverName;
      SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data());
      if (!tls.caPem.empty()) SSL_set1_host(ssl.get(), tls.serverName.c_str());
    }
    int result = 0;
    while ((result = SSL_connect(ssl.get())) != 1) {
      if (auto waited = waitForTls(result, "TLS handshake"); !waited) return waited;
    }
    return {};
  }
};

SmtpClient::SmtpClient(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
SmtpClient::SmtpClient(SmtpClient&&) noexcept = default;
SmtpClient& SmtpClient::operator=(SmtpClient&&) noexcept = default;
SmtpClient::~SmtpClient() = default;

Result<SmtpClient> SmtpClient::connect(const SmtpEndpoint& endpoint) {
  auto connection = std::make_unique<Connection>();
  connection->peer = fmt::format("{} port {}", endpoint.address.text(), endpoint.port);
  connection->allowed = endpoint.deadline;
  connection->begin();
  const auto failed = [&](std::string_view what) {
    return fail(Errc::io, connection->peer, fmt::format("{}: {}", what, std::strerror(errno)));
  };
  connection->fd =
      ::socket(endpoint.address.isV4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connection->fd < 0) return failed("cannot make a socket");
  const int on = 1;
  ::setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage storage{};
  if (endpoint.source) {
    const socklen_t size = toSockaddr(*endpoint.source, 0, storage);
    if (::bind(connection->fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
      return failed("cannot send from " + endpoint.source->text());
    }
  }
  const socklen_t size = toSockaddr(endpoint.address, endpoint.port, storage);
  if (::connect(connection->fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    if (errno != EINPROGRESS) return failed("cannot connect");
    if (auto waited = connection->wait(POLLOUT); !waited) return pass(waited);
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return failed("cannot connect");
    errno = error;
    if (error != 0) return failed("cannot connect");
  }
  auto greeting = connection->readReply();
  if (!greeting) return pass(greeting);
  connection->greeting = std::move(*greeting);
  return SmtpClient(std::move(connection));
}

const SmtpReply& SmtpClient::greeting() const noexcept {
  return connection_->greeting;
}

void SmtpClient::setDeadline(std::chrono::milliseconds deadline) noexcept {
  connection_->allowed = deadline;
}

Result<SmtpReply> SmtpClient::command(std::string_view line) {
  return connection_->exchange(line);
}

Result<SmtpReply> SmtpClient::ehlo(std::string_view name) {
  auto reply = connection_->exchange(fmt::format("EHLO {}", name));
  connection_->lastEhlo = reply && reply->ok() ? *reply : SmtpReply{};
  return reply;
}

bool SmtpClient::offers(std::string_view keyword) const {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  const auto& lines = connection_->lastEhlo.lines;
  return std::any_of(lines.begin() + (lines.empty() ? 0 : 1), lines.end(), [&](const std::string& line) {
    const std::string_view text = std::string_view(line).substr(std::min<std::size_t>(4, line.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" ="));
    return std::equal(word.begin(), word.end(), keyword.begin(), keyword.end(),
                      [&](char a, char b) { return upper(a) == upper(b); });
  });
}

Result<SmtpReply> SmtpClient::startTls(const SmtpTls& tls) {
  auto reply = connection_->exchange("STARTTLS");
  if (!reply || reply->code != 220) return reply;
  connection_->begin();
  // RFC 3207 section 5: what came in clear text behind the reply is an injection.
  if (!connection_->buffer.empty()) return connection_->broken("the server sent clear text behind its STARTTLS reply");
  if (auto done = connection_->handshake(tls); !done) return pass(done);
  connection_->lastEhlo = SmtpReply{};
  return reply;
}

Result<SmtpReply> SmtpClient::authPlain(std::string_view user, const Secret& password, std::string_view authzid) {
  // RFC 4616
  std::string text(authzid);
  text += '\0';
  text += user;
  text += '\0';
  text += password.reveal();
  std::string line = "AUTH PLAIN " + base64(text);
  auto reply = connection_->exchange(line);
  OPENSSL_cleanse(text.data(), text.size());
  OPENSSL_cleanse(line.data(), line.size());
  return reply;
}

Result<SmtpReply> SmtpClient::authLogin(std::string_view user, const Secret& password) {
  auto reply = connection_->exchange("AUTH LOGIN");
  if (!reply || reply->code != 334) return reply;
  reply = connection_->exchange(base64(user));
  if (!reply || reply->code != 334) return reply;
  std::string line = base64(password.reveal());
  reply = connection_->exchange(line);
  OPENSSL_cleanse(line.data(), line.size());
  return reply;
}

Result<SmtpReply> SmtpClient::mail(std::string_view address, std::string_view parameters) {
  return connection_->exchange(fmt::format("MAIL FROM:<{}>{}", address, parameters));
}

Result<SmtpReply> SmtpClient::rcpt(std::string_view address, std::string_view parameters) {
  return connection_->exchange(fmt::format("RCPT TO:<{}>{}", address, parameters));
}

Result<SmtpReply> SmtpClient::data(std::string_view message) {
  if (message.size() < 2 || message.substr(message.size() - 2) != "\r\n") {
    return fail(Errc::invalidInput, "", "a message must end in CR LF");
  }
  auto reply = connection_->exchange("DATA");
  if (!reply || reply->code != 354) return reply;
  // RFC 5321 section 4.5.2. Only what follows CR LF is the begin of a line.
  std::string stuffed;
  stuffed.reserve(message.size() + message.size() / 64 + 8);
  bool lineBegins = true;
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (lineBegins && message[i] == '.') stuffed += '.';
    stuffed += message[i];
    lineBegins = message[i] == '\n' && i > 0 && message[i - 1] == '\r';
  }
  stuffed += ".\r\n";
  connection_->begin();
  if (auto sent = connection_->write(stuffed); !sent) {
    // The server may have said why it hung up.
    auto words = connection_->readReply();
    return words ? words : pass(sent);
  }
  return connection_->readReply();
}

Result<SmtpReply> SmtpClient::quit() {
  return connection_->exchange("QUIT");
}

Result<void> SmtpClient::sendRaw(std::string_view bytes) {
  connection_->begin();
  return connection_->write(bytes);
}

Result<SmtpReply> SmtpClient::readReply() {
  connection_->begin();
  return connection_->readReply();
}

std::string SmtpClient::tlsVersion() const {
  return connection_->ssl ? SSL_get_version(connection_->ssl.get()) : std::string();
}

namespace {

/// Records a reply; true while the mail goes on.
bool goesOn(SubmissionOutcome& outcome, const SmtpReply& reply) {
  outcome.replies.push_back(reply);
  outcome.decisive = reply;
  return reply.ok();
}

}  // namespace

Result<SubmissionOutcome> submit(const SmtpEndpoint& endpoint, const Submission& mail) {
  auto client = SmtpClient::connect(endpoint);
  if (!client) return pass(client);
  SubmissionOutcome outcome;
  Result<SmtpReply> reply = client->greeting();
  bool on = goesOn(outcome, *reply);
  const auto step = [&](Result<SmtpReply> next) {
    reply = std::move(next);
    on = reply && goesOn(outcome, *reply);
  };
  if (on) step(client->ehlo(mail.helo));
  if (on && mail.startTls) {
    if (!client->offers("STARTTLS"))
      return fail(Errc::invalidInput, endpoint.address.text(), "STARTTLS is not offered");
    step(client->startTls(mail.tls));
    if (on) step(client->ehlo(mail.helo));
  }
  static const Secret noPassword;
  if (on && !mail.user.empty()) step(client->authPlain(mail.user, mail.password ? *mail.password : noPassword));
  if (on) step(client->mail(mail.mailFrom));
  for (const std::string& recipient : mail.recipients) {
    if (on) step(client->rcpt(recipient));
  }
  if (on) step(client->data(mail.message));
  if (!reply) return pass(reply);
  // The mail's fate is settled; whether the farewell arrives changes nothing.
  if (auto bye = client->quit()) outcome.replies.push_back(std::move(*bye));
  return outcome;
}

}  // namespace mailzone::harness
