// The life of a key in a slot, as pure functions of stored facts and a clock that is passed in. No I/O here.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "core/clock.h"
#include "core/model.h"
#include "tenantdb/secret/secret_store.h"

namespace mailzone::rotation {

/// empty -> standby -> active -> draining -> revoked -> empty.
enum class KeyState {
  empty,     ///< nothing is published in the slot
  standby,   ///< published, unused; may become active once proven
  active,    ///< the domain's mail is signed with it
  draining,  ///< published, unused: mail that it signed is still under way
  revoked,   ///< published with an empty p= (RFC 6376 section 3.6.1)
};
[[nodiscard]] std::string_view word(KeyState state) noexcept;

/// Facts that happened, as dkim_selector holds them. `active` is no time: it is the row in active_key.
struct KeyTimes {
  std::optional<TimePoint> generated;  ///< put into the slot: it is published from the next look of the backend on
  std::optional<TimePoint> published;  ///< first seen in the DNS
  std::optional<TimePoint> proven;     ///< the public key was read back right
  std::optional<TimePoint> activated;
  std::optional<TimePoint> drained;  ///< another key took over: draining since
  std::optional<TimePoint> revoked;
  std::optional<TimePoint> emptied;
  bool active = false;
};
[[nodiscard]] KeyTimes timesOf(const tenantdb::SelectorRow& row);

/// Computed, never stored. A fact with a time after `now` (another machine's clock) has not happened yet. The row in
/// active_key wins over every time: what signs is active, whatever else was written.
[[nodiscard]] KeyState stateOf(const KeyTimes& times, TimePoint now) noexcept;

/// How long things take. Seconds, because records' TTLs are.
struct KeyPolicy {
  /// From filling a slot until the first look in the DNS: a question asked too early is answered "no such name", and
  /// the resolver keeps that for the zone's negative TTL.
  std::chrono::milliseconds settle{1500};
  /// From the proof until the key may sign: 0 for a slot that was never published before.
  std::chrono::seconds beforeActive{0};
  /// How long a proven second slot waits for the first one, while no key is active: two that are filled together are
  /// proven within moments of each other, and it should not be chance which of them signs.
  std::chrono::seconds firstSlotFirst{3};
  /// From draining until revocation: queue life + record TTL (RFC 5321 section 4.5.4.1: four to five days).
  std::chrono::seconds drain{7 * 86400};
  /// From revocation until the slot may be filled again: record TTL + negative TTL + queue life.
  std::chrono::seconds revoke{7 * 86400};
};

enum class ActionKind {
  none,         ///< nothing will happen until a fact changes
  wait,         ///< nothing before `at`
  fill,         ///< put a spare key into `slot`
  prove,        ///< look whether the DNS has the key; records published and proven
  activate,     ///< sign with it
  recordDrain,  ///< another key took over: write drained_at
  revoke,       ///< publish an empty p=
  empty,        ///< publish nothing
};
[[nodiscard]] std::string_view word(ActionKind kind) noexcept;

struct Action {
  ActionKind kind = ActionKind::none;
  Slot slot = Slot::mz1;
  std::optional<TimePoint> at;  ///< wait: until then
  friend bool operator==(const Action&, const Action&) = default;
};

/// One slot of a domain.
struct SlotRecord {
  Slot slot = Slot::mz1;
  std::optional<KeyTimes> key;         ///< absent: the slot is empty
  bool mayBeFilled = true;             ///< false: a departed domain of that name still holds it
  std::optional<TimePoint> nextProof;  ///< a proof is under way or failed: not before then
};

/// What to do next for one domain, or how long to wait. Never does it, so a crash between two steps is only another
/// input: ask again and carry on. Urgent first: a domain without an active key gets one before anything else.
[[nodiscard]] Action nextAction(std::span<const SlotRecord> slots, const KeyPolicy& policy, TimePoint now);

}  // namespace mailzone::rotation
