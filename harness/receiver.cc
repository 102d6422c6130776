#include "harness/receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "harness/facts.h"
#include "harness/mailbox.h"
#include "harness/smtp_server.h"
#include "mailauth/message.h"

namespace mailzone::harness {
namespace {

/// Blanks, folding and comments out: what is left are the words of a Received line (RFC 5321 section 4.4).
std::vector<std::string> receivedWords(std::string_view value) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  const auto end = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : value) {
    if (c == '(') ++depth;
    if (depth > 0) {
      if (c == ')') --depth;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';') {
      end();
      if (c == ';') break;
    } else {
      word += c;
    }
  }
  end();
  return words;
}

std::vector<ReceivedHop> receivedHops(std::string_view octets) {
  std::vector<ReceivedHop> hops;
  const auto message = mailauth::splitMessage(octets);
  if (!message) return hops;
  for (const mailauth::HeaderField& field : message->named("received")) {
    const std::vector<std::string> words = receivedWords(field.value);
    ReceivedHop hop;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "by" && hop.by.empty()) hop.by = words[i + 1];
      if (words[i] == "id" && hop.queueId.empty()) hop.queueId = words[i + 1];
    }
    hops.push_back(std::move(hop));
  }
  return hops;
}

std::string printReply(const Judgement& judgement) {
  std::string reply;
  for (std::size_t i = 0; i < judgement.text.size(); ++i) {
    const char separator = i + 1 < judgement.text.size() ? '-' : ' ';
    // What a sender wrote may stand in a rule's text: nothing of it may end the line.
    reply += fmt::format("{}{}{} {}\r\n", judgement.code, separator, judgement.enhanced,
                         escapeForDisplay(judgement.text[i], 400));
  }
  return reply;
}

Verdict toVerdict(const Facts& facts, const Judgement& judgement, std::string_view reply,
                  const std::vector<ReceivedHop>& hops) {
  Verdict verdict;
  verdict.from = facts.from;
  verdict.envelopeFrom = facts.mailFrom;
  verdict.spf = mailauth::word(facts.spf.result);
  const SignatureFact* decisive = decisiveSignature(facts);
  verdict.dkim = decisive == nullptr ? "none" : mailauth::word(decisive->result);
  if (decisive != nullptr) {
    verdict.dkimDomain = decisive->domain;
    verdict.selector = decisive->selector;
  }
  for (const SignatureFact& signature : facts.signatures) {
    verdict.signatures.push_back({std::string(mailauth::word(signature.result)), signature.domain, signature.selector,
                                  signature.result == AuthResult::pass ? std::string() : signature.reason});
  }
  verdict.dmarc = mailauth::word(facts.dmarc.result);
  verdict.alignment = alignmentName(facts.dmarc.aligned);
  verdict.ptr = mailauth::word(facts.iprev);
  verdict.tls = facts.tlsVersion;
  verdict.folder = judgement.folder;
  reply.remove_suffix(2);
  const std::size_t lastLine = reply.rfind('\n');
  verdict.reply = reply.substr(lastLine == std::string_view::npos ? 0 : lastLine + 1);
  verdict.messageId = facts.messageId;
  if (!hops.empty()) verdict.queueId = hops.front().queueId;
  return verdict;
}

bool settled(const ReceivedMail& mail) {
  return !mail.verdict.reply.starts_with('4');
}

std::string_view withoutBrackets(std::string_view id) {
  if (id.size() >= 2 && id.front() == '<' && id.back() == '>') return id.substr(1, id.size() - 2);
  return id;
}

}  // namespace

struct Receiver::State {
  State(ReceiverOptions given, Resolver& theResolver, const Clock& theClock, Mailbox theMailbox)
      : options(std::move(given)), resolver(theResolver), clock(theClock), mailbox(std::move(theMailbox)) {}

  ReceiverOptions options;
  Resolver& resolver;
  const Clock& clock;
  Mailbox mailbox;
  mutable std::mutex mutex;
  std::condition_variable arrived;
  std::vector<ReceivedMail> mails;                    ///< guarded by mutex
  std::function<void(const ReceivedMail&)> observer;  ///< guarded by mutex
  std::unique_ptr<SmtpServer> server;                 ///< last: it ends first

  std::string onDelivery(const SmtpDelivery& delivery);
};

std::string Receiver::State::onDelivery(const SmtpDelivery& delivery) {
  const TimePoint now = clock.now();
  const SmtpEnvelope& envelope = delivery.envelope;
  ReceivedMail mail;
  mail.facts =
      gatherFacts({delivery.client, envelope.helo, envelope.mailFrom, envelope.recipients, delivery.tlsVersion},
                  delivery.message, resolver, clock);
  mail.hops = receivedHops(delivery.message);
  const Judgement judgement = judge(options.profile, mail.facts);
  std::string reply = printReply(judgement);
  mail.verdict = toVerdict(mail.facts, judgement, reply, mail.hops);
  auto stored = mailbox.store(delivery.message, mail.facts, mail.verdict, now);
  if (!stored) {
    // RFC 5321 section 6.1: what is not stored is not taken.
    return "452 4.3.1 the mail cannot be stored: " + escapeForDisplay(describe(stored.error())) + "\r\n";
  }
  mail.message = stored->message;
  mail.envelope = stored->envelope;
  std::function<void(const ReceivedMail&)> tell;
  {
    const std::lock_guard lock(mutex);
    mails.push_back(mail);
    tell = observer;
  }
  arrived.notify_all();
  if (tell) tell(mail);
  return reply;
}

Receiver::Receiver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Receiver::~Receiver() = default;

Result<std::unique_ptr<Receiver>> Receiver::start(ReceiverOptions options, Resolver& resolver, const Clock& clock) {
  if (options.profile.name != "gmail") {
    return fail(Errc::invalidInput, options.profile.name, "there is no such profile", "the one that exists is gmail");
  }
  auto mailbox = Mailbox::open(options.storage);
  if (!mailbox) return pass(mailbox);
  auto state = std::make_unique<State>(std::move(options), resolver, clock, std::move(*mailbox));
  SmtpServerOptions listen{state->options.address, state->options.port, state->options.hostName, state->options.limits,
                           state->options.recipientDomains};
  auto server = SmtpServer::start(
      std::move(listen), [raw = state.get()](const SmtpDelivery& delivery) { return raw->onDelivery(delivery); },
      clock.now());
  if (!server) return pass(server);
  state->server = std::move(*server);
  return std::unique_ptr<Receiver>(new Receiver(std::move(state)));
}

std::uint16_t Receiver::port() const noexcept {
  return state_->server->port();
}
const std::string& Receiver::certificatePem() const noexcept {
  return state_->server->certificatePem();
}

Result<ReceivedMail> Receiver::await(std::string_view messageId, std::chrono::steady_clock::time_point deadline) {
  const std::string wanted(withoutBrackets(messageId));
  auto found =
      awaitWhere([&](const ReceivedMail& mail) { return withoutBrackets(mail.verdict.messageId) == wanted; }, deadline);
  if (!found) return fail(Errc::temporary, messageId, "no mail with this Message-ID came in time");
  return found;
}

Result<ReceivedMail> Receiver::awaitWhere(const std::function<bool(const ReceivedMail&)>& wanted,
                                          std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(state_->mutex);
  std::optional<ReceivedMail> deferred;
  std::size_t seen = 0;
  while (true) {
    for (; seen < state_->mails.size(); ++seen) {
      const ReceivedMail& mail = state_->mails[seen];
      if (!wanted(mail)) continue;
      if (settled(mail)) return mail;
      deferred = mail;
    }
    if (std::chrono::steady_clock::now() >= deadline) break;
    state_->arrived.wait_until(lock, deadline);
  }
  if (deferred) return *std::move(deferred);
  return fail(Errc::temporary, "", "no such mail came in time");
}

std::vector<ReceivedMail> Receiver::all() const {
  const std::lock_guard lock(state_->mutex);
  return state_->mails;
}

void Receiver::onMail(std::function<void(const ReceivedMail&)> observer) {
  const std::lock_guard lock(state_->mutex);
  state_->observer = std::move(observer);
}

}  // namespace mailzone::harness
