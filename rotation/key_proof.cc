#include "rotation/key_proof.h"

#include <algorithm>
#include <utility>

#include "mailauth/dkim_key_record.h"

namespace mailzone::rotation {

std::string_view word(ProofResult result) noexcept {
  switch (result) {
    case ProofResult::proven:
      return "proven";
    case ProofResult::absent:
      return "absent";
    case ProofResult::different:
      return "different";
    case ProofResult::cannotTell:
      return "cannot_tell";
  }
  return "cannot_tell";
}

Result<DnsName> selectorName(const DnsName& domain, Slot slot) {
  const auto underscore = domain.child("_domainkey");
  if (!underscore) return pass(underscore);
  return underscore->child(slotName(slot));
}

ProofResult proveKey(Resolver& resolver, const DnsName& domain, Slot slot, const PublicKey& key) {
  const auto name = selectorName(domain, slot);
  if (!name) return ProofResult::different;  // too long to have a selector at all
  const auto answer = resolver.txt(*name);
  if (!answer) return ProofResult::cannotTell;
  if (answer->records.empty()) return ProofResult::absent;
  // RFC 6376 section 3.6.2.2: with several records a verifier may take any.
  if (answer->records.size() != 1) return ProofResult::different;
  const auto published = mailauth::parseDkimKeyRecord(answer->records.front());
  const auto wanted = mailauth::dkimKeyText(key);
  if (!published || !wanted) return ProofResult::different;
  const auto ours = mailauth::parseDkimKeyRecord(*wanted);
  const bool same = ours && published->keyType == ours->keyType && published->publicKey == ours->publicKey &&
                    published->allowsHash("sha256") && published->allowsEmail() && !published->testing();
  return same ? ProofResult::proven : ProofResult::different;
}

Prover::Prover(Resolver& resolver, std::size_t threads, std::function<void()> onAnswer)
    : resolver_(resolver),
      onAnswer_(std::move(onAnswer)),
      repeatLimit_(threads < 2 ? threads : threads - std::max<std::size_t>(1, threads / 4)) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Prover::~Prover() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    requests_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Prover::ask(ProofRequest request) {
  if (threads_.empty()) {
    const ProofResult result = proveKey(resolver_, request.domain, request.slot, request.key);
    const std::lock_guard lock(mutex_);
    answers_.push_back({request.selector, result});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    requests_[request.putOff].push_back(std::move(request));
  }
  wake_.notify_one();
}

std::vector<ProofAnswer> Prover::takeAnswers() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

bool Prover::mayTake() const {
  if (requests_.empty()) return false;
  return requests_.begin()->first == std::chrono::milliseconds(0) || repeatsUnderWay_ < repeatLimit_;
}

void Prover::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || mayTake(); });
    if (stop_) return;
    const auto next = requests_.begin();
    const ProofRequest request = std::move(next->second.front());
    next->second.pop_front();
    if (next->second.empty()) requests_.erase(next);
    const bool repeat = request.putOff != std::chrono::milliseconds(0);
    if (repeat) ++repeatsUnderWay_;
    lock.unlock();
    const ProofResult result = proveKey(resolver_, request.domain, request.slot, request.key);
    lock.lock();
    if (repeat) --repeatsUnderWay_;
    answers_.push_back({request.selector, result});
    if (onAnswer_) onAnswer_();
  }
}

}  // namespace mailzone::rotation
