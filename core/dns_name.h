// Domain names as values: a DnsName that exists is within the limits of the wire.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone {

/// A fully qualified name. Labels of 1 to 63 octets, at most 255 octets on the wire (RFC 1035 section 2.3.4); ASCII
/// letters are folded to lower case (RFC 4343 section 3). Any octet may stand in a label: use isHostName() where the
/// field wants letters, digits and hyphens. Immutable, copyable, thread-safe.
class DnsName {
 public:
  /// The root.
  DnsName() : wire_(1, '\0') {}

  /// Reads presentation form (RFC 1035 section 5.1): `\.`, `\\`, `\DDD`; always absolute, the final dot is optional.
  /// "." is the root; "" is an error. Octets above 126 must be written `\DDD`.
  [[nodiscard]] static Result<DnsName> parse(std::string_view text);
  /// Reads what a person types: as parse(), but U-labels become A-labels first (IDNA 2008 by libidn2,
  /// non-transitional).
  [[nodiscard]] static Result<DnsName> parseUnicode(std::string_view utf8);
  /// Reads uncompressed wire form; the whole of `wire` must be the name.
  [[nodiscard]] static Result<DnsName> fromWire(std::string_view wire);

  /// Presentation form with the final dot; `parse(x.text()) == x`.
  [[nodiscard]] std::string text() const;
  /// Without the final dot, as the SQL columns hold it ("" for the root).
  [[nodiscard]] std::string textNoDot() const;
  /// Length-prefixed labels in lower case, with the root's zero octet.
  [[nodiscard]] const std::string& wire() const noexcept { return wire_; }
  /// Left-most label first, unescaped.
  [[nodiscard]] std::vector<std::string> labels() const;
  [[nodiscard]] std::size_t labelCount() const noexcept;
  [[nodiscard]] bool isRoot() const noexcept { return wire_.size() == 1; }

  /// One label less; the root's parent is the root.
  [[nodiscard]] DnsName parent() const;
  /// `label`.this; `label` is raw octets, not presentation form.
  [[nodiscard]] Result<DnsName> child(std::string_view label) const;
  /// This name's labels followed by those of `suffix`.
  [[nodiscard]] Result<DnsName> under(const DnsName& suffix) const;
  /// The right-most `count` labels (all when there are fewer).
  [[nodiscard]] DnsName rightmost(std::size_t count) const;
  /// True for `ancestor` itself and every name below it.
  [[nodiscard]] bool isAtOrBelow(const DnsName& ancestor) const noexcept;
  /// The left-most label is `*` (RFC 4592 section 2.1.1).
  [[nodiscard]] bool isWildcard() const noexcept;
  /// Every label is letters, digits and inner hyphens, and the last one is not all digits (RFC 1123 section 2.1).
  [[nodiscard]] bool isHostName() const noexcept;

  /// Octets whose byte-wise order is the canonical order of names (RFC 4034 section 6.1): reversed labels, each ended
  /// by 0x00, with 0x00 and 0x01 inside a label escaped. The key of an ancestor is a prefix of its descendants' keys.
  /// At most 507 octets; the root's is empty.
  [[nodiscard]] std::string canonicalKey() const;
  /// The inverse of canonicalKey().
  [[nodiscard]] static Result<DnsName> fromCanonicalKey(std::string_view key);

  friend bool operator==(const DnsName&, const DnsName&) = default;
  /// Canonical order (RFC 4034 section 6.1).
  friend std::strong_ordering operator<=>(const DnsName& a, const DnsName& b);

 private:
  explicit DnsName(std::string wire) : wire_(std::move(wire)) {}
  std::string wire_;
};

/// One LDH label of 1 to 63 octets, lower case: what a tenant's slug may be (RFC 5890 section 2.3.1). A-labels pass.
[[nodiscard]] bool isLdhLabel(std::string_view label) noexcept;

}  // namespace mailzone
