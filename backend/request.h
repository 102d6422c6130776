// One request of PowerDNS's remote protocol, read by SAX: {"method": M, "parameters": {...}}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::backend {

/// The method and its scalar parameters; arrays and objects among the parameters are known by name only.
class Request {
 public:
  [[nodiscard]] const std::string& method() const noexcept { return method_; }
  /// Errc::invalidInput when it is missing or no string.
  [[nodiscard]] Result<std::string_view> text(std::string_view name) const;
  /// A whole number (some senders write 1.0); `otherwise` when it is missing, Errc::invalidInput for another type.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view name, std::int64_t otherwise) const;

 private:
  friend class RequestReader;
  enum class Type : std::uint8_t { text, integer, other };
  struct Parameter {
    std::string name;
    Type type = Type::other;
    std::string text;
    std::int64_t number = 0;
  };
  [[nodiscard]] const Parameter* find(std::string_view name) const noexcept;
  [[nodiscard]] Parameter& add(std::string_view name);
  void clear() noexcept {
    method_.clear();
    used_ = 0;
  }

  std::string method_;
  std::vector<Parameter> parameters_;  // the first used_ are of this request: their memory is used again
  std::size_t used_ = 0;
};

/// Reads into `request`, whose memory is used again. Errc::invalidInput: no JSON, or not of that form.
[[nodiscard]] Result<void> parseRequest(std::string_view line, Request& request);

}  // namespace mailzone::backend
