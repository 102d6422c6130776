// Text that must not leak: wiped when it goes, never printed.
#pragma once

#include <string>
#include <string_view>

namespace mailzone {

/// Move-only octets (a private key, a password). Wiped by OPENSSL_cleanse's rule: a store that the compiler may not
/// remove. There is no operator<<, no conversion to std::string; reveal() is the one way in, so that it can be
/// searched.
class Secret {
 public:
  Secret() = default;
  /// Takes the octets over and wipes the source.
  explicit Secret(std::string&& octets);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  [[nodiscard]] std::string_view reveal() const noexcept { return octets_; }
  [[nodiscard]] bool empty() const noexcept { return octets_.empty(); }

 private:
  void wipe() noexcept;
  std::string octets_;
};

}  // namespace mailzone
