// What a name says when several sources speak of it: a domain, one that departed from the same name, and records that
// an operator wrote. Pure; the replica keeps contributions apart and merges a name whenever one of them changes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/rr.h"
#include "zonegen/zonegen.h"

namespace mailzone::zonegen {

enum class Origin {
  generated,  ///< recordsForDomain, -Platform, -Pool, -Zone
  departed,   ///< recordsForDeparted
  written,    ///< recordsForStatic
};

struct Contribution {
  Origin origin = Origin::generated;
  RRset rrset;
  std::int64_t row = 0;  ///< departed: the id of its row
  friend bool operator==(const Contribution&, const Contribution&) = default;
};

/// One record of one source.
struct Claim {
  Origin origin = Origin::generated;
  std::int64_t row = 0;  ///< departed: the id of its row
  RecordType type{0};
  std::string_view content;
};

enum class Fate {
  stands,
  superseded,  ///< another source speaks for it
  alias,       ///< a CNAME beside other data, or a second CNAME: wrong, and left out
};

/// The rules, for each record of one owner in one zone:
/// - A departed domain yields to a live one (its tenant took the name back) and to one that departed from the name
/// after
///   it, type by type.
/// - A written MX replaces a generated one: where an imported zone's mail goes is its operator's choice.
/// - A written TXT replaces generated ones of its kind (SPF, DMARC, DKIM: two of them make the record void, RFC 7208
///   section 4.5, RFC 9989 section 4.10, RFC 6376 section 3.6.2.2) and stands beside others.
/// - A CNAME beside other data goes, as does a second CNAME (RFC 2181 section 10.1): the data came first.
/// The order of the claims does not matter.
[[nodiscard]] std::vector<Fate> judge(const DnsName& owner, const std::vector<Claim>& claims);

/// The RRsets of one owner in one zone, sorted by type: what stands, each record once, with the lowest TTL of its type
/// (RFC 2181 section 5.2). All contributions have the same owner.
[[nodiscard]] std::vector<RRset> mergeName(const std::vector<Contribution>& contributions);

/// The contributions without what is superseded, each with its own TTL and with aliases still in them: what check()
/// looks at.
[[nodiscard]] std::vector<RRset> standing(const std::vector<Contribution>& contributions);

/// Which of the records that exclude each other a TXT is.
enum class TextKind { other, spf, dmarc, dkim };
[[nodiscard]] TextKind textKind(const DnsName& owner, std::string_view content);

}  // namespace mailzone::zonegen
