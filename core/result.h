// Result and Error: a value for what can happen. Exceptions are for what cannot (a broken invariant, no memory).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace mailzone {

/// The kind of a failure; decides exit status and retry, never the wording.
enum class Errc {
  invalidInput,   ///< what came from outside breaks a rule
  limitExceeded,  ///< well formed, but over a limit of ours or of a standard
  notFound,       ///< it is known that there is no such thing
  conflict,       ///< exists already, or belongs to somebody else
  forbidden,      ///< this program or role may not
  temporary,      ///< cannot tell now; asking again may help
  unavailable,    ///< a service (database, daemon, socket) is unreachable
  schemaVersion,  ///< the database is older or newer than this program understands
  settings,       ///< a setting is missing or wrong
  io,             ///< a file or socket failed
  corrupt,        ///< stored data fails its checksum or its own rules
  internal,       ///< a defect of ours, reported instead of hidden
};

/// Lower-case, stable word for an Errc ("invalid_input"); used in JSON errors.
[[nodiscard]] std::string_view errcName(Errc code) noexcept;

/// Exit status for a failure, by the table of docs/cli.md: 69 unavailable, 75 temporary, 78 settings and schema,
/// else 1.
[[nodiscard]] int exitStatus(Errc code) noexcept;

/// What went wrong, for a person: the value, the rule that it breaks and what to do. Never holds a secret.
struct Error {
  Errc code = Errc::internal;
  std::string value;   ///< the offending value, escaped for display; may be empty
  std::string rule;    ///< the rule that it breaks, or what failed
  std::string remedy;  ///< what to do about it; may be empty

  friend bool operator==(const Error&, const Error&) = default;
};

/// One line: `"VALUE": RULE; REMEDY` without the parts that are empty.
[[nodiscard]] std::string describe(const Error& error);

/// Printable ASCII of `bytes`, others as \DDD, cut after `limit` bytes with "...": safe for a terminal and a log.
[[nodiscard]] std::string escapeForDisplay(std::string_view bytes, std::size_t limit = 200);

template <class T>
using Result = tl::expected<T, Error>;

/// The failure half of a Result. `value` is escaped here.
[[nodiscard]] tl::unexpected<Error> fail(Errc code, std::string_view value, std::string rule, std::string remedy = {});

/// The error of a failed Result, to hand on to a caller with another T.
template <class T>
[[nodiscard]] tl::unexpected<Error> pass(const Result<T>& failed) {
  return tl::unexpected<Error>(failed.error());
}

}  // namespace mailzone
