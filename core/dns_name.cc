#include "core/dns_name.h"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <memory>

namespace mailzone {
namespace {

constexpr std::size_t kMaxWire = 255;
constexpr std::size_t kMaxLabel = 63;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool isDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}
std::size_t lengthAt(std::string_view wire, std::size_t at) noexcept {
  return static_cast<unsigned char>(wire[at]);
}

tl::unexpected<Error> tooLong(std::string_view text) {
  return fail(Errc::limitExceeded, text, "a name has at most 255 octets on the wire (RFC 1035 section 2.3.4)",
              "shorten it");
}

/// Appends one label to a wire that still lacks its final zero octet.
Result<void> appendLabel(std::string& wire, std::string_view label, std::string_view whole) {
  if (label.empty()) {
    return fail(Errc::invalidInput, whole, "a label is empty (RFC 1035 section 3.1)",
                "remove the doubled or leading dot");
  }
  if (label.size() > kMaxLabel) {
    return fail(Errc::limitExceeded, whole, "a label has at most 63 octets (RFC 1035 section 2.3.4)",
                "shorten the label");
  }
  if (wire.size() + label.size() + 2 > kMaxWire) return tooLong(whole);
  wire += static_cast<char>(label.size());
  for (const char c : label) wire += lower(c);
  return {};
}

/// Reads one escape at text[at] == '\\'; moves `at` behind it.
Result<char> readEscape(std::string_view text, std::size_t& at) {
  const auto bad = [&] {
    return fail(Errc::invalidInput, text, "a backslash is followed by three digits up to 255 or by one character",
                "write \\\\ for a backslash");
  };
  if (at + 1 >= text.size()) return bad();
  if (!isDigit(text[at + 1])) {
    const char c = text[at + 1];
    at += 2;
    return c;
  }
  if (at + 3 >= text.size() || !isDigit(text[at + 2]) || !isDigit(text[at + 3])) return bad();
  const int value = (text[at + 1] - '0') * 100 + (text[at + 2] - '0') * 10 + (text[at + 3] - '0');
  if (value > 255) return bad();
  at += 4;
  return static_cast<char>(value);
}

void appendEscaped(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '.' || c == '\\' || c == '"' || c == ';' || c == '(' || c == ')' || c == '@' || c == '$') {
    out += '\\';
    out += c;
  } else if (byte < 0x21 || byte > 0x7e) {
    out += fmt::format("\\{:03d}", byte);
  } else {
    out += c;
  }
}

bool isLdh(std::string_view label) noexcept {
  if (label.empty() || label.size() > kMaxLabel || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || isDigit(c) || c == '-'; });
}

}  // namespace

Result<DnsName> DnsName::parse(std::string_view text) {
  if (text.empty()) return fail(Errc::invalidInput, text, "a name is empty", "write . for the root");
  if (text == ".") return DnsName();
  std::string wire;
  std::string label;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '.') {
      if (auto done = appendLabel(wire, label, text); !done) return pass(done);
      label.clear();
      ++at;
      continue;
    }
    if (c == '\\') {
      auto octet = readEscape(text, at);
      if (!octet) return pass(octet);
      label += *octet;
    } else if (static_cast<unsigned char>(c) < 0x21 || static_cast<unsigned char>(c) > 0x7e) {
      return fail(Errc::invalidInput, text,
                  "blanks, control characters and octets above 126 are not written plainly in a name",
                  "write \\DDD, or the A-label of an international name");
    } else {
      label += c;
      ++at;
    }
    if (label.size() > kMaxLabel) break;
  }
  if (!label.empty()) {
    if (auto done = appendLabel(wire, label, text); !done) return pass(done);
  }
  wire += '\0';
  return DnsName(std::move(wire));
}

Result<DnsName> DnsName::parseUnicode(std::string_view utf8) {
  if (std::all_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return parse(utf8);
  }
  if (utf8.find('\0') != std::string_view::npos) return fail(Errc::invalidInput, utf8, "a name holds no NUL");
  const std::string text(utf8);
  char* ascii = nullptr;
  const int rc = idn2_to_ascii_8z(text.c_str(), &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const std::unique_ptr<char, decltype(&idn2_free)> owned(ascii, &idn2_free);
  if (rc != IDN2_OK) {
    return fail(Errc::invalidInput, utf8,
                fmt::format("not an international domain name (IDNA 2008): {}", idn2_strerror(rc)));
  }
  return parse(owned.get());
}

Result<DnsName> DnsName::fromWire(std::string_view wire) {
  if (wire.empty() || wire.size() > kMaxWire) return tooLong(wire);
  std::string out;
  std::size_t at = 0;
  while (at < wire.size() && wire[at] != '\0') {
    const std::size_t length = lengthAt(wire, at);
    if (length > kMaxLabel || at + 1 + length >= wire.size()) {
      return fail(Errc::invalidInput, wire, "not an uncompressed wire name");
    }
    out += wire[at];
    for (std::size_t i = 1; i <= length; ++i) out += lower(wire[at + i]);
    at += 1 + length;
  }
  if (at + 1 != wire.size()) return fail(Errc::invalidInput, wire, "not an uncompressed wire name");
  out += '\0';
  return DnsName(std::move(out));
}

std::string DnsName::text() const {
  if (isRoot()) return ".";
  return textNoDot() + '.';
}

std::string DnsName::textNoDot() const {
  std::string out;
  out.reserve(wire_.size());
  for (std::size_t at = 0; wire_[at] != '\0';) {
    const std::size_t length = lengthAt(wire_, at);
    if (!out.empty()) out += '.';
    for (std::size_t i = 1; i <= length; ++i) appendEscaped(out, wire_[at + i]);
    at += 1 + length;
  }
  return out;
}

std::vector<std::string> DnsName::labels() const {
  std::vector<std::string> out;
  for (std::size_t at = 0; wire_[at] != '\0'; at += 1 + lengthAt(wire_, at)) {
    out.push_back(wire_.substr(at + 1, lengthAt(wire_, at)));
  }
  return out;
}

std::size_t DnsName::labelCount() const noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; wire_[at] != '\0'; at += 1 + lengthAt(wire_, at)) ++count;
  return count;
}

DnsName DnsName::parent() const {
  if (isRoot()) return *this;
  return DnsName(wire_.substr(1 + lengthAt(wire_, 0)));
}

Result<DnsName> DnsName::child(std::string_view label) const {
  std::string wire;
  if (auto done = appendLabel(wire, label, label); !done) return pass(done);
  if (wire.size() + wire_.size() > kMaxWire) return tooLong(std::string(label) + '.' + textNoDot());
  return DnsName(wire + wire_);
}

Result<DnsName> DnsName::under(const DnsName& suffix) const {
  if (wire_.size() - 1 + suffix.wire_.size() > kMaxWire) return tooLong(textNoDot() + '.' + suffix.textNoDot());
  return DnsName(wire_.substr(0, wire_.size() - 1) + suffix.wire_);
}

DnsName DnsName::rightmost(std::size_t count) const {
  DnsName name = *this;
  for (std::size_t have = labelCount(); have > count; --have) name = name.parent();
  return name;
}

bool DnsName::isAtOrBelow(const DnsName& ancestor) const noexcept {
  const std::string_view whole = wire_;
  for (std::size_t at = 0;; at += 1 + lengthAt(whole, at)) {
    if (whole.substr(at) == ancestor.wire_) return true;
    if (whole[at] == '\0') return false;
  }
}

bool DnsName::isWildcard() const noexcept {
  return wire_.size() > 2 && wire_[0] == 1 && wire_[1] == '*';
}

bool DnsName::isHostName() const noexcept {
  if (isRoot()) return false;
  const std::string_view whole = wire_;
  std::string_view last;
  for (std::size_t at = 0; whole[at] != '\0'; at += 1 + lengthAt(whole, at)) {
    last = whole.substr(at + 1, lengthAt(whole, at));
    if (!isLdh(last)) return false;
  }
  return !std::all_of(last.begin(), last.end(), isDigit);
}

std::string DnsName::canonicalKey() const {
  std::string key;
  const auto parts = labels();
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    for (const char c : *it) {
      if (c == '\0' || c == '\1') {
        key += '\1';
        key += static_cast<char>(c + 1);
      } else {
        key += c;
      }
    }
    key += '\0';
  }
  return key;
}

Result<DnsName> DnsName::fromCanonicalKey(std::string_view key) {
  const auto bad = [&] { return fail(Errc::corrupt, key, "not the canonical key of a name"); };
  std::vector<std::string> parts;
  std::string label;
  for (std::size_t at = 0; at < key.size(); ++at) {
    if (key[at] == '\0') {
      parts.push_back(std::move(label));
      label.clear();
    } else if (key[at] == '\1') {
      if (++at == key.size() || (key[at] != '\1' && key[at] != '\2')) return bad();
      label += static_cast<char>(key[at] - 1);
    } else {
      label += key[at];
    }
  }
  if (!label.empty()) return bad();
  std::string wire;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (!appendLabel(wire, *it, *it)) return bad();
  }
  wire += '\0';
  DnsName name(std::move(wire));
  if (name.canonicalKey() != key) return bad();
  return name;
}

std::strong_ordering operator<=>(const DnsName& a, const DnsName& b) {
  return a.canonicalKey() <=> b.canonicalKey();
}

bool isLdhLabel(std::string_view label) noexcept {
  return isLdh(label);
}

}  // namespace mailzone
