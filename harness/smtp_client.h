// A blocking SMTP client that sends exactly the bytes it is given, well formed or not, and keeps every reply: what the
// scenarios send with. It repairs nothing; smuggling attempts are a job it must be able to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/result.h"
#include "core/secret.h"

namespace mailzone::harness {

struct SmtpReply {
  int code = 0;
  std::vector<std::string> lines;  ///< each whole, with its code, without CRLF
  [[nodiscard]] std::string last() const { return lines.empty() ? std::string() : lines.back(); }
  [[nodiscard]] bool ok() const noexcept { return code >= 200 && code < 400; }
};

struct SmtpEndpoint {
  IpAddress address = IpAddress::v4(0x7f000001);
  std::uint16_t port = 25;
  std::optional<IpAddress> source;             ///< bound before connecting
  std::chrono::milliseconds deadline{15'000};  ///< for connecting and for each command with its reply
};

/// How STARTTLS checks the server. Without `caPem` any certificate will do, as between MTAs.
struct SmtpTls {
  std::string serverName;  ///< sent as SNI; compared with the certificate when caPem is set
  std::string caPem;
};

/// One connection. Every function returns Errc::temporary when the deadline ran out, Errc::io when the connection
/// broke (with the replies' tail in the rule), Errc::corrupt when the peer speaks no SMTP. A reply of 4xx or 5xx is no
/// Error.
class SmtpClient {
 public:
  /// Connects and reads the greeting (greeting()).
  [[nodiscard]] static Result<SmtpClient> connect(const SmtpEndpoint& endpoint);
  SmtpClient(SmtpClient&&) noexcept;
  SmtpClient& operator=(SmtpClient&&) noexcept;
  ~SmtpClient();

  [[nodiscard]] const SmtpReply& greeting() const noexcept;
  /// For what follows, instead of the endpoint's.
  void setDeadline(std::chrono::milliseconds deadline) noexcept;
  /// Sends `line` and CRLF, and reads one reply.
  [[nodiscard]] Result<SmtpReply> command(std::string_view line);
  /// EHLO; capabilities in offers().
  [[nodiscard]] Result<SmtpReply> ehlo(std::string_view name);
  /// The last EHLO's reply holds this keyword.
  [[nodiscard]] bool offers(std::string_view keyword) const;
  /// STARTTLS and the handshake; EHLO must be said again. A refusal by the server is the reply.
  [[nodiscard]] Result<SmtpReply> startTls(const SmtpTls& tls = {});
  [[nodiscard]] Result<SmtpReply> authPlain(std::string_view user, const Secret& password,
                                            std::string_view authzid = {});
  [[nodiscard]] Result<SmtpReply> authLogin(std::string_view user, const Secret& password);
  /// MAIL FROM:<address>parameters; `parameters` with its leading blank.
  [[nodiscard]] Result<SmtpReply> mail(std::string_view address, std::string_view parameters = {});
  [[nodiscard]] Result<SmtpReply> rcpt(std::string_view address, std::string_view parameters = {});
  /// DATA, then `message` with dots stuffed and the final dot. The message must end in CRLF and is sent as it is
  /// otherwise. Returns the reply to DATA if that is not 354, else the reply after the final dot.
  [[nodiscard]] Result<SmtpReply> data(std::string_view message);
  [[nodiscard]] Result<SmtpReply> quit();

  /// Bytes as they are; nothing is read.
  [[nodiscard]] Result<void> sendRaw(std::string_view bytes);
  [[nodiscard]] Result<SmtpReply> readReply();
  /// "TLSv1.3", or "" before STARTTLS.
  [[nodiscard]] std::string tlsVersion() const;

 private:
  struct Connection;
  explicit SmtpClient(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

struct Submission {
  std::string helo = "client.example";
  std::string mailFrom;
  std::vector<std::string> recipients;
  std::string message;    ///< raw, CRLF lines
  bool startTls = false;  ///< required when set: no STARTTLS offered is an Error
  SmtpTls tls;
  std::string user;  ///< AUTH PLAIN when not empty
  std::shared_ptr<const Secret> password;
};

/// Every reply in order, greeting first. `decisive` is the reply that settled the mail's fate: the one after the final
/// dot, or the first refusal on the way there.
struct SubmissionOutcome {
  std::vector<SmtpReply> replies;
  SmtpReply decisive;
};

/// One mail over one connection, stopped at the first refusal (all recipients must be accepted), ended by QUIT.
[[nodiscard]] Result<SubmissionOutcome> submit(const SmtpEndpoint& endpoint, const Submission& mail);

}  // namespace mailzone::harness
