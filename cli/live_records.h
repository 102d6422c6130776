// Records that must be in DNS, and what DNS says of them through a resolver.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/document.h"
#include "core/dns_name.h"
#include "core/resolver.h"
#include "core/rr.h"
#include "tenantdb/admin_store.h"

namespace mailzone::cli {

enum class LiveState {
  valid,
  mismatch,  ///< there is another record
  missing,   ///< it is known that there is none
  unknown,   ///< cannot tell
};
[[nodiscard]] std::string_view word(LiveState state) noexcept;

struct Live {
  LiveState state = LiveState::unknown;
  std::string detail;  ///< what was seen, and what it means; "" when valid
};

/// A record that a customer sets at their own DNS provider.
struct WantedRecord {
  std::string purpose;    ///< "signing key mz1", "bounces", "policy"
  bool required = false;  ///< verification fails without it
  DnsName name;
  RecordType type = rrtype::CNAME;
  std::string value;    ///< as a form wants it: a name without final dot, a text without quotes
  std::string keyText;  ///< of a signing key: what the target must say; "" while the slot is empty
  std::optional<Live> live;
};

/// The records of a delegated domain. `published` are those that its names with us have (recordsOfDomain()).
[[nodiscard]] Result<std::vector<WantedRecord>> wantedRecords(const tenantdb::DomainRow& domain,
                                                              const DnsName& platform, const std::string& dmarcPolicy,
                                                              const std::string& dmarcRua,
                                                              const std::vector<RRset>& published);
/// Looks once.
[[nodiscard]] Live lookAt(Resolver& resolver, const WantedRecord& wanted, const DnsName& domain);

/// Whether `name` says exactly this text: for TXT sets of ours.
[[nodiscard]] Live lookAtText(Resolver& resolver, const DnsName& name, const std::string& text);

[[nodiscard]] Document documentOfRecords(const std::vector<WantedRecord>& records);
[[nodiscard]] std::string tableOfRecords(const std::vector<WantedRecord>& records);

}  // namespace mailzone::cli
