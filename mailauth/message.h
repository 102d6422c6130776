// RFC 5322 as far as authentication needs it: the fields of a header, octet for octet, and who the author is. Input is
// hostile: what could be read in two ways is an error, never a guess.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone::mailauth {

struct HeaderField {
  std::string_view raw;    ///< name to the final CRLF, folding included
  std::string_view name;   ///< as written, without the blanks that obsolete syntax allows before the colon
  std::string_view value;  ///< what follows the colon, without the final CRLF, folding included
  [[nodiscard]] bool is(std::string_view lowerCaseName) const noexcept;
};

/// Views into the message, which must outlive it.
struct Message {
  std::vector<HeaderField> fields;  ///< from the top
  std::string_view body;            ///< after the empty line; "" when there is none
  [[nodiscard]] std::vector<HeaderField> named(std::string_view lowerCaseName) const;
};

struct MessageLimits {
  std::size_t headerBytes = 256 * 1024;
  std::size_t fields = 1000;
};

/// Lines end in CRLF. Errors: a bare CR or LF or a NUL in the header, a line that is no field, a continuation line at
/// the top, a header over the limits.
[[nodiscard]] Result<Message> splitMessage(std::string_view octets, const MessageLimits& limits = {});

struct Mailbox {
  std::string local;  ///< unquoted; may hold any octet that a quoted-string may
  DnsName domain;     ///< U-labels became A-labels (RFC 8616 section 6)
  friend bool operator==(const Mailbox&, const Mailbox&) = default;
};

/// The mailboxes of an address-list such as the value of From (RFC 5322 sections 3.4 and 4.4), at most 100. Groups are
/// refused: no author is a group (RFC 6854 allows it, no receiver accepts it).
[[nodiscard]] Result<std::vector<Mailbox>> parseMailboxList(std::string_view value);

/// The one author: exactly one From field with exactly one mailbox whose domain has two labels or more. The error says
/// which of it fails.
[[nodiscard]] Result<Mailbox> soleAuthor(const Message& message);

/// Bare LFs become CRLF: for a message read from a file. A bare CR stays what it is.
[[nodiscard]] std::string withCrlf(std::string_view text);

}  // namespace mailzone::mailauth
