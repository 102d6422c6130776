// One owner name of one zone: what each source contributes there, and what follows from all of it for DNS. Pure.
//
// A node is stored with the contents already escaped for JSON, visible records first, sorted by type: an answer is a
// walk over a header and a few copies. Records that another source overrides stay in the node, so that they come back
// by themselves when the other one goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/source_id.h"
#include "core/dns_name.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone::backend {

/// A record type of ours, reserved by IANA, in the place of what a source should say here and cannot.
inline constexpr RecordType kCannotTell{0};

enum class RecordState : std::uint8_t {
  visible,
  duplicate,   ///< another source says the same
  overridden,  ///< another source speaks for it (zonegen/merge.h)
  conflict,    ///< a CNAME beside other data, or a second one (RFC 1034 section 3.6.2)
  marker,      ///< kCannotTell
};

struct Contribution {
  SourceId source;
  RecordType type{0};
  std::uint32_t ttl = 0;  ///< as its source says
  std::string content;    ///< presentation form
  RecordState state = RecordState::visible;
  std::uint32_t servedTtl = 0;  ///< the lowest of the RRset (RFC 2181 section 5.2 wants one)
  friend bool operator==(const Contribution&, const Contribution&) = default;
};

/// What the position of the name in its zone means for `auth`.
struct Place {
  bool apex = false;
  bool belowCut = false;  ///< below a delegation: glue
  friend bool operator==(const Place&, const Place&) = default;
};

struct Node {
  std::vector<Contribution> records;  ///< after merge(): visible first, by type, then content
  bool belowCut = false;
  bool cut = false;  ///< holds visible NS and is no apex

  [[nodiscard]] bool operator==(const Node&) const = default;
};

/// Decides what is visible, in place. Depends on the set of contributions alone, never on their order.
[[nodiscard]] Node merge(const DnsName& owner, std::vector<Contribution> contributions, Place place);

/// The stored form, without checksum. `owner` is the presentation form with the final dot.
[[nodiscard]] std::string encodeNode(const Node& node, std::string_view owner);
/// Errc::corrupt when `bytes` is not what encodeNode() writes.
[[nodiscard]] Result<Node> decodeNode(std::string_view bytes);

/// What a stored node says when asked for one type.
enum class Found : std::uint8_t { records, nothing, cannotTell, broken };
/// Appends the records of `type` (all with rrtype::ANY) as JSON objects joined by commas; a comma goes before the first
/// one when `out` does not end in '['. An empty non-terminal gives its row of qtype "" for ANY.
[[nodiscard]] Found appendJson(std::string_view stored, RecordType type, std::string_view zoneId, std::string& out);
/// The same for a transfer: markers are passed over.
[[nodiscard]] Found appendJsonForTransfer(std::string_view stored, std::string_view zoneId, std::string& out);
[[nodiscard]] bool storedHasMarker(std::string_view stored) noexcept;

/// `text` as the inside of a JSON string (RFC 8259 section 7).
void appendJsonEscaped(std::string& out, std::string_view text);
/// A JSON string with its quotes.
void appendJsonString(std::string& out, std::string_view text);

}  // namespace mailzone::backend
