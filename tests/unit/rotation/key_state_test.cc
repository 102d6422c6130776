#include "rotation/key_state.h"

#include <gtest/gtest.h>

namespace mailzone::rotation {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

const TimePoint kNow = parseSqlTime("2026-11-25 10:00:00").value();
constexpr microseconds kTick{1};

/// A key whose facts are so many seconds old; negative: in the future.
KeyTimes aged(std::optional<int> generated, std::optional<int> proven = {}, std::optional<int> activated = {},
              std::optional<int> drained = {}, std::optional<int> revoked = {}, std::optional<int> emptied = {},
              bool active = false) {
  const auto at = [](std::optional<int> age) {
    return age ? std::optional<TimePoint>(kNow - seconds{*age}) : std::nullopt;
  };
  return {at(generated), at(proven), at(proven), at(activated), at(drained), at(revoked), at(emptied), active};
}

TEST(KeyState, IsComputedFromFactsAndTheActiveRow) {
  const struct {
    const char* why;
    KeyTimes times;
    KeyState state;
  } rows[] = {
      {"just put into the slot", aged(0), KeyState::standby},
      {"proven", aged(9, 5), KeyState::standby},
      {"the row in active_key is what counts", aged(9, 5, 1, {}, {}, {}, true), KeyState::active},
      {"active even if the fact was not written", aged(9, 5, {}, {}, {}, {}, true), KeyState::active},
      {"active even if another machine's clock is ahead", aged(9, 5, -60, {}, {}, {}, true), KeyState::active},
      {"no longer active: drains, though drained_at is not written yet", aged(90, 80, 70), KeyState::draining},
      {"draining", aged(90, 80, 70, 60), KeyState::draining},
      {"revoked", aged(90, 80, 70, 60, 50), KeyState::revoked},
      {"emptied", aged(90, 80, 70, 60, 50, 40), KeyState::empty},
      {"revoked in the future is not revoked yet", aged(90, 80, 70, 60, -1), KeyState::draining},
      {"emptied now", aged(90, 80, 70, 60, 50, 0), KeyState::empty},
      {"emptied one second from now", aged(90, 80, 70, 60, 50, -1), KeyState::revoked},
  };
  for (const auto& row : rows) EXPECT_EQ(word(stateOf(row.times, kNow)), word(row.state)) << row.why;
}

TEST(NextAction, TakesAnEmptyDomainToOneActiveAndOneStandby) {
  const KeyPolicy policy;
  SlotRecord mz1{Slot::mz1, std::nullopt, true, std::nullopt}, mz2{Slot::mz2, std::nullopt, true, std::nullopt};
  const auto next = [&](TimePoint at) {
    const SlotRecord slots[] = {mz1, mz2};
    return nextAction(slots, policy, at);
  };
  EXPECT_EQ(next(kNow), (Action{ActionKind::fill, Slot::mz1, {}}));
  mz1.key = aged(0);
  EXPECT_EQ(next(kNow), (Action{ActionKind::fill, Slot::mz2, {}}));
  mz2.key = aged(0);
  EXPECT_EQ(next(kNow), (Action{ActionKind::wait, Slot::mz1, kNow + policy.settle})) << "the backend needs a moment";
  EXPECT_EQ(next(kNow + policy.settle - kTick).kind, ActionKind::wait);
  EXPECT_EQ(next(kNow + policy.settle), (Action{ActionKind::prove, Slot::mz1, {}}));
  mz1.nextProof = kNow + seconds{10};
  EXPECT_EQ(next(kNow + policy.settle), (Action{ActionKind::prove, Slot::mz2, {}})) << "the first is under way";
  mz2.nextProof = kNow + seconds{12};
  EXPECT_EQ(next(kNow + policy.settle), (Action{ActionKind::wait, Slot::mz1, kNow + seconds{10}}));
  mz1.key->published = mz1.key->proven = kNow;
  EXPECT_EQ(next(kNow), (Action{ActionKind::activate, Slot::mz1, {}}));
  mz1.key->activated = kNow;
  mz1.key->active = true;
  mz2.key->published = mz2.key->proven = kNow;
  EXPECT_EQ(next(kNow), (Action{ActionKind::none, Slot::mz1, {}})) << "steady: one active, one standby";
}

TEST(NextAction, NeverActivatesWithoutAProofNorBesideAnActiveKey) {
  const SlotRecord unproven[] = {{Slot::mz1, aged(3600), true, kNow + seconds{1}}};
  EXPECT_EQ(nextAction(unproven, {}, kNow).kind, ActionKind::wait);
  const SlotRecord beside[] = {{Slot::mz1, aged(90, 80), true, {}},
                               {Slot::mz2, aged(90, 80, 70, {}, {}, {}, true), true, {}}};
  EXPECT_EQ(nextAction(beside, {}, kNow).kind, ActionKind::none);
}

TEST(NextAction, LetsTheFirstSlotSignUnlessItIsNotProvenSoon) {
  SlotRecord slots[] = {{Slot::mz1, aged(60), true, kNow + seconds{60}}, {Slot::mz2, aged(60, 0), true, {}}};
  const KeyPolicy policy;
  EXPECT_EQ(nextAction(slots, policy, kNow), (Action{ActionKind::wait, Slot::mz2, kNow + policy.firstSlotFirst}));
  EXPECT_EQ(nextAction(slots, policy, kNow + policy.firstSlotFirst), (Action{ActionKind::activate, Slot::mz2, {}}))
      << "a customer who has set the second CNAME only";
  slots[0].key->proven = kNow;
  EXPECT_EQ(nextAction(slots, policy, kNow), (Action{ActionKind::activate, Slot::mz1, {}}));
  slots[0].key.reset();
  slots[0].mayBeFilled = false;
  EXPECT_EQ(nextAction(slots, policy, kNow), (Action{ActionKind::activate, Slot::mz2, {}}))
      << "no first slot to wait for";
}

TEST(NextAction, WaitsForEachIntervalToItsLastMicrosecond) {
  KeyPolicy policy;
  policy.beforeActive = seconds{300};
  policy.drain = seconds{600};
  policy.revoke = seconds{900};
  const struct {
    const char* why;
    KeyTimes times;
    seconds wait;
    ActionKind then;
  } rows[] = {
      {"proven, but caches may hold the negative answer", aged(0, 0), seconds{300}, ActionKind::activate},
      {"drains for the queue's life", aged(9, 8, 7, 0), seconds{600}, ActionKind::revoke},
      {"revoked for the queue's life", aged(9, 8, 7, 6, 0), seconds{900}, ActionKind::empty},
  };
  for (const auto& row : rows) {
    const SlotRecord slots[] = {{Slot::mz2, row.times, true, {}}};
    EXPECT_EQ(nextAction(slots, policy, kNow), (Action{ActionKind::wait, Slot::mz2, kNow + row.wait})) << row.why;
    EXPECT_EQ(nextAction(slots, policy, kNow + row.wait - kTick).kind, ActionKind::wait) << row.why;
    EXPECT_EQ(nextAction(slots, policy, kNow + row.wait).kind, row.then) << row.why;
  }
}

TEST(NextAction, WritesDownThatAKeyDrainsBeforeItCounts) {
  const SlotRecord slots[] = {{Slot::mz1, aged(90, 80, 70), true, {}},
                              {Slot::mz2, aged(9, 8, 1, {}, {}, {}, true), true, {}}};
  EXPECT_EQ(nextAction(slots, {}, kNow), (Action{ActionKind::recordDrain, Slot::mz1, {}}));
}

TEST(NextAction, LeavesASlotThatADepartedDomainStillHolds) {
  const SlotRecord slots[] = {{Slot::mz1, std::nullopt, false, {}}, {Slot::mz2, std::nullopt, true, {}}};
  EXPECT_EQ(nextAction(slots, {}, kNow), (Action{ActionKind::fill, Slot::mz2, {}}));
  const SlotRecord held[] = {{Slot::mz1, std::nullopt, false, {}}};
  EXPECT_EQ(nextAction(held, {}, kNow).kind, ActionKind::none);
}

TEST(NextAction, FillsASlotAgainOnceItWasEmptied) {
  const SlotRecord slots[] = {{Slot::mz1, aged(90, 80, 70, 60, 50, 40), true, {}}};
  EXPECT_EQ(nextAction(slots, {}, kNow), (Action{ActionKind::fill, Slot::mz1, {}}));
}

}  // namespace
}  // namespace mailzone::rotation
