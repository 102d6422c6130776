// Pieces that several kinds of names share. Internal to zonegen/.
#pragma once

#include "zonegen/record_set.h"

namespace mailzone::zonegen {

/// The platform's mail exchangers as the MX of `owner`.
[[nodiscard]] Result<void> addMailExchangers(RecordSet& records, const Platform& platform, const DnsName& owner);
/// TOKEN.rp.PLATFORM: MX and SPF of the envelope domain of a customer's mail.
[[nodiscard]] Result<void> addReturnPath(RecordSet& records, const PlatformContext& context, std::string_view token,
                                         const std::vector<Stream>& streams);
/// One TXT, split and escaped.
[[nodiscard]] Result<void> addText(RecordSet& records, const DnsName& owner, std::string_view text);
/// The key records of a domain: at its own selectors, or (delegated) at what the customer's CNAMEs point at.
[[nodiscard]] Result<void> addKeys(RecordSet& records, const PlatformContext& context, const Domain& domain);

}  // namespace mailzone::zonegen
