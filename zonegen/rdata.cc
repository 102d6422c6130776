#include "zonegen/rdata.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/ip_address.h"

namespace mailzone::zonegen {
namespace {

/// What all the strings of one TXT may hold together: beyond it no resolver's answer is certain to arrive.
constexpr std::size_t kMaxTextOctets = 4096;
/// RFC 8659 section 4.1 sets no limit to a CAA value; ours is that of a character-string.
constexpr std::size_t kMaxCaaValue = 255;

/// Reads a record's fields from left to right, and remembers which one failed.
class Fields {
 public:
  Fields(const std::vector<Token>& tokens, const NameReader& readName, const Token** offender)
      : tokens_(tokens), readName_(readName), offender_(offender) {}

  [[nodiscard]] bool done() const { return next_ == tokens_.size(); }
  [[nodiscard]] std::size_t left() const { return tokens_.size() - next_; }
  const Token& take() { return tokens_[next_++]; }

  tl::unexpected<Error> bad(std::string rule, std::string remedy = {}) {
    const Token& token = tokens_[next_ == 0 ? 0 : next_ - 1];
    if (offender_ != nullptr) *offender_ = &token;
    return fail(Errc::invalidInput, token.text, std::move(rule), std::move(remedy));
  }
  template <class T>
  tl::unexpected<Error> handOn(const Result<T>& failed) {
    if (offender_ != nullptr) *offender_ = &tokens_[next_ - 1];
    return pass(failed);
  }

  Result<unsigned> number(unsigned max, std::string_view what) {
    const auto& text = take().text;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value <= max) return value;
    return bad(fmt::format("{} is a number from 0 to {}", what, max));
  }
  Result<DnsName> name() {
    const auto& token = take();
    if (token.quoted) return bad("a name does not stand in quotes");
    auto read = readName_(token.text);
    if (!read) return handOn(read);
    return read;
  }
  Result<DnsName> host(std::string_view what) {
    auto read = name();
    if (read && !read->isHostName()) {
      return bad(fmt::format("{} is a host name: letters, digits and inner hyphens (RFC 1123 section 2.1)", what),
                 "correct the name");
    }
    return read;
  }
  Result<std::string> octets() {
    auto text = unescaped(take().text);
    if (!text) return handOn(text);
    return text;
  }

 private:
  const std::vector<Token>& tokens_;
  const NameReader& readName_;
  const Token** offender_;
  std::size_t next_ = 0;
};

using Content = Result<std::string>;

Content address(Fields& fields, bool v4) {
  const auto read = IpAddress::parse(fields.take().text);
  if (!read || read->isV4() != v4) return fields.bad(v4 ? "not an IPv4 address" : "not an IPv6 address");
  return read->text();
}
Content contentOfA(Fields& fields) {
  return address(fields, true);
}
Content contentOfAaaa(Fields& fields) {
  return address(fields, false);
}

Content contentOfMx(Fields& fields) {
  const auto preference = fields.number(65535, "the preference");
  if (!preference) return pass(preference);
  const auto target = fields.name();
  if (!target) return pass(target);
  if (target->isRoot() ? *preference != 0 : !target->isHostName()) {
    return fields.bad("a mail exchanger is a host name, or the record is the null MX \"0 .\" (RFC 7505 section 3)",
                      "correct the name");
  }
  return fmt::format("{} {}", *preference, target->text());
}

Content contentOfHost(Fields& fields) {
  const auto host = fields.host("the target");
  if (!host) return pass(host);
  return host->text();
}

Content contentOfName(Fields& fields) {
  const auto name = fields.name();
  if (!name) return pass(name);
  return name->text();
}

Content contentOfSrv(Fields& fields) {
  unsigned numbers[3] = {};
  const char* const what[] = {"the priority", "the weight", "the port"};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = fields.number(65535, what[i]);
    if (!number) return pass(number);
    numbers[i] = *number;
  }
  const auto target = fields.name();
  if (!target) return pass(target);
  // RFC 2782: "." says that the service is decidedly not available.
  if (!target->isRoot() && !target->isHostName()) return fields.bad("the target is a host name or \".\" (RFC 2782)");
  return fmt::format("{} {} {} {}", numbers[0], numbers[1], numbers[2], target->text());
}

Content contentOfCaa(Fields& fields) {
  const auto flags = fields.number(255, "the flags");
  if (!flags) return pass(flags);
  std::string tag = fields.take().text;
  const bool plain = std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  if (tag.empty() || tag.size() > 15 || !plain) {
    return fields.bad("a CAA tag is 1 to 15 letters and digits (RFC 8659 section 4.1)", "write issue or iodef");
  }
  std::transform(tag.begin(), tag.end(), tag.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto value = fields.octets();
  if (!value) return pass(value);
  if (value->size() > kMaxCaaValue) return fields.bad(fmt::format("a CAA value has at most {} octets", kMaxCaaValue));
  return fmt::format("{} {} {}", *flags, tag, txtContent(*value));
}

Content contentOfTxt(Fields& fields) {
  std::string out;
  std::size_t total = 0;
  while (!fields.done()) {
    const auto text = fields.octets();
    if (!text) return pass(text);
    total += text->size();
    if (total > kMaxTextOctets) {
      return fields.bad(fmt::format("the texts of one TXT record have at most {} octets together", kMaxTextOctets));
    }
    // A longer string than RFC 1035 section 3.3 allows is split, as PowerDNS does: readers join them without blanks.
    if (!out.empty()) out += ' ';
    out += txtContent(*text);
  }
  return out;
}

struct TypeRow {
  RecordType type;
  std::size_t fields;  ///< 0: one or more
  Content (*read)(Fields&);
};
constexpr TypeRow kTypes[] = {
    {rrtype::A, 1, contentOfA},        {rrtype::AAAA, 1, contentOfAaaa}, {rrtype::CAA, 3, contentOfCaa},
    {rrtype::CNAME, 1, contentOfName}, {rrtype::MX, 2, contentOfMx},     {rrtype::NS, 1, contentOfHost},
    {rrtype::PTR, 1, contentOfHost},   {rrtype::SRV, 4, contentOfSrv},   {rrtype::TXT, 0, contentOfTxt},
};

const TypeRow* rowOf(RecordType type) {
  const auto it =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& row) { return row.type == type; });
  return it == std::end(kTypes) ? nullptr : it;
}

}  // namespace

bool isWritableType(RecordType type) {
  return rowOf(type) != nullptr;
}

std::string_view writableTypes() {
  return "A, AAAA, CAA, CNAME, MX, NS, PTR, SRV, TXT";
}

Result<std::string> normaliseContent(RecordType type, const std::vector<Token>& tokens, const NameReader& readName,
                                     const Token** offender) {
  const auto* row = rowOf(type);
  if (row == nullptr) {
    return fail(Errc::invalidInput, type.text(), "records of this type are not written by hand here",
                fmt::format("the types are {}", writableTypes()));
  }
  if (tokens.empty() || (row->fields != 0 && tokens.size() != row->fields)) {
    if (offender != nullptr && !tokens.empty()) *offender = &tokens[std::min(row->fields, tokens.size() - 1)];
    return fail(Errc::invalidInput, tokens.empty() ? type.text() : tokens.front().text,
                row->fields == 0 ? "the record has no content"
                                 : fmt::format("a record of type {} has {} field{}, and here {} stand", type.text(),
                                               row->fields, row->fields == 1 ? "" : "s", tokens.size()),
                "correct the content");
  }
  Fields fields(tokens, readName, offender);
  return row->read(fields);
}

}  // namespace mailzone::zonegen
