// Moves every domain's keys on, one round at a time: spares into the pool, spares into empty slots, proof, activation,
// and the end of what departed. Each step is a transaction of its own and idempotent; what it does next comes from the
// stored facts alone, so that a crash anywhere is only another input.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "rotation/key_proof.h"
#include "rotation/key_state.h"
#include "rotation/key_store.h"
#include "rotation/spare_maker.h"

namespace mailzone::rotation {

struct KeeperOptions {
  KeyPolicy policy;
  std::int64_t spareKeys = 16;
  std::int64_t domainsPerRound = 200;
  std::int64_t pendingPerRound = 100000;
  /// After a proof that failed; doubles up to the second.
  std::chrono::milliseconds firstRetry{1000};
  std::chrono::milliseconds lastRetry{30000};
};

/// What one round did.
struct Round {
  std::size_t sparesAdded = 0, filled = 0, asked = 0, proven = 0, activated = 0, drained = 0, revoked = 0, gone = 0;
  bool poolEmpty = false;  ///< a domain waits for a key
  /// Steps that failed for one domain (another worker was first, a row is bad) and are tried again; the others went on.
  std::vector<Error> problems;
  [[nodiscard]] bool wrote() const noexcept {
    return sparesAdded + filled + proven + activated + drained + revoked + gone != 0;
  }
};

/// One thread: that of the store. The prover may answer from other threads.
class Keeper {
 public:
  /// `spares` may be absent (a one-shot command): then the pool is only taken from.
  Keeper(KeyStore& store, const Clock& clock, Prover& prover, SpareMaker* spares, KeeperOptions options);

  /// Never waits for DNS or a key. An Error is that of the store as a whole (Errc::unavailable: reconnect).
  [[nodiscard]] Result<Round> round();

  /// One domain, now: fills its slots, proves and activates; with a Prover of no threads it has been tried when this
  /// returns. True: the domain has an active key. For `mailzone domain verify` and `--wait`.
  [[nodiscard]] Result<bool> tend(DomainId domain);

 private:
  struct Attempt {
    DomainId domain{};
    bool underWay = false;
    std::chrono::milliseconds delay{0};
    TimePoint next;
    bool seen = false;  ///< still among the pending selectors
  };

  Result<void> addSpares(Round& round);
  Result<void> fill(Round& round);
  Result<void> useAnswers(Round& round);
  Result<void> look(Round& round);
  Result<void> moveDepartedOn(Round& round);
  Result<void> orderSpares(const Round& round);
  Result<void> advance(DomainId domain, Round& round);
  Result<void> perform(const Action& action, const tenantdb::SelectorRow& row, Round& round);
  Result<void> recordProof(const tenantdb::SelectorRow& row, Round& round);
  void ask(const tenantdb::SelectorRow& row, Round& round);
  void letSettle(const tenantdb::SelectorRow& row);
  [[nodiscard]] std::optional<TimePoint> nextProof(SelectorId id) const;
  [[nodiscard]] SlotRecord recordOf(const tenantdb::SelectorRow& row) const;

  KeyStore& store_;
  const Clock& clock_;
  Prover& prover_;
  SpareMaker* spares_;
  KeeperOptions options_;
  std::map<SelectorId, Attempt> attempts_;
  TimePoint nextLook_;
};

}  // namespace mailzone::rotation
