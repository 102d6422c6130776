// Composes the mails of the scenarios' streams: plain, complete, well-formed messages (RFC 5322) with CR LF lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace mailzone::harness {

struct MessagePlan {
  std::string stream;    ///< webapp|mailbox|marketing; marketing has one-click unsubscription (RFC 8058)
  std::string from;      ///< address
  std::string fromName;  ///< display name; "" for none
  std::string to;
  std::string subject;    ///< default: one for the stream
  std::string messageId;  ///< with angle brackets; "" makes none (a deliberate fault)
  std::vector<std::pair<std::string, std::string>> extraHeaders;  ///< after the others, as they are
  std::vector<std::string> withoutHeaders;                        ///< names to leave out (deliberate faults)
  std::string body;                                               ///< LF or CR LF lines; default: one for the stream
};

/// Errc::invalidInput: an unknown stream, or CR, LF or NUL in a header value.
[[nodiscard]] Result<std::string> buildMessage(const MessagePlan& plan, TimePoint now);

/// "<STREAM.RANDOM@DOMAIN>" with 64 random bits: what the receiver's verdict is awaited by.
[[nodiscard]] std::string newMessageId(std::string_view stream, std::string_view domain);

}  // namespace mailzone::harness
