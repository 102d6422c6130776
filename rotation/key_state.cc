#include "rotation/key_state.h"

#include <algorithm>

namespace mailzone::rotation {
namespace {

bool happened(const std::optional<TimePoint>& fact, TimePoint now) noexcept {
  return fact && *fact <= now;
}

/// Gathers what is due now and, of the rest, the earliest moment.
class Plan {
 public:
  void due(ActionKind kind, Slot slot) {
    if (action_.kind == ActionKind::none || action_.kind == ActionKind::wait) action_ = {kind, slot, std::nullopt};
  }
  void at(TimePoint moment, TimePoint now, ActionKind kind, Slot slot) {
    if (moment <= now) return due(kind, slot);
    if (action_.kind == ActionKind::none || (action_.kind == ActionKind::wait && moment < *action_.at)) {
      action_ = {ActionKind::wait, slot, moment};
    }
  }
  [[nodiscard]] const Action& action() const noexcept { return action_; }

 private:
  Action action_;
};

}  // namespace

std::string_view word(KeyState state) noexcept {
  switch (state) {
    case KeyState::empty:
      return "empty";
    case KeyState::standby:
      return "standby";
    case KeyState::active:
      return "active";
    case KeyState::draining:
      return "draining";
    case KeyState::revoked:
      return "revoked";
  }
  return "empty";
}

std::string_view word(ActionKind kind) noexcept {
  switch (kind) {
    case ActionKind::none:
      return "none";
    case ActionKind::wait:
      return "wait";
    case ActionKind::fill:
      return "fill";
    case ActionKind::prove:
      return "prove";
    case ActionKind::activate:
      return "activate";
    case ActionKind::recordDrain:
      return "record_drain";
    case ActionKind::revoke:
      return "revoke";
    case ActionKind::empty:
      return "empty";
  }
  return "none";
}

KeyTimes timesOf(const tenantdb::SelectorRow& row) {
  return {row.generatedAt, row.publishedAt, row.provenAt,  row.activatedAt,
          row.drainedAt,   row.revokedAt,   row.emptiedAt, row.active};
}

KeyState stateOf(const KeyTimes& times, TimePoint now) noexcept {
  if (times.active) return KeyState::active;
  if (happened(times.emptied, now)) return KeyState::empty;
  if (happened(times.revoked, now)) return KeyState::revoked;
  // Once active and active no more: it drains, also when the crash came before drained_at was written.
  if (happened(times.drained, now) || happened(times.activated, now)) return KeyState::draining;
  return KeyState::standby;
}

Action nextAction(std::span<const SlotRecord> slots, const KeyPolicy& policy, TimePoint now) {
  const bool hasActive =
      std::any_of(slots.begin(), slots.end(), [](const SlotRecord& s) { return s.key && s.key->active; });
  Plan plan;
  // First what makes the domain sign with a key of its own.
  if (!hasActive) {
    for (const SlotRecord& one : slots) {
      if (!one.key || stateOf(*one.key, now) != KeyState::standby || !one.key->proven) continue;
      const TimePoint ready = *one.key->proven + policy.beforeActive;
      const bool firstMayFollow = std::any_of(slots.begin(), slots.end(), [&](const SlotRecord& other) {
        return other.slot < one.slot && other.key && stateOf(*other.key, now) == KeyState::standby &&
               !other.key->proven;
      });
      plan.at(firstMayFollow ? ready + policy.firstSlotFirst : ready, now, ActionKind::activate, one.slot);
    }
  }
  for (const SlotRecord& one : slots) {
    if (!one.key || stateOf(*one.key, now) == KeyState::empty) {
      if (one.mayBeFilled) plan.due(ActionKind::fill, one.slot);
    } else if (stateOf(*one.key, now) == KeyState::standby && !happened(one.key->proven, now)) {
      const TimePoint settled = one.key->generated.value_or(now) + policy.settle;
      plan.at(std::max(settled, one.nextProof.value_or(settled)), now, ActionKind::prove, one.slot);
    }
  }
  for (const SlotRecord& one : slots) {
    if (!one.key) continue;
    switch (stateOf(*one.key, now)) {
      case KeyState::draining:
        if (!one.key->drained) {
          plan.due(ActionKind::recordDrain, one.slot);
        } else {
          plan.at(*one.key->drained + policy.drain, now, ActionKind::revoke, one.slot);
        }
        break;
      case KeyState::revoked:
        plan.at(one.key->revoked.value_or(now) + policy.revoke, now, ActionKind::empty, one.slot);
        break;
      default:
        break;
    }
  }
  return plan.action();
}

}  // namespace mailzone::rotation
