// The MTA's side of the milter protocol (version 6), as much of it as signs one mail: what a real milter does with it.
// Everything is answered step by step; nothing is skipped and nothing runs ahead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::test {

struct MilterOutcome {
  /// As the protocol has it: 'c' or 'a' let it pass, 't' is try again later, 'r' is refused, 'y' a reply of its own.
  char action = 0;
  std::string reply;                ///< of 'y'
  std::vector<std::string> fields;  ///< header fields that go in front, whole, from the top
  [[nodiscard]] bool passed() const noexcept { return action == 'c' || action == 'a'; }
};

/// Sends one mail through the milter at the unix socket, with the macros {mail_addr} and i that Postfix sends.
/// `message` has lines that end in CRLF and fields of one line each. Errors: no milter there, a connection that ends or
/// says nonsense, 10 s without an answer.
[[nodiscard]] Result<MilterOutcome> throughMilter(const std::string& socket, std::string_view sender,
                                                  std::string_view message);

}  // namespace mailzone::test
