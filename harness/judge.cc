#include "harness/judge.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailzone::harness {

namespace {

// RFC 5321 section 6.3 wants a limit for loops; Gmail's is 50.
constexpr std::size_t kMaxHops = 50;

bool anySignature(const Facts& facts, AuthResult result) {
  return std::any_of(facts.signatures.begin(), facts.signatures.end(),
                     [result](const SignatureFact& signature) { return signature.result == result; });
}

/// The last line says what is wrong: it is the one that verdicts and logs keep.
Judgement refuse(int code, std::string_view enhanced, std::vector<std::string> text) {
  text.back() += " - gmail profile";
  return Judgement{code, std::string(enhanced), std::move(text), ""};
}

Judgement wrongForm(const Facts& facts) {
  std::vector<std::string> text;
  for (const FormFinding& finding : facts.form) text.push_back(finding.rule);
  text.back() = "The message does not comply with RFC 5322: " + text.back();
  return refuse(550, "5.7.1", std::move(text));
}

Judgement noPtr(const Facts& facts) {
  return refuse(550, "5.7.25",
                {fmt::format("The sending address {} has no PTR record, or the PTR's name does not lead back to it",
                             facts.client.text())});
}

Judgement unauthenticated(const Facts& facts) {
  return refuse(550, "5.7.26",
                {"DKIM = did not pass",
                 fmt::format("SPF [{}] with ip: [{}] = did not pass", facts.spf.domain, facts.client.text()),
                 "The sender is unauthenticated: either SPF or DKIM must pass"});
}

Judgement cannotAuthenticate(const Facts& facts) {
  return refuse(451, "4.7.26",
                {fmt::format("A temporary DNS failure keeps the mail from {} from being authenticated",
                             facts.fromDomain.empty() ? facts.spf.domain : facts.fromDomain)});
}

/// A rule for bulk senders: the same number for good and for now.
Judgement bulkRule(bool temporary, std::string_view detail, std::string text) {
  return refuse(temporary ? 421 : 550, fmt::format("{}.7.{}", temporary ? 4 : 5, detail), {std::move(text)});
}

/// Rules 7 to 10; code 250 means that none refuses.
Judgement judgeBulk(const Facts& facts) {
  const bool spfPasses = facts.spf.result == AuthResult::pass;
  const bool dkimPasses = anySignature(facts, AuthResult::pass);
  if (!spfPasses) {
    return bulkRule(facts.spf.result == AuthResult::temperror, "27",
                    fmt::format("Bulk senders must pass SPF. SPF [{}] with ip: [{}] = did not pass", facts.spf.domain,
                                facts.client.text()));
  }
  if (!dkimPasses) {
    return bulkRule(anySignature(facts, AuthResult::temperror), "30",
                    "Bulk senders must pass DKIM. DKIM = did not pass");
  }
  if (!facts.dmarc.related.spf && !facts.dmarc.related.dkim) {
    // A signature that could not be judged might have aligned.
    return bulkRule(anySignature(facts, AuthResult::temperror), "32",
                    fmt::format("Bulk senders need a From: domain that aligns with SPF or DKIM. From [{}] aligns with "
                                "neither organizational domain",
                                facts.fromDomain));
  }
  if (facts.dmarc.recordDomain.empty()) {
    return bulkRule(
        facts.dmarc.result == AuthResult::temperror, "40",
        fmt::format("Bulk senders need a DMARC record. [{}] has none, or one without a policy", facts.fromDomain));
  }
  return Judgement{};
}

}  // namespace

Judgement judge(const JudgeProfile& profile, const Facts& facts) {
  if (facts.hops > kMaxHops) return refuse(554, "5.4.6", {fmt::format("The mail passed more than {} hops", kMaxHops)});
  if (!facts.form.empty()) return wrongForm(facts);

  if (facts.iprev == AuthResult::temperror) {
    return refuse(451, "4.7.23",
                  {fmt::format("The PTR record of {} could not be looked up just now", facts.client.text())});
  }
  if (facts.iprev != AuthResult::pass) return noPtr(facts);

  if (facts.tlsVersion.empty()) return refuse(550, "5.7.29", {"The mail was not sent over a TLS connection"});

  const bool spfPasses = facts.spf.result == AuthResult::pass;
  const bool dkimPasses = anySignature(facts, AuthResult::pass);
  const bool temporary = facts.spf.result == AuthResult::temperror || anySignature(facts, AuthResult::temperror);
  if (!spfPasses && !dkimPasses) return temporary ? cannotAuthenticate(facts) : unauthenticated(facts);

  if (facts.spf.result == AuthResult::fail) {
    return refuse(550, "5.7.26",
                  {fmt::format("The domain [{}] publishes an SPF record that ends in -all, and [{}] is not in it",
                               facts.spf.domain, facts.client.text())});
  }
  // RFC 9989 section 4.10.1: a failed look-up is neither pass nor fail. The same holds for a DMARC failure while a
  // mechanism that might have aligned could not be judged.
  if (facts.dmarc.result == AuthResult::temperror ||
      (facts.dmarc.result == AuthResult::fail && facts.dmarc.policy != DmarcPolicy::none && temporary)) {
    return cannotAuthenticate(facts);
  }
  if (facts.dmarc.result == AuthResult::fail && facts.dmarc.policy == DmarcPolicy::reject) {
    return refuse(550, "5.7.26",
                  {fmt::format("Unauthenticated mail from [{}] is not accepted due to the domain's DMARC policy",
                               facts.fromDomain)});
  }
  if (profile.bulk) {
    Judgement refusal = judgeBulk(facts);
    if (refusal.code != 250) return refusal;
  }
  if (facts.dmarc.result == AuthResult::fail && facts.dmarc.policy == DmarcPolicy::quarantine) {
    return Judgement{250, "2.0.0", {"OK, into spam (the From domain's DMARC policy) - gmail profile"}, "spam"};
  }
  return Judgement{250, "2.0.0", {"OK - gmail profile"}, "inbox"};
}

std::string_view alignmentName(const Alignment& aligned) noexcept {
  if (aligned.spf) return aligned.dkim ? "both" : "spf";
  return aligned.dkim ? "dkim" : "none";
}

const SignatureFact* decisiveSignature(const Facts& facts) noexcept {
  if (facts.dmarc.alignedSignature && *facts.dmarc.alignedSignature < facts.signatures.size()) {
    return &facts.signatures[*facts.dmarc.alignedSignature];
  }
  return facts.signatures.empty() ? nullptr : &facts.signatures.front();
}

}  // namespace mailzone::harness
