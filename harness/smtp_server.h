// The socket side of the receiver: listens, runs one SmtpSession per connection with deadlines, does STARTTLS, and asks
// a handler for the answer to each message.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/ip_address.h"
#include "core/result.h"
#include "harness/smtp_session.h"

namespace mailzone::harness {

struct SmtpServerOptions {
  IpAddress address = IpAddress::v4(0x7f000001);
  std::uint16_t port = 25;  ///< 0: the kernel chooses
  std::string hostName;
  SmtpLimits limits;
  std::vector<std::string> recipientDomains;  ///< lower case; empty: all
};

/// One message with what the connection knows of its sender.
struct SmtpDelivery {
  IpAddress client = IpAddress::v4(0);
  std::string tlsVersion;  ///< "TLSv1.3"; "" without TLS
  const SmtpEnvelope& envelope;
  const std::string& message;
};

/// Returns the whole reply, lines with CR LF. Called from several threads at once; may block, for as long as the client
/// may be kept waiting (RFC 5321 section 4.5.3.2.6: ten minutes).
using SmtpHandler = std::function<std::string(const SmtpDelivery&)>;

class SmtpServer {
 public:
  /// Returns when the socket listens. Errc::unavailable: the address or port cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<SmtpServer>> start(SmtpServerOptions options, SmtpHandler handler,
                                                                 TimePoint now);
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;
  /// Closes the connections, waits for handlers at work.
  ~SmtpServer();

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] const std::string& certificatePem() const noexcept;

 private:
  struct State;
  explicit SmtpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mailzone::harness
