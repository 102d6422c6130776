#include "harness/second_opinion.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "system/process.h"

namespace mailzone::harness {
namespace {

using Json = nlohmann::json;

std::vector<SignatureVerdict> readSignatures(const Json& list) {
  std::vector<SignatureVerdict> signatures;
  for (const Json& entry : list) {
    signatures.push_back({entry.at("result").get<std::string>(), entry.at("domain").get<std::string>(),
                          entry.at("selector").get<std::string>(), entry.at("reason").get<std::string>()});
  }
  return signatures;
}

Result<SecondOpinion> readOpinion(const std::string& line, const std::string& mail) {
  try {
    const Json json = Json::parse(line);
    if (json.contains("error")) {
      return fail(Errc::unavailable, mail, "there is no second opinion: " + json["error"].get<std::string>());
    }
    return SecondOpinion{json.at("spf").get<std::string>(), readSignatures(json.at("dkim")),
                         readSignatures(json.at("opendkim")), json.at("dmarc").get<std::string>()};
  } catch (const Json::exception& error) {
    return fail(Errc::unavailable, mail, fmt::format("the second opinion cannot be read: {}", error.what()));
  }
}

/// The three things that every verifier can say of a signature.
std::string_view outcome(std::string_view result) {
  if (result == "pass" || result == "policy") return "pass";
  return result == "temperror" ? "temperror" : "no pass";
}

void compareSignatures(std::string_view who, const std::vector<SignatureVerdict>& ours,
                       const std::vector<SignatureVerdict>& theirs, std::vector<std::string>& found) {
  if (ours.size() != theirs.size()) {
    found.push_back(fmt::format("dkim: the receiver sees {} signatures, {} sees {}", ours.size(), who, theirs.size()));
    return;
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const SignatureVerdict& mine = ours[i];
    const SignatureVerdict& other = theirs[i];
    const bool sameKey = mine.domain == other.domain && mine.selector == other.selector;
    if (sameKey && outcome(mine.result) == outcome(other.result)) continue;
    found.push_back(fmt::format("dkim: of signature {} the receiver says {} (d={} s={}) {}, {} says {} (d={} s={}) {}",
                                i + 1, mine.result, mine.domain, mine.selector, mine.reason, who, other.result,
                                other.domain, other.selector, other.reason));
  }
}

}  // namespace

std::vector<Result<SecondOpinion>> secondOpinions(std::span<const StoredMail> mails,
                                                  const SecondOpinionOptions& options) {
  std::vector<Result<SecondOpinion>> opinions;
  if (mails.empty()) return opinions;
  Command command;
  command.argv = {options.python.string(),
                  options.script.string(),
                  "--resolver",
                  options.resolver.text(),
                  "--port",
                  std::to_string(options.resolverPort),
                  "--opendkim",
                  options.opendkim.string()};
  for (const StoredMail& mail : mails) {
    command.argv.push_back(mail.message.string());
    command.argv.push_back(mail.envelope.string());
  }
  const auto ran = run(command, "", options.deadlinePerMail * static_cast<long>(mails.size()));
  std::istringstream lines(ran ? ran->output : std::string());
  for (const StoredMail& mail : mails) {
    std::string line;
    if (std::getline(lines, line)) {
      opinions.push_back(readOpinion(line, mail.message.string()));
    } else if (!ran) {
      opinions.push_back(pass(ran));
    } else {
      opinions.push_back(fail(Errc::unavailable, options.script.string(),
                              fmt::format("it ended with status {} and without an opinion: {}", ran->exitStatus,
                                          escapeForDisplay(ran->errors))));
    }
  }
  return opinions;
}

std::vector<std::string> differences(const Verdict& verdict, const SecondOpinion& opinion) {
  std::vector<std::string> found;
  if (verdict.spf != opinion.spf) {
    found.push_back(fmt::format("spf: the receiver says {}, python3-spf says {}", verdict.spf, opinion.spf));
  }
  compareSignatures("python3-dkim", verdict.signatures, opinion.signatures, found);
  compareSignatures("opendkim", verdict.signatures, opinion.opendkim, found);
  // Void records are permerror for us and no record for RFC 9989.
  const std::string_view ours = verdict.dmarc == "permerror" ? "none" : std::string_view(verdict.dmarc);
  if (ours != opinion.dmarc) {
    found.push_back(fmt::format("dmarc: the receiver says {}, the records that dnspython finds say {}", verdict.dmarc,
                                opinion.dmarc));
  }
  return found;
}

void addSecondOpinions(std::span<Verdict> verdicts, std::span<const StoredMail> mails,
                       const SecondOpinionOptions& options) {
  const auto opinions = secondOpinions(mails, options);
  for (std::size_t i = 0; i < verdicts.size() && i < opinions.size(); ++i) {
    std::vector<std::string>& findings = verdicts[i].findings;
    if (!opinions[i]) {
      findings.push_back("second opinion: " + describe(opinions[i].error()));
      continue;
    }
    const auto found = differences(verdicts[i], *opinions[i]);
    findings.insert(findings.end(), found.begin(), found.end());
  }
}

}  // namespace mailzone::harness
