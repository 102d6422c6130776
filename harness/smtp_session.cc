#include "harness/smtp_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace mailzone::harness {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return lower(a) == lower(b);
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// "VERB argument" -> the two; the verb in upper case.
std::pair<std::string, std::string_view> splitCommand(std::string_view line) {
  const std::size_t blank = line.find(' ');
  std::string verb(line.substr(0, blank));
  for (char& c : verb) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  std::string_view argument = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  while (!argument.empty() && argument.back() == ' ') argument.remove_suffix(1);
  return {std::move(verb), argument};
}

/// A path in angle brackets and what follows it. Quoted local parts may hold ">" and blanks (RFC 5321 section 4.1.2);
/// source routes are refused.
struct Path {
  std::string address;
  std::string_view parameters;
};
std::optional<Path> readPath(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);  // "MAIL FROM: <a@b>", as many clients write
  if (text.empty() || text.front() != '<') return std::nullopt;
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == '>') {
      std::string_view rest = text.substr(i + 1);
      if (!rest.empty() && rest.front() != ' ') return std::nullopt;
      return Path{std::string(text.substr(1, i - 1)), rest};
    } else if (!quoted && (c == ' ' || c == '<')) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// The domain of an address, lower case; nullopt when it has none or either part is empty or over the limits of RFC
/// 5321 sections 4.5.3.1.1 to 4.5.3.1.3.
std::optional<std::string> domainOf(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == address.size()) return std::nullopt;
  if (at > 64 || address.size() > 254 || address.size() - at - 1 > 253) return std::nullopt;
  if (address.front() == '@') return std::nullopt;
  return lower(address.substr(at + 1));
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    if (blank != 0) out.push_back(text.substr(0, blank));
    if (blank == std::string_view::npos) break;
    text.remove_prefix(blank + 1);
  }
  return out;
}

}  // namespace

SmtpSession::SmtpSession(std::string hostName, const SmtpLimits& limits, bool tls,
                         std::vector<std::string> recipientDomains)
    : hostName_(std::move(hostName)),
      limits_(limits),
      tlsOffered_(tls),
      recipientDomains_(std::move(recipientDomains)) {}

std::string SmtpSession::greeting() const {
  return fmt::format("220 {} ESMTP\r\n", hostName_);
}

std::string SmtpSession::timeoutReply() const {
  return fmt::format("421 4.4.2 {} waited too long, closing\r\n", hostName_);
}

void SmtpSession::reply(SmtpStep& step, int code, std::string_view text) {
  step.reply += fmt::format("{} {}\r\n", code, text);
  if (code >= 500 && ++errors_ > limits_.errors) close(step, 421, "4.7.0 too many errors, closing");
}

void SmtpSession::close(SmtpStep& step, int code, std::string_view text) {
  step.reply += fmt::format("{} {}\r\n", code, text);
  step.action = SmtpAction::close;
  state_ = State::closed;
  buffer_.clear();
}

void SmtpSession::resetMail() {
  haveMail_ = false;
  const std::string helo = std::move(envelope_.helo);
  envelope_ = SmtpEnvelope{};
  envelope_.helo = helo;
  message_.clear();
  message_.shrink_to_fit();
}

SmtpStep SmtpSession::feed(std::string_view bytes) {
  if (state_ == State::closed) return SmtpStep{"", SmtpAction::close};
  buffer_ += bytes;
  return run();
}

SmtpStep SmtpSession::answer(std::string_view text) {
  SmtpStep step;
  step.reply = text;
  resetMail();
  state_ = State::command;
  SmtpStep next = run();
  step.reply += next.reply;
  step.action = next.action;
  return step;
}

void SmtpSession::tlsStarted() {
  // RFC 3207 section 4.2: what was said before the handshake must not count. Bytes that came in clear text behind
  // STARTTLS are somebody's injection, not the client's words.
  buffer_.clear();
  tlsActive_ = true;
  greeted_ = false;
  envelope_ = SmtpEnvelope{};
  resetMail();
  state_ = State::command;
}

SmtpStep SmtpSession::run() {
  SmtpStep step;
  while (step.action == SmtpAction::read) {
    if (state_ == State::data) {
      if (!takeDataLines(step)) break;
    } else if (state_ == State::command) {
      std::string line;
      if (!takeCommandLine(line, step)) break;
      onCommand(line, step);
    } else {
      break;
    }
  }
  return step;
}

void SmtpSession::bareNewline(SmtpStep& step) {
  // RFC 5321 section 2.3.8: CR and LF occur together only. Whoever sends them apart may be smuggling a second mail past
  // a relay that reads lines differently, so nothing of this connection is believed any more.
  close(step, 521, "5.5.2 bare CR or LF received, closing");
}

/// False: more bytes are needed, or the step is decided. What comes first decides, the line's length or a bare newline,
/// so that it makes no difference in how many pieces the bytes arrive.
bool SmtpSession::takeCommandLine(std::string& line, SmtpStep& step) {
  const std::string_view allowed = std::string_view(buffer_).substr(0, limits_.commandLine);
  const std::size_t mark = allowed.find_first_of("\r\n");
  const bool ended = mark != std::string_view::npos && mark + 1 < allowed.size();
  if (mark != std::string_view::npos && (allowed[mark] == '\n' || (ended && allowed[mark + 1] != '\n'))) {
    bareNewline(step);
    return false;
  }
  if (!ended) {
    if (buffer_.size() >= limits_.commandLine) close(step, 500, "5.5.2 the command line is too long, closing");
    return false;
  }
  line = allowed.substr(0, mark);
  buffer_.erase(0, mark + 2);
  return true;
}

void SmtpSession::onCommand(std::string_view line, SmtpStep& step) {
  if (++commands_ > limits_.commands) return close(step, 421, "4.7.0 too many commands, closing");
  if (!printable(line)) return reply(step, 500, "5.5.2 control characters in a command");
  const auto [verb, argument] = splitCommand(line);
  if (verb == "EHLO" || verb == "HELO") return onHello(argument, verb == "EHLO", step);
  if (verb == "MAIL") return onMail(argument, step);
  if (verb == "RCPT") return onRcpt(argument, step);
  if (verb == "DATA") return onData(argument, step);
  if (verb == "STARTTLS") return onStartTls(argument, step);
  if (verb == "RSET") {
    if (!argument.empty()) return reply(step, 501, "5.5.4 RSET has no argument");
    resetMail();
    return reply(step, 250, "2.0.0 OK");
  }
  if (verb == "NOOP") return reply(step, 250, "2.0.0 OK");
  if (verb == "QUIT") return close(step, 221, "2.0.0 bye");
  if (verb == "VRFY") return reply(step, 252, "2.5.0 send some mail and see");
  if (verb == "AUTH" || verb == "BDAT" || verb == "EXPN" || verb == "ETRN" || verb == "HELP") {
    return reply(step, 502, "5.5.1 not implemented");
  }
  reply(step, 500, "5.5.1 unknown command");
}

void SmtpSession::onHello(std::string_view argument, bool extended, SmtpStep& step) {
  // A host name or an address literal; what is neither is still no reason to break the line of a log.
  if (argument.empty() || argument.find(' ') != std::string_view::npos || argument.size() > 255) {
    return reply(step, 501, fmt::format("5.5.4 {} wants one host name or address literal", extended ? "EHLO" : "HELO"));
  }
  resetMail();
  greeted_ = true;
  envelope_.helo = argument;
  if (!extended) return reply(step, 250, hostName_);
  step.reply += fmt::format("250-{} at your service\r\n250-PIPELINING\r\n250-SIZE {}\r\n", hostName_, limits_.message);
  if (tlsOffered_ && !tlsActive_) step.reply += "250-STARTTLS\r\n";
  step.reply += "250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n";
}

void SmtpSession::onMail(std::string_view argument, SmtpStep& step) {
  if (!greeted_) return reply(step, 503, "5.5.1 EHLO first");
  if (haveMail_) return reply(step, 503, "5.5.1 a mail is begun already");
  if (mails_ >= limits_.mails) return close(step, 421, "4.7.0 too many mails in one connection, closing");
  if (argument.size() < 5 || !equalsIgnoringCase(argument.substr(0, 5), "FROM:")) {
    return reply(step, 501, "5.5.4 MAIL FROM:<address>");
  }
  const std::optional<Path> path = readPath(argument.substr(5));
  if (!path) return reply(step, 501, "5.1.7 the sender's address is malformed");
  if (!path->address.empty() && !domainOf(path->address)) {
    return reply(step, 553, "5.1.7 the sender's address is malformed");
  }
  bool utf8 = false;
  for (const std::string_view parameter : words(path->parameters)) {
    const std::size_t equals = parameter.find('=');
    const std::string key = lower(parameter.substr(0, equals));
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
    if (key == "size") {
      std::size_t size = 0;
      const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), size);
      if (error == std::errc::result_out_of_range) {
        size = limits_.message + 1;
      } else if (value.empty() || error != std::errc() || last != value.data() + value.size()) {
        return reply(step, 501, "5.5.4 SIZE wants a number");
      }
      // RFC 1870 section 6.1
      if (size > limits_.message) return reply(step, 552, "5.3.4 the message is over the size limit");
    } else if (key == "body") {
      if (!equalsIgnoringCase(value, "7BIT") && !equalsIgnoringCase(value, "8BITMIME")) {
        return reply(step, 501, "5.5.4 BODY is 7BIT or 8BITMIME");
      }
    } else if (key == "smtputf8" && equals == std::string_view::npos) {
      utf8 = true;
    } else {
      return reply(step, 555, "5.5.4 unknown parameter of MAIL");
    }
  }
  if (!utf8 && !ascii(path->address)) return reply(step, 553, "5.6.7 a non-ASCII address needs SMTPUTF8");
  haveMail_ = true;
  envelope_.mailFrom = path->address;
  envelope_.smtpUtf8 = utf8;
  reply(step, 250, "2.1.0 OK");
}

void SmtpSession::onRcpt(std::string_view argument, SmtpStep& step) {
  if (!haveMail_) return reply(step, 503, "5.5.1 MAIL first");
  if (argument.size() < 3 || !equalsIgnoringCase(argument.substr(0, 3), "TO:")) {
    return reply(step, 501, "5.5.4 RCPT TO:<address>");
  }
  const std::optional<Path> path = readPath(argument.substr(3));
  const std::optional<std::string> domain = path ? domainOf(path->address) : std::nullopt;
  if (!domain) return reply(step, 553, "5.1.3 the recipient's address is malformed");
  if (!words(path->parameters).empty()) return reply(step, 555, "5.5.4 unknown parameter of RCPT");
  if (!envelope_.smtpUtf8 && !ascii(path->address)) {
    return reply(step, 553, "5.6.7 a non-ASCII address needs SMTPUTF8");
  }
  if (!recipientDomains_.empty() &&
      std::find(recipientDomains_.begin(), recipientDomains_.end(), *domain) == recipientDomains_.end()) {
    return reply(step, 550, "5.1.2 we take no mail for this domain");
  }
  if (envelope_.recipients.size() >= limits_.recipients) return reply(step, 452, "4.5.3 too many recipients");
  envelope_.recipients.push_back(path->address);
  reply(step, 250, "2.1.5 OK");
}

void SmtpSession::onData(std::string_view argument, SmtpStep& step) {
  if (!argument.empty()) return reply(step, 501, "5.5.4 DATA has no argument");
  if (!haveMail_ || envelope_.recipients.empty()) return reply(step, 503, "5.5.1 MAIL and RCPT first");
  ++mails_;
  message_.clear();
  messageSeen_ = 0;
  inHeader_ = true;
  refusal_ = Refusal::none;
  state_ = State::data;
  step.reply += "354 go ahead, end with a dot on a line of its own\r\n";
}

void SmtpSession::onStartTls(std::string_view argument, SmtpStep& step) {
  if (!argument.empty()) return reply(step, 501, "5.5.4 STARTTLS has no argument");
  if (!tlsOffered_) return reply(step, 502, "5.5.1 STARTTLS is not offered");
  if (tlsActive_) return reply(step, 503, "5.5.1 TLS is active already");
  step.reply += "220 2.0.0 ready to start TLS\r\n";
  step.action = SmtpAction::startTls;
  state_ = State::awaitTls;
}

/// False: more bytes are needed, or the step is decided.
bool SmtpSession::takeDataLines(SmtpStep& step) {
  std::size_t begin = 0;
  while (true) {
    const std::size_t mark = buffer_.find_first_of("\r\n", begin);
    if (mark == std::string::npos || (buffer_[mark] == '\r' && mark + 1 == buffer_.size())) break;
    if (buffer_[mark] == '\n' || buffer_[mark + 1] != '\n') {
      bareNewline(step);
      return false;
    }
    const std::string_view line = std::string_view(buffer_).substr(begin, mark - begin);
    begin = mark + 2;
    if (line == ".") {
      buffer_.erase(0, begin);
      endOfData(step);
      return step.action == SmtpAction::read;
    }
    onDataLine(line);
    if (endless(0, step)) return false;
  }
  buffer_.erase(0, begin);
  // What is no line yet and over the limit already is counted and thrown away but for its last two octets: they may be
  // the CR of the line's end. The line can no longer be the final dot, so its rest must not look like it.
  if (buffer_.size() > limits_.textLine + 2) {
    if (refusal_ == Refusal::none) refuse(Refusal::lineTooLong);
    messageSeen_ += buffer_.size() - 2;
    buffer_.erase(0, buffer_.size() - 2);
    buffer_.front() = 'x';
  }
  const bool perhapsTheEnd = buffer_ == "." || buffer_ == ".\r";
  endless(perhapsTheEnd ? 0 : buffer_.size(), step);
  return false;
}

/// Twice the size that we announced: no honest client goes on so long.
bool SmtpSession::endless(std::size_t pending, SmtpStep& step) {
  if ((messageSeen_ + pending) / 2 <= limits_.message) return false;
  close(step, 421, "4.3.4 the message has no end, closing");
  return true;
}

void SmtpSession::refuse(Refusal why) {
  refusal_ = why;
  message_.clear();
  message_.shrink_to_fit();
}

void SmtpSession::onDataLine(std::string_view line) {
  messageSeen_ += line.size() + 2;
  if (!line.empty() && line.front() == '.') line.remove_prefix(1);  // RFC 5321 section 4.5.2
  if (line.empty()) inHeader_ = false;
  if (refusal_ != Refusal::none) return;
  const std::size_t size = message_.size() + line.size() + 2;
  if (line.size() + 2 > limits_.textLine) return refuse(Refusal::lineTooLong);
  if (size > limits_.message) return refuse(Refusal::tooLarge);
  if (inHeader_ && size > limits_.headerSection) return refuse(Refusal::headerTooLarge);
  message_ += line;
  message_ += "\r\n";
}

void SmtpSession::endOfData(SmtpStep& step) {
  if (refusal_ == Refusal::none) {
    state_ = State::awaitAnswer;
    step.action = SmtpAction::judge;
    return;
  }
  state_ = State::command;
  const Refusal why = refusal_;
  resetMail();
  if (why == Refusal::lineTooLong) return reply(step, 554, "5.6.0 a line of the message is too long");
  if (why == Refusal::headerTooLarge) return reply(step, 552, "5.3.4 the header section is over the size limit");
  reply(step, 552, "5.3.4 the message is over the size limit");
}

}  // namespace mailzone::harness
