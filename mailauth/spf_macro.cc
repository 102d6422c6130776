#include "mailauth/spf_macro.h"

#include <fmt/format.h>

#include <algorithm>

#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::string_view kLetters = "slodiphv";
constexpr std::string_view kExplanationLetters = "crt";
constexpr std::string_view kDelimiters = ".-+,/_=";
constexpr unsigned kManyLabels = 128;  // more than any name has (RFC 7208 section 7.3 asks for at least 128)

tl::unexpected<Error> bad(std::string_view text, std::string rule) {
  return fail(Errc::invalidInput, text, std::move(rule));
}

// Reads what stands between "%{" and "}".
Result<SpfMacroPiece> parseBraces(std::string_view inside, SpfMacroUse use) {
  SpfMacroPiece piece;
  piece.expand = true;
  if (inside.empty()) return bad(inside, "a macro has a letter (RFC 7208 section 7.1)");
  piece.letter = lower(inside.front());
  piece.urlEscape = piece.letter != inside.front();
  const bool known = kLetters.find(piece.letter) != std::string_view::npos;
  const bool onlyText = kExplanationLetters.find(piece.letter) != std::string_view::npos;
  if (!known && !(onlyText && use == SpfMacroUse::explanation)) {
    return bad(inside, onlyText ? "this macro stands in explanations only (RFC 7208 section 7.2)" : "unknown macro");
  }
  std::size_t at = 1;
  const std::size_t digits = at;
  for (; at < inside.size() && isDigit(inside[at]); ++at) {
    piece.labels = std::min(kManyLabels, piece.labels * 10 + static_cast<unsigned>(inside[at] - '0'));
  }
  if (at > digits && piece.labels == 0) return bad(inside, "a macro's number is not zero (RFC 7208 section 7.1)");
  if (at < inside.size() && lower(inside[at]) == 'r') {
    piece.reverse = true;
    ++at;
  }
  piece.delimiters = inside.substr(at);
  if (piece.delimiters.find_first_not_of(kDelimiters) != std::string::npos) {
    return bad(inside, "not a macro's delimiters (RFC 7208 section 7.1)");
  }
  return piece;
}

bool isTopLabel(std::string_view label) noexcept {
  if (label.empty() || !isAlnum(label.front()) || !isAlnum(label.back())) return false;
  const bool ldh = std::all_of(label.begin(), label.end(), [](char c) { return isAlnum(c) || c == '-'; });
  return ldh && !std::all_of(label.begin(), label.end(), isDigit);
}

bool isUnreserved(char c) noexcept {
  return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

Result<std::vector<SpfMacroPiece>> parseSpfMacros(std::string_view text, SpfMacroUse use) {
  std::vector<SpfMacroPiece> pieces;
  const auto literal = [&pieces](std::string_view part, bool expand) {
    if (pieces.empty() || pieces.back().letter != 0 || pieces.back().expand || expand) pieces.emplace_back();
    pieces.back().literal += part;
    pieces.back().expand = expand;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '%') {
      const bool visible = c > 0x20 && c < 0x7f;
      if (!visible && !(c == ' ' && use == SpfMacroUse::explanation)) {
        return bad(text, "holds an octet that is not visible ASCII (RFC 7208 section 7.1)");
      }
      literal(text.substr(at, 1), false);
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '%' || next == '_' || next == '-') {
      literal(next == '%' ? "%" : next == '_' ? " " : "%20", true);
      ++at;
    } else if (next == '{') {
      const auto close = text.find('}', at);
      if (close == std::string_view::npos) return bad(text, "a macro is not closed");
      auto piece = parseBraces(text.substr(at + 2, close - at - 2), use);
      if (!piece) return pass(piece);
      pieces.push_back(std::move(*piece));
      at = close;
    } else {
      return bad(text, "a % begins a macro (RFC 7208 section 7.1)");
    }
  }
  return pieces;
}

Result<void> checkSpfDomainSpec(std::string_view text) {
  const auto pieces = parseSpfMacros(text, SpfMacroUse::domainSpec);
  if (!pieces) return pass(pieces);
  if (pieces->empty()) return bad(text, "a domain is missing");
  if (pieces->back().expand) return {};
  std::string_view end = pieces->back().literal;
  if (end.back() == '.') end.remove_suffix(1);
  const auto dot = end.rfind('.');
  if (dot == std::string_view::npos || !isTopLabel(end.substr(dot + 1))) {
    return bad(text, "a domain ends in a top label or a macro (RFC 7208 section 7.1)");
  }
  return {};
}

std::string transformSpfMacro(const SpfMacroPiece& piece, std::string_view value) {
  const std::string_view delimiters = piece.delimiters.empty() ? "." : std::string_view(piece.delimiters);
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = value.find_first_of(delimiters);
    parts.push_back(value.substr(0, at));
    if (at == std::string_view::npos) break;
    value.remove_prefix(at + 1);
  }
  if (piece.reverse) std::reverse(parts.begin(), parts.end());
  if (piece.labels != 0 && parts.size() > piece.labels) {
    parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(piece.labels));
  }
  std::string joined;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) joined += '.';
    joined += parts[i];
  }
  if (!piece.urlEscape) return joined;
  std::string escaped;
  for (const char c : joined) {
    if (isUnreserved(c)) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace mailzone::mailauth
