// ASCII helpers of this folder. Locale-free on purpose: what stands in mail and DNS is ASCII, whatever the machine's
// language.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone::mailauth {

[[nodiscard]] constexpr bool isDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool isAlpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool isAlnum(char c) noexcept {
  return isDigit(c) || isAlpha(c);
}
/// Blank or tab.
[[nodiscard]] constexpr bool isWsp(char c) noexcept {
  return c == ' ' || c == '\t';
}
/// Blank, tab, CR or LF: what folding consists of.
[[nodiscard]] constexpr bool isFws(char c) noexcept {
  return isWsp(c) || c == '\r' || c == '\n';
}
[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool equalsIgnoreCase(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool startsWithIgnoreCase(std::string_view text, std::string_view prefix) noexcept;
/// Without folding white space at both ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
/// Without any folding white space.
[[nodiscard]] std::string withoutFws(std::string_view text);
/// The parts between the separators, untrimmed; one part when there is none.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// A name from text in which every octet but "." stands for itself: what SMTP and expanded macros give, where a
/// backslash is no escape. One final dot is allowed.
[[nodiscard]] Result<DnsName> nameFromRaw(std::string_view text);
/// The labels joined by dots, unescaped and without the final dot: the inverse of nameFromRaw().
[[nodiscard]] std::string rawText(const DnsName& name);

/// RFC 4648 section 4, padding required, no white space. Values are one byte in, one byte out.
[[nodiscard]] Result<std::string> decodeBase64(std::string_view text);
[[nodiscard]] std::string encodeBase64(std::string_view octets);

}  // namespace mailzone::mailauth
