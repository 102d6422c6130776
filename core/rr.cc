#include "core/rr.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace mailzone {
namespace {

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 36> kMnemonics = {{
    {"A", 1},       {"NS", 2},       {"CNAME", 5},  {"SOA", 6},         {"PTR", 12},   {"HINFO", 13},
    {"MX", 15},     {"TXT", 16},     {"RP", 17},    {"AFSDB", 18},      {"SIG", 24},   {"KEY", 25},
    {"AAAA", 28},   {"LOC", 29},     {"SRV", 33},   {"NAPTR", 35},      {"KX", 36},    {"CERT", 37},
    {"DNAME", 39},  {"DS", 43},      {"SSHFP", 44}, {"IPSECKEY", 45},   {"RRSIG", 46}, {"NSEC", 47},
    {"DNSKEY", 48}, {"DHCID", 49},   {"NSEC3", 50}, {"NSEC3PARAM", 51}, {"TLSA", 52},  {"SMIMEA", 53},
    {"CDS", 59},    {"CDNSKEY", 60}, {"SVCB", 64},  {"HTTPS", 65},      {"SPF", 99},   {"CAA", 257},
}};

bool equalsIgnoreCase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           const auto up = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
           return up(x) == up(y);
         });
}

}  // namespace

Result<Ttl> Ttl::of(std::int64_t seconds) {
  if (seconds < 0 || seconds > 0x7fffffff) {
    return fail(Errc::invalidInput, std::to_string(seconds), "a TTL is 0 to 2147483647 seconds (RFC 2181 section 8)");
  }
  return Ttl(static_cast<std::uint32_t>(seconds));
}

Result<RecordType> RecordType::parse(std::string_view mnemonic) {
  for (const auto& [name, number] : kMnemonics) {
    if (equalsIgnoreCase(name, mnemonic)) return RecordType(number);
  }
  if (equalsIgnoreCase("ANY", mnemonic)) return rrtype::ANY;
  if (mnemonic.size() > 4 && equalsIgnoreCase("TYPE", mnemonic.substr(0, 4))) {
    std::uint16_t number = 0;
    const auto digits = mnemonic.substr(4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size()) return RecordType(number);
  }
  return fail(Errc::invalidInput, mnemonic, "not a record type", "write a mnemonic such as TXT, or TYPE65534");
}

std::string RecordType::text() const {
  for (const auto& [name, number] : kMnemonics) {
    if (number == number_) return std::string(name);
  }
  if (*this == rrtype::ANY) return "ANY";
  return fmt::format("TYPE{}", number_);
}

std::string txtContent(std::string_view text) {
  std::string out;
  do {
    const auto part = text.substr(0, 255);
    text.remove_prefix(part.size());
    if (!out.empty()) out += ' ';
    out += '"';
    for (const char c : part) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (byte < 0x20 || byte > 0x7e) {
        out += fmt::format("\\{:03d}", byte);
      } else {
        out += c;
      }
    }
    out += '"';
  } while (!text.empty());
  return out;
}

Result<std::string> txtText(std::string_view content) {
  std::string out;
  bool quoted = false;
  bool any = false;
  for (std::size_t at = 0; at < content.size(); ++at) {
    const char c = content[at];
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == '\\') {
      const auto digits = content.substr(at + 1, 3);
      if (digits.size() == 3 &&
          std::all_of(digits.begin(), digits.end(), [](char d) { return d >= '0' && d <= '9'; })) {
        const int value = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
        if (value > 255) return fail(Errc::invalidInput, content, "an escape is at most \\255");
        out += static_cast<char>(value);
        at += 3;
      } else if (at + 1 < content.size()) {
        out += content[++at];
      } else {
        return fail(Errc::invalidInput, content, "a backslash ends the text");
      }
      any = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      continue;
    } else {
      out += c;
      any = true;
    }
  }
  if (quoted) return fail(Errc::invalidInput, content, "a quote is not closed");
  if (!any)
    return fail(Errc::invalidInput, content,
                "a TXT record has at least one character-string (RFC 1035 section 3.3.14)");
  return out;
}

}  // namespace mailzone
