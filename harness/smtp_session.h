// The SMTP dialogue of the receiver without a socket (RFC 5321): bytes in, replies and the next step out. Strict on
// purpose: a line ends in CR LF and in nothing else, so that no peer can make us see two mails where it sees one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailzone::harness {

struct SmtpLimits {
  std::size_t commandLine = 1024;       ///< octets with CR LF; RFC 5321 section 4.5.3.1.4 asks for 512
  std::size_t textLine = 1000;          ///< octets with CR LF (RFC 5321 section 4.5.3.1.6)
  std::size_t message = 26'214'400;     ///< octets, announced by SIZE (RFC 1870)
  std::size_t headerSection = 524'288;  ///< octets up to the first empty line
  std::size_t recipients = 100;         ///< of one mail (RFC 5321 section 4.5.3.1.8)
  std::size_t mails = 100;              ///< of one connection
  std::size_t commands = 1000;          ///< of one connection
  std::size_t errors = 10;              ///< 5xx replies of one connection
  std::size_t connections = 64;         ///< at once
  unsigned commandSeconds = 60;         ///< for a command line to become complete
  unsigned dataSeconds = 120;           ///< for a message to become complete
  unsigned sessionSeconds = 600;        ///< for the whole connection
};

/// What the client said before DATA.
struct SmtpEnvelope {
  std::string helo;
  std::string mailFrom;  ///< "" for the null sender
  std::vector<std::string> recipients;
  bool smtpUtf8 = false;
};

/// What the caller does after it has sent `reply`.
enum class SmtpAction {
  read,      ///< feed() the next bytes
  startTls,  ///< do the handshake, then tlsStarted()
  judge,     ///< envelope() and message() are complete: answer() them
  close,     ///< the dialogue is over
};

struct SmtpStep {
  std::string reply;  ///< complete lines, or ""
  SmtpAction action = SmtpAction::read;
};

/// One connection. Not thread-safe. Never throws for what a peer sends; holds at most one message and one line.
class SmtpSession {
 public:
  /// `tls`: STARTTLS is offered. `recipientDomains`: lower case; empty: every domain is taken.
  SmtpSession(std::string hostName, const SmtpLimits& limits, bool tls, std::vector<std::string> recipientDomains = {});

  [[nodiscard]] std::string greeting() const;
  /// Takes what arrived. After `judge` and `startTls` nothing may be fed before answer() or tlsStarted().
  [[nodiscard]] SmtpStep feed(std::string_view bytes);
  /// The reply for the message, complete lines with CR LF; then goes on with what the client had sent behind it
  /// (RFC 2920). The message is gone afterwards.
  [[nodiscard]] SmtpStep answer(std::string_view reply);
  /// What was sent in clear text behind STARTTLS is thrown away, and what was said before is forgotten (RFC 3207
  /// section 4.2).
  void tlsStarted();
  /// The last words when a time limit of the caller ran out.
  [[nodiscard]] std::string timeoutReply() const;
  /// True while the bytes of a message are awaited: the caller's deadline is dataSeconds, not commandSeconds.
  [[nodiscard]] bool inData() const noexcept { return state_ == State::data; }

  [[nodiscard]] const SmtpEnvelope& envelope() const noexcept { return envelope_; }
  /// Octets after DATA, dots unstuffed (RFC 5321 section 4.5.2), without the final dot line; nothing else is changed.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  enum class State { command, data, awaitAnswer, awaitTls, closed };
  enum class Refusal { none, tooLarge, headerTooLarge, lineTooLong };

  SmtpStep run();
  bool takeCommandLine(std::string& line, SmtpStep& step);
  void onCommand(std::string_view line, SmtpStep& step);
  void onHello(std::string_view argument, bool extended, SmtpStep& step);
  void onMail(std::string_view argument, SmtpStep& step);
  void onRcpt(std::string_view argument, SmtpStep& step);
  void onData(std::string_view argument, SmtpStep& step);
  void onStartTls(std::string_view argument, SmtpStep& step);
  bool takeDataLines(SmtpStep& step);
  void onDataLine(std::string_view line);
  void refuse(Refusal why);
  bool endless(std::size_t pending, SmtpStep& step);
  void endOfData(SmtpStep& step);
  void bareNewline(SmtpStep& step);
  void reply(SmtpStep& step, int code, std::string_view text);
  void close(SmtpStep& step, int code, std::string_view text);
  void resetMail();

  std::string hostName_;
  SmtpLimits limits_;
  bool tlsOffered_;
  bool tlsActive_ = false;
  std::vector<std::string> recipientDomains_;

  State state_ = State::command;
  std::string buffer_;  ///< received, not yet taken
  bool greeted_ = false;
  bool haveMail_ = false;
  SmtpEnvelope envelope_;
  std::string message_;
  std::size_t messageSeen_ = 0;  ///< octets of its complete lines, kept or not, dots as they came
  bool inHeader_ = true;
  Refusal refusal_ = Refusal::none;
  std::size_t commands_ = 0;
  std::size_t errors_ = 0;
  std::size_t mails_ = 0;
};

}  // namespace mailzone::harness
