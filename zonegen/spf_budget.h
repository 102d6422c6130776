// What a sender's SPF record costs a receiver, relays' records included. The one part of zonegen/ that asks the DNS, by
// the Resolver that it is given.
#pragma once

#include <vector>

#include "core/model.h"
#include "core/resolver.h"
#include "core/result.h"
#include "mailauth/spf_record.h"

namespace mailzone::zonegen {

/// Lookups of the record that spfOfSender() gives for these streams (effectiveStreams()). What stands in our own pools'
/// records is known and not asked for: one lookup each. Each relay's include is followed to its end.
/// Errors: Errc::temporary cannot tell; Errc::limitExceeded more than 10 lookups, naming the relay that costs most;
/// Errc::invalidInput a relay's include has no record, two, or a malformed one (each makes the whole record a permanent
/// error, RFC 7208 section 5.2).
[[nodiscard]] Result<unsigned> spfLookups(const PlatformContext& context, const std::vector<Stream>& streams,
                                          Resolver& resolver);

}  // namespace mailzone::zonegen
