// The DMARC record as a value (RFC 9989 sections 4.7 and 4.8).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"

namespace mailzone::mailauth {

enum class AlignmentMode { relaxed, strict };
/// psd=: y, this is a public suffix; n, this is an organizational domain; u, not said.
enum class PublicSuffix { yes, no, unknown };

struct DmarcRecord {
  DmarcPolicy policy = DmarcPolicy::none;        ///< p=; none when absent
  std::optional<DmarcPolicy> subdomainPolicy;    ///< sp=; default p
  std::optional<DmarcPolicy> nonexistentPolicy;  ///< np=; default sp, then p
  AlignmentMode adkim = AlignmentMode::relaxed;
  AlignmentMode aspf = AlignmentMode::relaxed;
  PublicSuffix psd = PublicSuffix::unknown;
  bool testing = false;          ///< t=y: apply one step less than the policy
  std::vector<std::string> rua;  ///< URIs as written
  std::vector<std::string> ruf;
  std::vector<std::string> fo;  ///< "0" "1" "d" "s"; empty: the default, "0"
  friend bool operator==(const DmarcRecord&, const DmarcRecord&) = default;
};

/// Whether this TXT text means to be a DMARC record: it begins with the tag v=DMARC1.
[[nodiscard]] bool isDmarcRecord(std::string_view txt) noexcept;
/// Unknown tags, pct, rf and ri are ignored (section 9.3). An absent or invalid p, or an invalid sp or np, counts as
/// p=none when a valid rua stands there, and is an error otherwise (section 4.10.1). Other invalid values count as
/// absent.
[[nodiscard]] Result<DmarcRecord> parseDmarcRecord(std::string_view txt);
/// p second, as RFC 7489 receivers want it; defaults are left out. `parseDmarcRecord(printDmarcRecord(x)) == x`.
[[nodiscard]] std::string printDmarcRecord(const DmarcRecord& record);

/// The URIs of a rua= list, or why it is not one: each mailto: or https:, with "," "!" ";" percent-encoded.
[[nodiscard]] Result<std::vector<std::string>> parseReportUris(std::string_view list);

}  // namespace mailzone::mailauth
