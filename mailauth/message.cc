#include "mailauth/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kMaxMailboxes = 100;
constexpr std::size_t kMaxCommentDepth = 20;
constexpr std::size_t kMaxAddressField = 64 * 1024;

// RFC 5322 section 2.2: a field name is visible ASCII without the colon.
bool isFieldName(std::string_view name) noexcept {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
}

/// Reads an address-list octet by octet. Every read is bounds-checked by peek().
class AddressParser {
 public:
  explicit AddressParser(std::string_view text) : text_(text) {}

  Result<std::vector<Mailbox>> list() {
    std::vector<Mailbox> mailboxes;
    for (;;) {
      if (auto done = skip(); !done) return pass(done);
      if (done() || peek() == ',') {  // obs-addr-list allows empty elements
        if (done()) break;
        ++at_;
        continue;
      }
      auto mailbox = oneMailbox();
      if (!mailbox) return pass(mailbox);
      mailboxes.push_back(std::move(*mailbox));
      if (mailboxes.size() > kMaxMailboxes) {
        return fail(Errc::limitExceeded, text_.substr(0, 60), "more than 100 mailboxes");
      }
      if (auto skipped = skip(); !skipped) return pass(skipped);
      if (!done() && peek() != ',') return bad("something stands behind an address");
    }
    if (mailboxes.empty()) return bad("there is no address");
    return mailboxes;
  }

 private:
  [[nodiscard]] bool done() const noexcept { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const noexcept { return done() ? '\0' : text_[at_]; }

  [[nodiscard]] tl::unexpected<Error> bad(std::string rule) const {
    return fail(Errc::invalidInput, text_, std::move(rule), "write it as NAME <LOCAL@DOMAIN> (RFC 5322 section 3.4)");
  }

  // CFWS: blanks and nested comments.
  Result<void> skip() {
    for (;;) {
      if (!done() && isFws(peek())) {
        ++at_;
      } else if (!done() && peek() == '(') {
        if (auto comment = skipComment(); !comment) return comment;
      } else {
        return {};
      }
    }
  }

  Result<void> skipComment() {
    std::size_t depth = 0;
    for (; !done(); ++at_) {
      const char c = peek();
      if (c == '\\') {
        ++at_;
      } else if (c == '(') {
        if (++depth > kMaxCommentDepth) return bad("comments are nested too deeply");
      } else if (c == ')' && --depth == 0) {
        ++at_;
        return {};
      }
    }
    return bad("a comment is not closed");
  }

  static bool isAtomChar(char c) noexcept {
    constexpr std::string_view kSpecials = "()<>[]:;@\\,.\"";
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && kSpecials.find(c) == std::string_view::npos;
  }

  std::string atom() {
    const auto begin = at_;
    while (!done() && isAtomChar(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<std::string> quotedString() {
    std::string out;
    for (++at_; !done(); ++at_) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        ++at_;
        if (done()) break;
        out += peek();
      } else if (c != '\r' && c != '\n') {
        out += c;
      }
    }
    return bad("a quoted string is not closed");
  }

  // A run of words and dots: a display name, or a local part (dotted, RFC 5322 section 3.4.1 and obs-local-part).
  struct Words {
    std::string text;
    std::size_t words = 0;
    bool dots = false;
    bool wordsTouch = false;  // two words without a dot between them: a display name, never a local part
    bool wellDotted = true;   // no dot at either end, no two in a row
  };
  Result<Words> words() {
    Words out;
    bool lastWasDot = true;
    for (;;) {
      if (auto skipped = skip(); !skipped) return pass(skipped);
      const char c = peek();
      if (done()) break;
      if (c == '.') {
        out.wellDotted = out.wellDotted && !lastWasDot;
        out.dots = true;
        lastWasDot = true;
        out.text += '.';
        ++at_;
        continue;
      }
      std::string word;
      if (c == '"') {
        auto quoted = quotedString();
        if (!quoted) return pass(quoted);
        word = std::move(*quoted);
      } else if (isAtomChar(c)) {
        word = atom();
      } else {
        break;
      }
      out.wordsTouch = out.wordsTouch || (out.words > 0 && !lastWasDot);
      lastWasDot = false;
      out.text += word;
      ++out.words;
    }
    out.wellDotted = out.wellDotted && !lastWasDot;
    return out;
  }

  Result<DnsName> domain() {
    if (auto skipped = skip(); !skipped) return pass(skipped);
    if (peek() == '[') return bad("an address literal is no domain");
    std::string text;
    for (;;) {
      const auto label = atom();
      if (label.empty()) return bad("the domain is missing or malformed");
      text += label;
      if (auto skipped = skip(); !skipped) return pass(skipped);
      if (peek() != '.') break;
      text += '.';
      ++at_;
      if (auto skipped = skip(); !skipped) return pass(skipped);
    }
    const bool ascii =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    return ascii ? nameFromRaw(text) : DnsName::parseUnicode(text);
  }

  Result<Mailbox> addrSpec(const Words& local) {
    if (local.words == 0 || local.wordsTouch || !local.wellDotted) return bad("the part before the @ is malformed");
    ++at_;  // "@"
    auto name = domain();
    if (!name) return pass(name);
    return Mailbox{local.text, std::move(*name)};
  }

  Result<Mailbox> oneMailbox() {
    auto first = words();
    if (!first) return pass(first);
    if (peek() == '@') return addrSpec(*first);
    if (peek() == ':') return bad("a group is no author");
    if (peek() != '<') return bad("an address has an @");
    ++at_;
    auto local = words();
    if (!local) return pass(local);
    if (peek() != '@')
      return bad("the address between < and > is malformed");  // obs-route begins with "@": refused too
    auto mailbox = addrSpec(*local);
    if (!mailbox) return mailbox;
    if (peek() != '>') return bad("the address between < and > is malformed");
    ++at_;
    return mailbox;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool HeaderField::is(std::string_view lowerCaseName) const noexcept {
  return equalsIgnoreCase(name, lowerCaseName);
}

std::vector<HeaderField> Message::named(std::string_view lowerCaseName) const {
  std::vector<HeaderField> found;
  std::copy_if(fields.begin(), fields.end(), std::back_inserter(found),
               [lowerCaseName](const HeaderField& field) { return field.is(lowerCaseName); });
  return found;
}

Result<Message> splitMessage(std::string_view octets, const MessageLimits& limits) {
  Message message;
  std::size_t at = 0;
  std::size_t fieldBegin = 0;
  const auto finishField = [&](std::size_t end) -> Result<void> {
    if (end == fieldBegin) return {};
    HeaderField field;
    field.raw = octets.substr(fieldBegin, end - fieldBegin);
    const auto colon = field.raw.find(':');
    auto name = field.raw.substr(0, colon);
    while (!name.empty() && isWsp(name.back())) name.remove_suffix(1);
    if (colon == std::string_view::npos || !isFieldName(name)) {
      return fail(Errc::invalidInput, field.raw, "not a header field: NAME: VALUE (RFC 5322 section 2.2)");
    }
    field.name = name;
    field.value = field.raw.substr(colon + 1, field.raw.size() - colon - 3);
    message.fields.push_back(field);
    if (message.fields.size() > limits.fields) {
      return fail(Errc::limitExceeded, field.name, fmt::format("a header has at most {} fields", limits.fields));
    }
    return {};
  };
  while (at < octets.size()) {
    const auto end = octets.find_first_of(std::string_view("\r\n\0", 3), at);
    if (end == std::string_view::npos || end + 1 >= octets.size() || octets[end] != '\r' || octets[end + 1] != '\n') {
      return fail(Errc::invalidInput, octets.substr(at),
                  "a header line does not end in CRLF, or holds a bare CR or LF or a NUL (RFC 5322 section 2.2)");
    }
    const auto next = end + 2;
    if (next > limits.headerBytes) {
      return fail(Errc::limitExceeded, octets.substr(at, 40),
                  fmt::format("a header has at most {} octets", limits.headerBytes));
    }
    const bool continues = isWsp(octets[at]);
    if (continues && at == 0) return fail(Errc::invalidInput, octets, "the header begins with a continuation line");
    if (!continues) {
      if (auto finished = finishField(at); !finished) return pass(finished);
      fieldBegin = at;
    }
    if (end == at) {  // the empty line
      message.body = octets.substr(next);
      return message;
    }
    at = next;
  }
  if (auto finished = finishField(at); !finished) return pass(finished);
  return message;
}

Result<std::vector<Mailbox>> parseMailboxList(std::string_view value) {
  if (value.size() > kMaxAddressField) {
    return fail(Errc::limitExceeded, value.substr(0, 40), "an address field has at most 65536 octets");
  }
  return AddressParser(value).list();
}

Result<Mailbox> soleAuthor(const Message& message) {
  const auto from = message.named("from");
  if (from.size() != 1) {
    return fail(Errc::invalidInput, "",
                fmt::format("{} From fields; there must be exactly one (RFC 5322 section 3.6)", from.size()));
  }
  auto mailboxes = parseMailboxList(from.front().value);
  if (!mailboxes) return pass(mailboxes);
  if (mailboxes->size() != 1) {
    return fail(Errc::invalidInput, from.front().value,
                fmt::format("{} authors in From; there must be exactly one", mailboxes->size()));
  }
  if (mailboxes->front().domain.labelCount() < 2) {
    return fail(Errc::invalidInput, from.front().value, "the author's domain has a single label");
  }
  return std::move(mailboxes->front());
}

std::string withCrlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' && (at == 0 || text[at - 1] != '\r')) out += '\r';
    out += text[at];
  }
  return out;
}

}  // namespace mailzone::mailauth
