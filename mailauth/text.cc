#include "mailauth/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mailzone::mailauth {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> base64Values() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kBase64Values = base64Values();

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = lower(c);
  return out;
}

bool equalsIgnoreCase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && startsWithIgnoreCase(a, b);
}

bool startsWithIgnoreCase(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && isFws(text.front())) text.remove_prefix(1);
  while (!text.empty() && isFws(text.back())) text.remove_suffix(1);
  return text;
}

std::string withoutFws(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (!isFws(c)) out += c;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Result<DnsName> nameFromRaw(std::string_view text) {
  if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
  std::string wire;
  for (const auto label : split(text.substr(0, 256), '.')) {
    if (label.empty() || label.size() > 63) {
      return fail(Errc::invalidInput, text, "a label has 1 to 63 octets (RFC 1035 section 2.3.4)");
    }
    wire += static_cast<char>(label.size());
    wire += label;
  }
  if (text.size() > 253) return fail(Errc::invalidInput, text, "a name has at most 253 octets");
  wire += '\0';
  return DnsName::fromWire(wire);
}

std::string rawText(const DnsName& name) {
  std::string out;
  for (const auto& label : name.labels()) {
    if (!out.empty()) out += '.';
    out += label;
  }
  return out;
}

Result<std::string> decodeBase64(std::string_view text) {
  const auto bad = [&] { return fail(Errc::invalidInput, text, "not base64 (RFC 4648 section 4)"); };
  if (text.size() % 4 != 0) return bad();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    std::uint32_t group = 0;
    unsigned padding = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text[at + i];
      if (c == '=' && last && i >= 2) {
        ++padding;
        group <<= 6U;
        continue;
      }
      const auto value = kBase64Values[static_cast<unsigned char>(c)];
      if (value < 0 || padding != 0) return bad();
      group = group << 6U | static_cast<std::uint32_t>(value);
    }
    for (unsigned i = 0; i < 3 - padding; ++i) out += static_cast<char>(group >> (16U - 8U * i) & 0xffU);
  }
  return out;
}

std::string encodeBase64(std::string_view octets) {
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < octets.size(); at += 3) {
    const auto part = octets.substr(at, 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= part.size() ? kBase64[group >> (18U - 6U * i) & 63U] : '=';
    }
  }
  return out;
}

}  // namespace mailzone::mailauth
