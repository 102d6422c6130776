// The proof that a key is in the DNS: its public half is read back. A proof, not a timer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/model.h"
#include "core/resolver.h"
#include "core/result.h"

namespace mailzone::rotation {

/// What the DNS said. "Cannot tell" is not "no".
enum class ProofResult {
  proven,      ///< exactly this key, as RFC 6376 section 3.6.1 wants it
  absent,      ///< no such record
  different,   ///< another key, an empty one, several records, or nonsense
  cannotTell,  ///< SERVFAIL, a time-out, a bogus answer
};
[[nodiscard]] std::string_view word(ProofResult result) noexcept;

/// SLOT._domainkey.DOMAIN, CNAMEs followed: a custom domain's own DNS has to lead to the key.
[[nodiscard]] Result<DnsName> selectorName(const DnsName& domain, Slot slot);
/// Asks once. Blocks as long as the resolver's deadline.
[[nodiscard]] ProofResult proveKey(Resolver& resolver, const DnsName& domain, Slot slot, const PublicKey& key);

struct ProofRequest {
  SelectorId selector{};
  DnsName domain;
  Slot slot = Slot::mz1;
  PublicKey key;
  /// How long it was put off after a failure, 0 at first: those that failed least often are asked first.
  std::chrono::milliseconds putOff{0};
};
struct ProofAnswer {
  SelectorId selector{};
  ProofResult result = ProofResult::cannotTell;
};

/// Asks for many domains side by side: those whose DNS is slow, however many they are, delay no other. The resolver
/// outlives it.
class Prover {
 public:
  /// `threads` 0: ask() does the work itself, for tests and one-shot commands. `onAnswer` is called by a worker.
  Prover(Resolver& resolver, std::size_t threads, std::function<void()> onAnswer = {});
  Prover(const Prover&) = delete;
  Prover& operator=(const Prover&) = delete;
  ~Prover();  ///< waits for the questions under way

  void ask(ProofRequest request);
  [[nodiscard]] std::vector<ProofAnswer> takeAnswers();

 private:
  void work();
  [[nodiscard]] bool mayTake() const;

  Resolver& resolver_;
  std::function<void()> onAnswer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::chrono::milliseconds, std::deque<ProofRequest>> requests_;  ///< by putOff; no deque is empty
  std::size_t repeatLimit_;  ///< of the threads, one at least is kept for what is asked for the first time
  std::size_t repeatsUnderWay_ = 0;
  std::vector<ProofAnswer> answers_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mailzone::rotation
