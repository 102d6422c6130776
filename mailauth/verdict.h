// The result words of RFC 8601 section 2.7, shared by every method of this folder.
#pragma once

#include <optional>
#include <string_view>

namespace mailzone::mailauth {

/// Which of them a method may return, and what they mean there, stands beside each method. "Cannot tell" is temperror
/// and never none or fail.
enum class Verdict { none, neutral, pass, fail, softfail, temperror, permerror, policy };

/// The word as Authentication-Results and our JSON have it ("softfail").
[[nodiscard]] std::string_view word(Verdict verdict) noexcept;
[[nodiscard]] std::optional<Verdict> verdictFromWord(std::string_view text) noexcept;

}  // namespace mailzone::mailauth
