// Numbers as octets in stored values, and the checksum that each value carries.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace mailzone::backend {

/// Appends the octets of a number, most significant first (keys: their byte-wise order is the order of the numbers).
template <class T>
void appendBigEndian(std::string& out, T value) {
  static_assert(std::is_unsigned_v<T>);
  for (unsigned shift = sizeof(T) * 8; shift != 0;) {
    shift -= 8;
    out += static_cast<char>(static_cast<unsigned char>(value >> shift));
  }
}

/// `bytes` has at least sizeof(T) octets.
template <class T>
[[nodiscard]] T readBigEndian(std::string_view bytes) noexcept {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << 7 << 1) | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

/// Appends a plain number as it lies in memory: the replica is a file of one machine, rebuilt when in doubt.
template <class T>
void appendNumber(std::string& out, T value) {
  static_assert(std::is_integral_v<T>);
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

/// Reads a stored value front to back. After the first short read ok() is false and everything reads as zero or "".
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  [[nodiscard]] T number() noexcept {
    static_assert(std::is_integral_v<T>);
    T value{};
    const auto raw = text(sizeof(T));
    if (ok_) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  [[nodiscard]] std::string_view text(std::size_t length) noexcept {
    if (!ok_ || rest_.size() < length) {
      ok_ = false;
      return {};
    }
    const auto out = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return out;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool atEnd() const noexcept { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// 64 bits over `bytes`, starting from `seed`. Not against an attacker: it finds flipped bits, pages that were not
/// written, and values under a key that is not theirs (the key's sum is the seed). Each octet enters by a step that can
/// be undone, so a single changed word always changes the sum.
[[nodiscard]] inline std::uint64_t sum64(std::string_view bytes, std::uint64_t seed = 0x6d61696c7a6f6e65U) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;
  std::uint64_t sum = seed ^ (bytes.size() * kOdd);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    sum = (sum ^ word) * kOdd;
    sum ^= sum >> 29;
  }
  std::uint64_t tail = 0;
  if (left != 0) std::memcpy(&tail, at, left);
  sum = (sum ^ tail) * kOdd;
  return sum ^ (sum >> 32);
}

/// `payload` with its checksum in front, bound to `key`.
[[nodiscard]] inline std::string seal(std::string_view key, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + 8);
  appendNumber(out, sum64(payload, sum64(key)));
  out += payload;
  return out;
}

/// The payload, or false when the checksum does not fit.
[[nodiscard]] inline bool unseal(std::string_view key, std::string_view sealed, std::string_view& payload) noexcept {
  if (sealed.size() < 8) return false;
  std::uint64_t sum = 0;
  std::memcpy(&sum, sealed.data(), 8);
  payload = sealed.substr(8);
  return sum == sum64(payload, sum64(key));
}

}  // namespace mailzone::backend
