#include "rotation/keeper.h"

#include <algorithm>
#include <utility>

namespace mailzone::rotation {
namespace {

constexpr TimePoint kNever = TimePoint::max();

/// Errors that concern one row: note it and go on. Others are the database's: end the round.
bool concernsOneRow(const Error& error) {
  switch (error.code) {
    case Errc::temporary:
    case Errc::conflict:
    case Errc::notFound:
    case Errc::invalidInput:
    case Errc::corrupt:
      return true;
    default:
      return false;
  }
}

Result<void> noteOrFail(const Result<void>& step, Round& round) {
  if (step) return {};
  if (!concernsOneRow(step.error())) return step;
  round.problems.push_back(step.error());
  return {};
}

}  // namespace

Keeper::Keeper(KeyStore& store, const Clock& clock, Prover& prover, SpareMaker* spares, KeeperOptions options)
    : store_(store), clock_(clock), prover_(prover), spares_(spares), options_(options) {}

Result<Round> Keeper::round() {
  Round round;
  for (const auto step :
       {&Keeper::addSpares, &Keeper::fill, &Keeper::useAnswers, &Keeper::look, &Keeper::moveDepartedOn}) {
    if (auto done = (this->*step)(round); !done) return pass(done);
  }
  if (auto ordered = orderSpares(round); !ordered) return pass(ordered);
  return round;
}

Result<void> Keeper::addSpares(Round& round) {
  if (spares_ == nullptr) return {};
  for (const tenantdb::NewKey& key : spares_->takeKeys()) {
    const auto added = store_.insertKey(key);
    if (added) {
      ++round.sparesAdded;
    } else if (auto noted = noteOrFail(pass(added), round); !noted) {
      return noted;  // this key is lost, the next round orders another
    }
  }
  if (const auto error = spares_->takeError()) round.problems.push_back(*error);
  return {};
}

Result<void> Keeper::fill(Round& round) {
  const auto needs = store_.domainsLackingKeys(options_.domainsPerRound);
  if (!needs) return pass(needs);
  // While spares are scarce every domain gets one key before any gets its second.
  for (const Slot slot : kSlots) {
    for (const tenantdb::KeyNeed& need : *needs) {
      if (std::find(need.emptySlots.begin(), need.emptySlots.end(), slot) == need.emptySlots.end()) continue;
      const auto filled = store_.assignSpare(need.domain, slot, clock_.now());
      if (!filled) {
        if (auto noted = noteOrFail(pass(filled), round); !noted) return noted;
      } else if (!filled->has_value()) {
        round.poolEmpty = true;
        return {};
      } else {
        ++round.filled;
        nextLook_ = {};
        letSettle(**filled);
      }
    }
  }
  return {};
}

Result<void> Keeper::useAnswers(Round& round) {
  for (const ProofAnswer& answer : prover_.takeAnswers()) {
    const auto attempt = attempts_.find(answer.selector);
    if (attempt == attempts_.end()) continue;
    const DomainId domain = attempt->second.domain;
    if (answer.result != ProofResult::proven) {
      Attempt& a = attempt->second;
      a.underWay = false;
      a.delay = std::clamp(a.delay * 2, options_.firstRetry, options_.lastRetry);
      a.next = clock_.now() + a.delay;
      continue;
    }
    attempts_.erase(attempt);
    nextLook_ = {};
    const auto rows = store_.slots(domain);
    if (!rows) {
      if (auto noted = noteOrFail(pass(rows), round); !noted) return noted;
      continue;
    }
    // The slot may hold another key by now, or the domain be gone: then the answer is void.
    for (const tenantdb::SelectorRow& row : *rows) {
      if (row.id != answer.selector) continue;
      if (auto noted = noteOrFail(recordProof(row, round), round); !noted) return noted;
    }
    if (auto noted = noteOrFail(advance(domain, round), round); !noted) return noted;
  }
  return {};
}

Result<void> Keeper::recordProof(const tenantdb::SelectorRow& row, Round& round) {
  const TimePoint now = clock_.now();
  std::int64_t generation = row.generation;
  if (!row.publishedAt) {
    const auto written = store_.setFact(row.id, generation, tenantdb::KeyFact::published, now);
    if (!written) return pass(written);
    generation = *written;
  }
  if (row.provenAt) return {};
  const auto written = store_.setFact(row.id, generation, tenantdb::KeyFact::proven, now);
  if (!written) return pass(written);
  ++round.proven;
  return {};
}

Result<void> Keeper::look(Round& round) {
  const TimePoint begun = clock_.now();
  if (begun < nextLook_) return {};
  const auto pending = store_.pendingSelectors(options_.pendingPerRound);
  if (!pending) return pass(pending);
  // Thousands of custom domains may wait for their owners: looking at them is a twentieth of the time at most.
  nextLook_ = begun + (clock_.now() - begun) * 20;

  for (auto& [id, attempt] : attempts_) attempt.seen = false;
  std::map<DomainId, std::vector<const tenantdb::SelectorRow*>> byDomain;
  for (const tenantdb::SelectorRow& row : *pending) {
    byDomain[row.domain].push_back(&row);
    if (const auto attempt = attempts_.find(row.id); attempt != attempts_.end()) attempt->second.seen = true;
  }
  std::erase_if(attempts_, [](const auto& entry) { return !entry.second.seen && !entry.second.underWay; });

  for (const auto& [domain, rows] : byDomain) {
    std::vector<SlotRecord> records;
    for (const tenantdb::SelectorRow* row : rows) records.push_back(recordOf(*row));
    // Only what is pending stands here: enough to ask, but whatever writes looks at the whole domain.
    for (std::size_t asked = 0; asked <= rows.size(); ++asked) {
      const Action action = nextAction(records, options_.policy, clock_.now());
      if (action.kind == ActionKind::prove) {
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto* r) { return r->slot == action.slot; });
        ask(**row, round);
        const auto record =
            std::find_if(records.begin(), records.end(), [&](const SlotRecord& r) { return r.slot == action.slot; });
        record->nextProof = nextProof((*row)->id);
        continue;
      }
      if (action.kind != ActionKind::none && action.kind != ActionKind::wait) {
        if (auto noted = noteOrFail(advance(domain, round), round); !noted) return noted;
      }
      break;
    }
  }
  return {};
}

void Keeper::ask(const tenantdb::SelectorRow& row, Round& round) {
  Attempt& attempt = attempts_[row.id];
  attempt.domain = row.domain;
  attempt.underWay = true;
  attempt.seen = true;
  prover_.ask({row.id, row.domainName, row.slot, row.publicKey, attempt.delay});
  ++round.asked;
}

void Keeper::letSettle(const tenantdb::SelectorRow& row) {
  // generated_at may be that of a spare made long ago: what counts is when the slot was filled.
  Attempt& attempt = attempts_[row.id];
  attempt.domain = row.domain;
  attempt.next = clock_.now() + options_.policy.settle;
}

std::optional<TimePoint> Keeper::nextProof(SelectorId id) const {
  const auto attempt = attempts_.find(id);
  if (attempt == attempts_.end()) return std::nullopt;
  return attempt->second.underWay ? kNever : attempt->second.next;
}

SlotRecord Keeper::recordOf(const tenantdb::SelectorRow& row) const {
  return {row.slot, timesOf(row), true, nextProof(row.id)};
}

Result<void> Keeper::advance(DomainId domain, Round& round) {
  // More steps than a domain can have at one moment: a defect must not spin.
  for (int step = 0; step < 8; ++step) {
    const auto rows = store_.slots(domain);
    if (!rows) return pass(rows);
    std::vector<SlotRecord> records;
    for (const tenantdb::SelectorRow& row : *rows) records.push_back(recordOf(row));
    const Action action = nextAction(records, options_.policy, clock_.now());
    const auto row = std::find_if(rows->begin(), rows->end(), [&](const auto& r) { return r.slot == action.slot; });
    const bool writes = action.kind == ActionKind::activate || action.kind == ActionKind::recordDrain ||
                        action.kind == ActionKind::revoke || action.kind == ActionKind::empty;
    if (!writes || row == rows->end()) return {};
    if (auto done = perform(action, *row, round); !done) return done;
  }
  return {};
}

Result<void> Keeper::perform(const Action& action, const tenantdb::SelectorRow& row, Round& round) {
  const TimePoint now = clock_.now();
  Result<std::int64_t> written = row.generation;
  switch (action.kind) {
    case ActionKind::activate:
      written = store_.activate(row.id, row.generation, now);
      if (written) ++round.activated;
      break;
    case ActionKind::recordDrain:
      written = store_.setFact(row.id, row.generation, tenantdb::KeyFact::drained, now);
      if (written) ++round.drained;
      break;
    case ActionKind::revoke:
      written = store_.setFact(row.id, row.generation, tenantdb::KeyFact::revoked, now);
      if (written) ++round.revoked;
      break;
    case ActionKind::empty:
      written = store_.setFact(row.id, row.generation, tenantdb::KeyFact::emptied, now);
      if (written) ++round.gone;
      break;
    case ActionKind::none:
    case ActionKind::wait:
    case ActionKind::fill:
    case ActionKind::prove:
      break;
  }
  if (!written) return pass(written);
  return {};
}

Result<void> Keeper::moveDepartedOn(Round& round) {
  const auto departed = store_.departedInProgress();
  if (!departed) return pass(departed);
  const TimePoint now = clock_.now();
  for (const tenantdb::DepartedProgress& one : *departed) {
    Result<void> done;
    if (!one.revokedAt) {
      if (one.leftAt + one.drain > now) continue;
      done = store_.markRevoked(one.id, now);
      if (done) ++round.revoked;
    } else {
      if (*one.revokedAt + one.revoke > now) continue;
      // First the private halves: once the row is gone nothing would remember them.
      for (const auto& key : {one.mz1, one.mz2}) {
        if (key && done) done = store_.destroyPrivateKey(*key, now);
      }
      if (done) done = store_.markGone(one.id, now);
      if (done) ++round.gone;
    }
    if (auto noted = noteOrFail(done, round); !noted) return noted;
  }
  return {};
}

Result<void> Keeper::orderSpares(const Round& round) {
  if (spares_ == nullptr) return {};
  const auto ready = store_.spareCount();
  if (!ready) return pass(ready);
  spares_->want(std::max<std::int64_t>(options_.spareKeys - *ready, round.poolEmpty ? 1 : 0));
  return {};
}

Result<bool> Keeper::tend(DomainId domain) {
  Round round;
  for (const Slot slot : kSlots) {
    const auto rows = store_.slots(domain);
    if (!rows) return pass(rows);
    const auto row = std::find_if(rows->begin(), rows->end(), [&](const auto& r) { return r.slot == slot; });
    if (row == rows->end()) {
      // A slot that a departed name still holds is Errc::conflict: the keeper decides that in its own time.
      const auto filled = store_.assignSpare(domain, slot, clock_.now());
      if (!filled && !concernsOneRow(filled.error())) return pass(filled);
      if (filled && filled->has_value()) letSettle(**filled);
    } else if (!row->provenAt) {
      ask(*row, round);
    }
  }
  if (auto used = useAnswers(round); !used) return pass(used);
  if (auto advanced = advance(domain, round); !advanced) return pass(advanced);
  const auto rows = store_.slots(domain);
  if (!rows) return pass(rows);
  return std::any_of(rows->begin(), rows->end(), [](const auto& row) { return row.active; });
}

}  // namespace mailzone::rotation
