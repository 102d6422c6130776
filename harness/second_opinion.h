// Each stored mail judged again by programs that we did not write: python3-dkim, python3-spf, dnspython and opendkim,
// all asking the same resolver. An opinion that could not be had is an error, never an agreement.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "core/result.h"
#include "harness/receiver.h"

namespace mailzone::harness {

struct SecondOpinionOptions {
  IpAddress resolver = IpAddress::v4(0x7f000001);
  std::uint16_t resolverPort = 53;  ///< opendkim knows port 53 only
  std::filesystem::path script;     ///< second_opinion.py; default: beside the program's data
  std::filesystem::path python = "/usr/bin/python3";
  std::filesystem::path opendkim = "/usr/sbin/opendkim";
  bool withOpendkim = true;
  std::chrono::seconds deadline{30};
};

struct SecondOpinion {
  std::string spf;                           ///< python3-spf's word
  std::vector<SignatureVerdict> signatures;  ///< dkimpy's, in the order of the header section
  std::string dmarc;                         ///< derived from these two and the record that dnspython found
  std::string opendkim;                      ///< pass|fail|none|temperror; "" when it was not asked
};

/// Errc::unavailable: a program is missing or failed; Errc::temporary: the deadline.
[[nodiscard]] Result<SecondOpinion> secondOpinion(const std::filesystem::path& message,
                                                  const std::filesystem::path& envelope,
                                                  const SecondOpinionOptions& options);
/// One sentence per difference between the receiver's verdict and the opinion.
[[nodiscard]] std::vector<std::string> differences(const Verdict& verdict, const SecondOpinion& opinion);

/// Asks and compares; differences and a missing opinion become findings of the verdict.
void addSecondOpinion(Verdict& verdict, const ReceivedMail& mail, const SecondOpinionOptions& options);

}  // namespace mailzone::harness
