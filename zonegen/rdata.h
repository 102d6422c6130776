// The contents of records that an operator may write, brought into one form. Internal to zonegen/.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/rr.h"
#include "zonegen/tokens.h"

namespace mailzone::zonegen {

/// Makes a name of a token: relative to an origin, or always absolute.
using NameReader = std::function<Result<DnsName>(std::string_view)>;

/// A AAAA CAA CNAME MX NS PTR SRV TXT.
[[nodiscard]] bool isWritableType(RecordType type);
[[nodiscard]] std::string_view writableTypes();  ///< for error messages

/// The content as PowerDNS wants it: names absolute in lower case with the final dot, addresses in their canonical
/// text, texts quoted in character-strings of at most 255 octets. Hosts (MX, NS, PTR, SRV) are host names. An Error is
/// about the token `*offender` when that is not null.
[[nodiscard]] Result<std::string> normaliseContent(RecordType type, const std::vector<Token>& tokens,
                                                   const NameReader& readName, const Token** offender);

}  // namespace mailzone::zonegen
