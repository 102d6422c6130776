// Each stored mail judged again by programs that we did not write: python3-dkim, python3-spf, dnspython and opendkim,
// all asking the same resolver. An opinion that could not be had is an error, never an agreement.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "core/result.h"
#include "harness/mailbox.h"
#include "harness/receiver.h"

namespace mailzone::harness {

struct SecondOpinionOptions {
  IpAddress resolver = IpAddress::v4(0x7f000001);
  std::uint16_t resolverPort = 53;
  std::filesystem::path script;  ///< second_opinion.py
  std::filesystem::path python = "/usr/bin/python3";
  std::filesystem::path opendkim = "/usr/sbin/opendkim";
  std::chrono::seconds deadlinePerMail{60};
};

struct SecondOpinion {
  std::string spf;                           ///< python3-spf's word
  std::vector<SignatureVerdict> signatures;  ///< dkimpy's, from the top
  std::vector<SignatureVerdict> opendkim;    ///< opendkim's, likewise
  std::string dmarc;                         ///< derived from spf, signatures and the records that dnspython found
};

/// One result per mail, in order; one process for all. Errc::unavailable: a program is missing or failed, or had no
/// opinion; Errc::temporary: the deadline.
[[nodiscard]] std::vector<Result<SecondOpinion>> secondOpinions(std::span<const StoredMail> mails,
                                                                const SecondOpinionOptions& options);

/// One sentence per difference between the receiver's verdict and the opinion. SPF, and DMARC's pass, fail, none and
/// temperror, are compared by the word; signatures by place, d=, s=, and by whether they pass, cannot be told, or do
/// not pass (the three programs name the ways of not passing differently). A signature that verifies but must not
/// count ("policy") agrees with pass: the others do not know that word.
[[nodiscard]] std::vector<std::string> differences(const Verdict& verdict, const SecondOpinion& opinion);

/// Asks and compares; differences and missing opinions become findings of the verdicts. `verdicts[i]` is of `mails[i]`.
void addSecondOpinions(std::span<Verdict> verdicts, std::span<const StoredMail> mails,
                       const SecondOpinionOptions& options);

}  // namespace mailzone::harness
