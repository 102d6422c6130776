// What a receiver said of one mail, and how that compares with what a scenario expects: the rows of the demo's table
// and the document `mailzone/verdicts/1`. Values only; nothing here receives or judges.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::harness {

/// One DKIM signature as the receiver saw it; `result` is a word of RFC 8601 section 2.7.1.
struct SignatureVerdict {
  std::string result;
  std::string domain;    ///< d=, without final dot
  std::string selector;  ///< s=
  std::string reason;    ///< why it did not pass; "" when it did
  friend bool operator==(const SignatureVerdict&, const SignatureVerdict&) = default;
};

/// One row. Result words are those of RFC 8601; a field that nobody could learn (a mail that our own MTA refused never
/// reached a receiver) is "".
struct Verdict {
  std::string scenario;
  std::string stream;
  std::string from;          ///< the address in From:, as written
  std::string envelopeFrom;  ///< MAIL FROM without angle brackets
  std::string spf;
  std::string dkim;  ///< of the aligned signature that passed, else of the first; likewise the next two
  std::string dkimDomain;
  std::string selector;
  std::vector<SignatureVerdict> signatures;
  std::string dmarc;
  std::string alignment;  ///< none|spf|dkim|both
  std::string ptr;        ///< result of iprev (RFC 8601 section 3)
  std::string tls;        ///< "TLSv1.3", "" without
  std::string folder;     ///< inbox|spam|"" (refused)
  std::string reply;      ///< the last line of the answer after DATA, whole
  std::string messageId;  ///< with its angle brackets
  std::string queueId;    ///< of the MTA that handed the mail to the receiver, from its Received line

  /// What the scenario file states: JSON field name ("dkim_domain") -> value. See mismatches().
  std::map<std::string, std::string> expected;
  /// Findings that are no field of the row (a second opinion that differs, a queue id that stands in no log). Any makes
  /// the row not ok.
  std::vector<std::string> findings;
};

/// The names that `expected` may hold: every text field of Verdict by its JSON name.
[[nodiscard]] std::span<const std::string_view> verdictFields() noexcept;
/// Errc::invalidInput names the field that no verdict has.
[[nodiscard]] Result<void> checkExpected(const std::map<std::string, std::string>& expected);

/// One sentence per expected field that the verdict does not fulfil, and every finding; empty: the row is ok.
/// A field is compared whole; `*` in the expected value stands for any run of characters (tokens differ from run to
/// run). `reply` is compared with its beginning, up to a word's end ("550 5.7.32"). Nothing expected is a mismatch
/// too: a row that states nothing proves nothing.
[[nodiscard]] std::vector<std::string> mismatches(const Verdict& verdict);
[[nodiscard]] inline bool isOk(const Verdict& verdict) {
  return mismatches(verdict).empty();
}

/// `mailzone/verdicts/1`, one document, ended by a line feed. `ok` at the top: at least one verdict, and all are ok.
[[nodiscard]] std::string verdictsJson(std::span<const Verdict> verdicts);
/// One verdict as an object on one line, without line feed.
[[nodiscard]] std::string verdictJson(const Verdict& verdict);
/// The same without `expected`, `findings` and `ok`: what was seen, for mails of which nothing is expected.
[[nodiscard]] std::string observedJson(const Verdict& verdict);

/// The table for people; below it what makes a row not ok.
[[nodiscard]] std::string verdictTable(std::span<const Verdict> verdicts);

}  // namespace mailzone::harness
