// Macro strings of RFC 7208 section 7, parsed. Private to mailauth.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::mailauth {

/// Literal text, or one %{...}.
struct SpfMacroPiece {
  std::string literal;
  char letter = 0;         ///< lower case; 0 for literal text
  bool urlEscape = false;  ///< the letter was upper case
  unsigned labels = 0;     ///< how many right-most parts stay; 0: all
  bool reverse = false;
  std::string delimiters;  ///< "": "."
  bool expand = false;     ///< came from a "%": also "%%", "%_" and "%-"
};

enum class SpfMacroUse { domainSpec, explanation };

/// An error for anything outside the ABNF; "c", "r" and "t" stand in explanations only (section 7.2), as do blanks.
[[nodiscard]] Result<std::vector<SpfMacroPiece>> parseSpfMacros(std::string_view text, SpfMacroUse use);
/// A domain-spec: a macro string that ends in a macro or in ".toplabel".
[[nodiscard]] Result<void> checkSpfDomainSpec(std::string_view text);
/// One macro's value transformed: split, reversed, cut, joined, escaped (section 7.3).
[[nodiscard]] std::string transformSpfMacro(const SpfMacroPiece& piece, std::string_view value);

}  // namespace mailzone::mailauth
