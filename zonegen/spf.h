// SPF records (RFC 7208): who may send with an envelope sender of ours.
#pragma once

#include <string>
#include <vector>

#include "core/model.h"
#include "core/result.h"

namespace mailzone::zonegen {

/// RFC 7208 section 3.4: what keeps the answer within 512 octets.
inline constexpr std::size_t kMaxSpfOctets = 450;

/// Of a HELO host (RFC 7208 section 10.1.2), and of a name that never sends.
inline constexpr std::string_view kSpfOfHost = "v=spf1 a -all";
inline constexpr std::string_view kSpfOfNobody = "v=spf1 -all";

/// The platform's streams, each replaced by the domain's own of that name, and the domain's further ones; by name.
[[nodiscard]] std::vector<Stream> effectiveStreams(const PlatformContext& context, const std::vector<Stream>& own);

/// Of an envelope domain whose mail leaves by these streams: one include for each sending pool (by id), then one for
/// each relay (by id) that sends with the tenant's envelope. A relay that puts its own envelope would gain nothing and
/// its other customers could speak for the tenant.
[[nodiscard]] Result<std::string> spfOfSender(const PlatformContext& context, const std::vector<Stream>& streams);
/// Of srs.PLATFORM: the forwarding pools, which stand in no tenant's record.
[[nodiscard]] Result<std::string> spfOfForwarder(const PlatformContext& context);
/// Of POOL._spf.PLATFORM: the addresses, IPv4 first, adjoining ones merged into exactly covering networks.
[[nodiscard]] Result<std::string> spfOfPool(const Pool& pool);

}  // namespace mailzone::zonegen
