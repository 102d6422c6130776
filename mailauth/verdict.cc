#include "mailauth/verdict.h"

#include <array>
#include <utility>

namespace mailzone::mailauth {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 8> kWords = {{
    {Verdict::none, "none"},
    {Verdict::neutral, "neutral"},
    {Verdict::pass, "pass"},
    {Verdict::fail, "fail"},
    {Verdict::softfail, "softfail"},
    {Verdict::temperror, "temperror"},
    {Verdict::permerror, "permerror"},
    {Verdict::policy, "policy"},
}};

}  // namespace

std::string_view word(Verdict verdict) noexcept {
  for (const auto& [value, text] : kWords) {
    if (value == verdict) return text;
  }
  return "none";
}

std::optional<Verdict> verdictFromWord(std::string_view text) noexcept {
  for (const auto& [value, known] : kWords) {
    if (known == text) return value;
  }
  return std::nullopt;
}

}  // namespace mailzone::mailauth
