#include "harness/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mailauth/dkim.h"
#include "mailauth/dmarc.h"
#include "mailauth/iprev.h"
#include "mailauth/message.h"
#include "mailauth/spf.h"

namespace mailzone::harness {
namespace {

// RFC 5322 section 3.6: these stand at most once.
constexpr std::array<std::string_view, 11> kOnce = {"date", "from",       "sender",      "reply-to",   "to",     "cc",
                                                    "bcc",  "message-id", "in-reply-to", "references", "subject"};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

/// RFC 5322 section 3.6.4 as receivers read it: angle brackets with something, "@" and something in them, no blanks.
bool isMessageId(std::string_view value) {
  if (value.size() < 5 || value.front() != '<' || value.back() != '>') return false;
  const std::string_view inner = value.substr(1, value.size() - 2);
  const std::size_t at = inner.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < inner.size() &&
         inner.find_first_of(" \t\r\n<>") == std::string_view::npos;
}

void checkForm(const mailauth::Message& message, std::vector<FormFinding>& findings) {
  if (const auto author = mailauth::soleAuthor(message); !author) {
    findings.push_back({fmt::format("From: {}", describe(author.error()))});
  }
  const auto ids = message.named("message-id");
  if (ids.empty()) {
    findings.push_back({"there is no Message-ID"});
  } else if (!isMessageId(trimmed(ids.front().value))) {
    findings.push_back({"Message-ID is malformed: " + escapeForDisplay(trimmed(ids.front().value))});
  }
  if (message.named("date").empty()) findings.push_back({"there is no Date"});
  for (const std::string_view name : kOnce) {
    const std::size_t count = message.named(name).size();
    if (count > 1) findings.push_back({fmt::format("{} stands {} times, once is allowed", name, count)});
  }
}

std::string nameOrEmpty(const std::optional<DnsName>& name) {
  return name ? name->textNoDot() : std::string();
}

Alignment toAlignment(mailauth::DmarcAlignment alignment) {
  using enum mailauth::DmarcAlignment;
  return Alignment{alignment == spf || alignment == both, alignment == dkim || alignment == both};
}

DmarcFact toFact(const mailauth::DmarcResult& result) {
  return DmarcFact{.result = result.verdict,
                   .policy = result.disposition,
                   .recordDomain = result.record ? result.recordDomain.textNoDot() : std::string(),
                   .reason = result.reason,
                   .aligned = toAlignment(result.alignment),
                   .related = toAlignment(result.relaxedAlignment),
                   .alignedSignature = result.alignedSignature};
}

}  // namespace

std::vector<FormFinding> formFindings(std::string_view octets) {
  std::vector<FormFinding> findings;
  const auto message = mailauth::splitMessage(octets);
  if (!message) {
    findings.push_back({describe(message.error())});
  } else {
    checkForm(*message, findings);
  }
  return findings;
}

Facts gatherFacts(const Connection& connection, std::string_view octets, Resolver& resolver, const Clock& clock) {
  Facts facts;
  facts.client = connection.client;
  facts.helo = connection.helo;
  facts.mailFrom = connection.mailFrom;
  facts.recipients = connection.recipients;
  facts.tlsVersion = connection.tlsVersion;

  const mailauth::IprevResult iprev = mailauth::checkIprev(connection.client, resolver);
  facts.iprev = iprev.verdict;
  facts.ptrName = iprev.name ? iprev.name->textNoDot() : iprev.names.empty() ? "" : iprev.names.front().textNoDot();

  mailauth::SpfLimits limits;
  limits.clock = &clock;  // a DNS that answers slowly, each time, must not hold the session (RFC 7208 section 4.6.4)
  const mailauth::SpfResult spf = mailauth::checkSpf(
      {.client = connection.client, .helo = connection.helo, .mailFrom = connection.mailFrom}, resolver, limits);
  facts.spf = SpfFact{spf.verdict, nameOrEmpty(spf.domain), spf.reason};

  const std::vector<mailauth::DkimResult> dkim = mailauth::verifyDkim(octets, resolver, clock.now());
  for (const mailauth::DkimResult& signature : dkim) {
    facts.signatures.push_back(SignatureFact{signature.verdict, nameOrEmpty(signature.domain),
                                             nameOrEmpty(signature.selector), signature.reason});
  }

  const auto message = mailauth::splitMessage(octets);
  if (!message) {
    facts.form.push_back({describe(message.error())});
    return facts;
  }
  checkForm(*message, facts.form);
  facts.hops = message->named("received").size();
  if (const auto ids = message->named("message-id"); !ids.empty()) facts.messageId = trimmed(ids.front().value);
  if (const auto from = message->named("from"); !from.empty()) facts.from = trimmed(from.front().value);
  if (const auto author = mailauth::soleAuthor(*message)) {
    facts.from = author->local + '@' + author->domain.textNoDot();
    facts.fromDomain = author->domain.textNoDot();
    facts.dmarc = toFact(mailauth::evaluateDmarc(author->domain, spf, dkim, resolver));
  }
  return facts;
}

}  // namespace mailzone::harness
