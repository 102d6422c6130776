#include "harness/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "harness/log_evidence.h"
#include "harness/message_builder.h"
#include "harness/second_opinion.h"
#include "harness/smtp_client.h"
#include "harness/topology.h"

namespace mailzone::harness {
namespace {

/// One row on its way.
struct Sent {
  const Scenario* scenario = nullptr;
  std::string messageId, envelope;
  std::string reply;      ///< what our own MTA answered
  bool accepted = false;  ///< by our own MTA
  std::string trouble;    ///< the mail could not even be handed over
  Verdict verdict;
  std::unique_ptr<ReceivedMail> received;
};

std::string domainOf(const std::string& address) {
  return address.substr(address.rfind('@') + 1);
}

Result<SubmissionOutcome> handOver(const Sent& sent, const Clock& clock, const RunnerOptions& options) {
  const Scenario& row = *sent.scenario;
  MessagePlan plan;
  plan.stream = row.stream;
  plan.from = row.from;
  plan.to = row.to;
  plan.subject = row.subject;
  plan.body = row.body;
  plan.messageId = sent.messageId;
  plan.extraHeaders = row.headers;
  const auto message = buildMessage(plan, clock.now());
  if (!message) return pass(message);
  const auto door = doorOf(row.door);
  if (!door) return pass(door);
  const auto target = addressOf("mta");
  const auto source = addressOf("app");
  if (!target) return pass(target);
  if (!source) return pass(source);
  SmtpEndpoint endpoint;
  endpoint.address = *target;
  endpoint.port = door->port;
  endpoint.source = *source;
  Submission mail;
  mail.helo = "app.shop.example";
  mail.mailFrom = sent.envelope;
  mail.recipients = {row.to};
  mail.message = *message;
  mail.startTls = door->login;
  if (door->login) {
    const auto password = options.passwords.find(row.login);
    if (password == options.passwords.end()) return fail(Errc::notFound, row.login, "is no login of [setup]");
    mail.user = row.login;
    mail.password = password->second;
  }
  return submit(endpoint, mail);
}

/// A signer that is just reading its tables again answers 451, and an application tries again.
constexpr std::chrono::seconds kFreshTenantPatience{5};

Result<SubmissionOutcome> handOverPatiently(const Sent& sent, const Clock& clock, const RunnerOptions& options) {
  const auto deadline = std::chrono::steady_clock::now() + kFreshTenantPatience;
  for (;;) {
    auto outcome = handOver(sent, clock, options);
    const bool later = outcome && outcome->decisive.code >= 400 && outcome->decisive.code < 500;
    if (!later || std::chrono::steady_clock::now() >= deadline) return outcome;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

Result<void> makeFreshTenant(const Scenario& row, const RunnerOptions& options) {
  if (row.freshTenant.empty()) return {};
  const auto made = options.onFreshTenant(row.freshTenant);
  if (!made) return pass(made);
  if (options.say) options.say(*made);
  return {};
}

void send(Sent& sent, const Clock& clock, const RunnerOptions& options) {
  if (const auto made = makeFreshTenant(*sent.scenario, options); !made) {
    sent.trouble = describe(made.error());
    return;
  }
  const auto envelope = fillEnvelope(sent.scenario->envelope, options.returnPaths);
  if (!envelope) {
    sent.trouble = describe(envelope.error());
    return;
  }
  sent.envelope = *envelope;
  sent.messageId = newMessageId(sent.scenario->stream, domainOf(sent.scenario->from));
  const auto outcome =
      sent.scenario->freshTenant.empty() ? handOver(sent, clock, options) : handOverPatiently(sent, clock, options);
  if (!outcome) {
    sent.trouble = "could not be handed to our own MTA: " + describe(outcome.error());
    return;
  }
  sent.reply = outcome->decisive.last();
  sent.accepted = outcome->decisive.ok();
}

/// The row of a mail that no receiver has seen.
Verdict unseen(const Sent& sent) {
  Verdict verdict;
  verdict.from = sent.scenario->from;
  verdict.envelopeFrom = sent.envelope;
  verdict.messageId = sent.messageId;
  verdict.reply = sent.reply;
  return verdict;
}

void collect(Sent& sent, Receiver& receiver, std::chrono::steady_clock::time_point deadline) {
  sent.verdict = unseen(sent);
  if (!sent.trouble.empty()) sent.verdict.findings.push_back(sent.trouble);
  if (sent.accepted) {
    auto mail = receiver.await(sent.messageId, deadline);
    if (mail) {
      sent.verdict = mail->verdict;
      sent.received = std::make_unique<ReceivedMail>(std::move(*mail));
    } else {
      sent.verdict.findings.push_back("no verdict of the receiver: " + describe(mail.error()));
    }
    if (sent.scenario->refusedHere) sent.verdict.findings.emplace_back("our own MTA took it, which it must refuse");
  } else if (!sent.scenario->refusedHere && sent.trouble.empty()) {
    sent.verdict.findings.push_back("our own MTA refused it");
  }
  sent.verdict.scenario = sent.scenario->name;
  sent.verdict.stream = sent.scenario->stream;
  sent.verdict.expected = sent.scenario->expect;
}

/// The stored mail carries our Postfix's Received line, its id and that of the last hop stand in Postfix's logs of this
/// run, and every signature that passed is one that OpenDKIM says it has made for that id.
void checkEvidence(const Stage& stage, Sent& sent) {
  if (sent.received == nullptr) return;
  std::vector<std::string>& findings = sent.verdict.findings;
  const std::string logs = stage.layout.logs();
  const std::string queueId = queueIdOfReply(sent.reply);
  const std::string& last = sent.verdict.queueId;
  std::string postfix, relay;
  const auto delivered = [&](const std::string& id) {
    return postfixDelivered(postfix, id) || postfixDelivered(relay, id);
  };
  // Postfix writes its line after it has read the receiver's answer, which is where the verdict comes from.
  const auto logged = waitFor("the delivery in Postfix's log", std::chrono::seconds{5}, [&] {
    postfix = readFile(logs + "/postfix.log").value_or("");
    relay = readFile(logs + "/postfix-relay.log").value_or("");
    return delivered(queueId) && delivered(last);
  });
  if (!logged) findings.push_back(fmt::format("queue ids {} and {}: {}", queueId, last, describe(logged.error())));
  const std::string opendkim = readFile(logs + "/opendkim.log").value_or("");
  const auto& hops = sent.received->hops;
  if (queueId.empty() || std::none_of(hops.begin(), hops.end(), [&](const ReceivedHop& hop) {
        return hop.by == kMailHost && hop.queueId == queueId;
      }))
    findings.push_back(fmt::format("no Received line by {} with id {}", kMailHost, queueId));
  std::vector<std::string> signers;
  for (const SignatureVerdict& signature : sent.verdict.signatures) signers.push_back(signature.domain);
  std::sort(signers.begin(), signers.end());
  std::vector<std::string> wanted = sent.scenario->signedBy;
  std::sort(wanted.begin(), wanted.end());
  if (!wanted.empty() && signers != wanted)
    findings.push_back(
        fmt::format("signed by {}, expected {}", fmt::join(signers, " and "), fmt::join(wanted, " and ")));
  const auto made = opendkimSigned(opendkim, queueId);
  for (const SignatureVerdict& signature : sent.verdict.signatures)
    if (std::find(made.begin(), made.end(), SignedBy{signature.domain, signature.selector}) == made.end())
      findings.push_back(fmt::format("OpenDKIM's log has no signature d={} s={} for {}", signature.domain,
                                     signature.selector, queueId));
}

void askSecondOpinions(const Stage& stage, std::vector<Sent>& all) {
  SecondOpinionOptions options;
  options.resolver = addressOf("resolver").value_or(options.resolver);
  options.script = stage.layout.source + "/harness/second_opinion.py";
  std::vector<std::size_t> places;
  std::vector<Verdict> verdicts;
  std::vector<StoredMail> mails;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].received == nullptr) continue;
    places.push_back(i);
    verdicts.push_back(all[i].verdict);
    mails.push_back({all[i].received->message, all[i].received->envelope});
  }
  addSecondOpinions(verdicts, mails, options);
  for (std::size_t i = 0; i < places.size(); ++i) all[places[i]].verdict = std::move(verdicts[i]);
}

}  // namespace

Result<SubmissionOutcome> submitScenario(const Scenario& row, const Clock& clock, const RunnerOptions& options) {
  Sent sent;
  sent.scenario = &row;
  const auto envelope = fillEnvelope(row.envelope, options.returnPaths);
  if (!envelope) return pass(envelope);
  sent.envelope = *envelope;
  sent.messageId = newMessageId(row.stream, domainOf(row.from));
  return handOver(sent, clock, options);
}

Result<std::string> fillEnvelope(const std::string& envelope, const std::map<std::string, std::string>& returnPaths) {
  constexpr std::string_view kMarker = "{return-path:";
  const std::size_t start = envelope.find(kMarker);
  if (start == std::string::npos) return envelope;
  const std::size_t end = envelope.find('}', start);
  const std::string name = envelope.substr(start + kMarker.size(), end - start - kMarker.size());
  const auto found = returnPaths.find(name);
  if (end == std::string::npos || found == returnPaths.end())
    return fail(Errc::notFound, name, "is no customer domain of [setup]");
  return envelope.substr(0, start) + found->second + envelope.substr(end + 1);
}

Result<std::vector<Verdict>> runScenarios(const Stage& stage, const std::vector<Scenario>& rows, Receiver& receiver,
                                          const Clock& clock, const RunnerOptions& options) {
  std::vector<Sent> all(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    all[i].scenario = &rows[i];
    send(all[i], clock, options);
  }
  const auto deadline = std::chrono::steady_clock::now() + options.deadline;
  for (Sent& sent : all) collect(sent, receiver, deadline);
  for (Sent& sent : all) checkEvidence(stage, sent);
  if (options.secondOpinions) askSecondOpinions(stage, all);
  // What our own MTA refused must not have got out by any other way.
  for (const ReceivedMail& mail : receiver.all())
    for (Sent& sent : all)
      if (!sent.accepted && !sent.messageId.empty() && mail.verdict.messageId == sent.messageId)
        sent.verdict.findings.emplace_back("it reached the receiver though our own MTA had refused it");
  std::vector<Verdict> verdicts;
  for (Sent& sent : all) verdicts.push_back(std::move(sent.verdict));
  return verdicts;
}

}  // namespace mailzone::harness
