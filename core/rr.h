// Resource records as values, in presentation form.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone {

/// Seconds, 0 to 2^31-1 (RFC 2181 section 8).
class Ttl {
 public:
  constexpr Ttl() = default;
  [[nodiscard]] static Result<Ttl> of(std::int64_t seconds);
  [[nodiscard]] constexpr std::uint32_t seconds() const noexcept { return seconds_; }
  friend constexpr auto operator<=>(Ttl, Ttl) = default;

 private:
  constexpr explicit Ttl(std::uint32_t seconds) : seconds_(seconds) {}
  std::uint32_t seconds_ = 0;
};

/// A record type by its number (IANA). Known ones print as mnemonics, others as TYPEnnn (RFC 3597 section 5).
class RecordType {
 public:
  constexpr explicit RecordType(std::uint16_t number) : number_(number) {}
  [[nodiscard]] static Result<RecordType> parse(std::string_view mnemonic);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] constexpr std::uint16_t number() const noexcept { return number_; }
  friend constexpr auto operator<=>(RecordType, RecordType) = default;

 private:
  std::uint16_t number_;
};

namespace rrtype {
inline constexpr RecordType A{1}, NS{2}, CNAME{5}, SOA{6}, PTR{12}, MX{15}, TXT{16}, AAAA{28}, SRV{33}, DS{43},
    TLSA{52}, ANY{255}, CAA{257};
}  // namespace rrtype

/// All records of one owner name and type; they share a TTL (RFC 2181 section 5.2).
struct RRset {
  DnsName owner;
  RecordType type{0};
  Ttl ttl;
  std::vector<std::string> contents;  ///< presentation form as PowerDNS wants it: names with final dot, TXT quoted
  friend bool operator==(const RRset&, const RRset&) = default;
};

/// Quoted character-strings of at most 255 octets that join to `text`: `"v=DKIM1; ..." "..."`. Quotes, backslashes and
/// octets outside printable ASCII are escaped (RFC 1035 section 5.1). Empty text is `""`.
[[nodiscard]] std::string txtContent(std::string_view text);
/// The joined octets of a TXT content as txtContent() writes it, or of unquoted words.
[[nodiscard]] Result<std::string> txtText(std::string_view content);

}  // namespace mailzone
