// How a large receiver decides: a pure function from facts about one mail to its answer after DATA. The order of the
// rules is ours (Google publishes none) and written down here; codes and texts are those of Gmail's list of SMTP
// errors.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/model.h"
#include "mailauth/verdict.h"

namespace mailzone::harness {

using AuthResult = mailauth::Verdict;  ///< a word of RFC 8601 section 2.7

struct SignatureFact {
  AuthResult result = AuthResult::none;
  std::string domain;    ///< d=, lower case, without final dot; "" when it could not be read
  std::string selector;  ///< s=
  std::string reason;    ///< for a person
  friend bool operator==(const SignatureFact&, const SignatureFact&) = default;
};

struct SpfFact {
  AuthResult result = AuthResult::none;
  std::string domain;  ///< of MAIL FROM, or the HELO name for the null sender
  std::string reason;
  friend bool operator==(const SpfFact&, const SpfFact&) = default;
};

/// Which passing mechanisms align with From.
struct Alignment {
  bool spf = false;
  bool dkim = false;
  friend bool operator==(const Alignment&, const Alignment&) = default;
};

struct DmarcFact {
  AuthResult result = AuthResult::none;    ///< none: no record; temperror: cannot tell
  DmarcPolicy policy = DmarcPolicy::none;  ///< asked for this mail when it fails: after sp=, np= and t=
  std::string recordDomain;                ///< where the record was found; "" without one
  std::string reason;
  Alignment aligned;                            ///< by the record's modes (relaxed when there is none)
  Alignment related;                            ///< relaxed, whatever the record says
  std::optional<std::size_t> alignedSignature;  ///< index of the first that passed and is aligned
  friend bool operator==(const DmarcFact&, const DmarcFact&) = default;
};

/// A rule of form that the message breaks (RFC 5322, and what Gmail adds to it).
struct FormFinding {
  std::string rule;  ///< a sentence for the reply
  friend bool operator==(const FormFinding&, const FormFinding&) = default;
};

/// Everything that a judge may know.
struct Facts {
  IpAddress client = IpAddress::v4(0);
  std::string helo;
  std::string mailFrom;  ///< "" for the null sender
  std::vector<std::string> recipients;
  std::string tlsVersion;  ///< "" without TLS
  AuthResult iprev = AuthResult::none;
  std::string ptrName;  ///< the name that led back to the client, else the first of the PTR records
  SpfFact spf;
  std::vector<SignatureFact> signatures;
  DmarcFact dmarc;
  std::string from;  ///< the one address of From:, "" when there is not exactly one
  std::string fromDomain;
  std::string messageId;
  std::size_t hops = 0;  ///< number of Received lines
  std::vector<FormFinding> form;
  friend bool operator==(const Facts&, const Facts&) = default;
};

struct JudgeProfile {
  std::string name = "gmail";
  bool bulk = true;  ///< the sender counts as a bulk sender (5,000 mails a day)
};

struct Judgement {
  int code = 250;
  std::string enhanced;           ///< "5.7.26"
  std::vector<std::string> text;  ///< lines of the reply, without codes; never empty
  std::string folder;             ///< inbox|spam; "" when refused
  friend bool operator==(const Judgement&, const Judgement&) = default;
};

/// The rules, first match wins:
///   1. form 550 5.7.1, hops 554 5.4.6          5. SPF `fail` (-all) 550 5.7.26
///   2. PTR 550 5.7.25, cannot tell 451 4.7.23  6. DMARC fails under p=reject 550 5.7.26, cannot tell 451 4.7.26
///   3. no TLS 550 5.7.29                       bulk: 7. SPF 5.7.27  8. DKIM 5.7.30  9. alignment 5.7.32 (relaxed and
///   4. neither SPF nor DKIM 550 5.7.26,        organizational, whatever the record says)  10. no DMARC record 5.7.40;
///      cannot tell 451 4.7.26                  each 550, or 421 4.7.x when a temporary DNS failure is behind it
/// A DMARC failure under p=quarantine that no rule refused is accepted into spam. A temporary failure never refuses for
/// good.
[[nodiscard]] Judgement judge(const JudgeProfile& profile, const Facts& facts);

/// none|spf|dkim|both
[[nodiscard]] std::string_view alignmentName(const Alignment& aligned) noexcept;
/// The aligned signature that passed, else the first; nullptr without any.
[[nodiscard]] const SignatureFact* decisiveSignature(const Facts& facts) noexcept;

}  // namespace mailzone::harness
