#include "core/model.h"

#include <fmt/format.h>

#include <span>
#include <utility>

namespace mailzone {
namespace {

template <class Enum>
using Words = std::span<const std::pair<Enum, std::string_view>>;

template <class Enum>
std::string_view wordIn(Words<Enum> words, Enum value) noexcept {
  for (const auto& [each, text] : words) {
    if (each == value) return text;
  }
  return "";
}

template <class Enum>
Result<Enum> parseIn(Words<Enum> words, std::string_view text) {
  std::string all;
  for (const auto& [each, name] : words) {
    if (name == text) return each;
    all += all.empty() ? "" : ", ";
    all += name;
  }
  return fail(Errc::invalidInput, text, "not one of the words of this column", "write one of " + all);
}

constexpr std::pair<DomainKind, std::string_view> kDomainKind[] = {{DomainKind::subdomain, "subdomain"},
                                                                   {DomainKind::delegated, "delegated"},
                                                                   {DomainKind::hosted, "hosted"},
                                                                   {DomainKind::platform, "platform"},
                                                                   {DomainKind::common, "common"}};
constexpr std::pair<DomainState, std::string_view> kDomainState[] = {
    {DomainState::unverified, "unverified"}, {DomainState::verified, "verified"}, {DomainState::degraded, "degraded"}};
constexpr std::pair<Signing, std::string_view> kSigning[] = {{Signing::own, "own"}, {Signing::common, "common"}};
constexpr std::pair<DmarcPolicy, std::string_view> kDmarcPolicy[] = {
    {DmarcPolicy::none, "none"}, {DmarcPolicy::quarantine, "quarantine"}, {DmarcPolicy::reject, "reject"}};
constexpr std::pair<TenantState, std::string_view> kTenantState[] = {{TenantState::active, "active"},
                                                                     {TenantState::suspended, "suspended"}};
constexpr std::pair<ZoneKind, std::string_view> kZoneKind[] = {{ZoneKind::platform, "platform"},
                                                               {ZoneKind::keyTarget, "key_target"},
                                                               {ZoneKind::returnPath, "return_path"},
                                                               {ZoneKind::reverse, "reverse"},
                                                               {ZoneKind::hosted, "hosted"}};
constexpr std::pair<RelayEnvelope, std::string_view> kRelayEnvelope[] = {{RelayEnvelope::relay, "relay"},
                                                                         {RelayEnvelope::own, "own"}};
constexpr std::pair<PoolPurpose, std::string_view> kPoolPurpose[] = {{PoolPurpose::sending, "sending"},
                                                                     {PoolPurpose::forwarding, "forwarding"}};
constexpr std::pair<KeyAlgorithm, std::string_view> kKeyAlgorithm[] = {{KeyAlgorithm::rsaSha256, "rsa"},
                                                                       {KeyAlgorithm::ed25519Sha256, "ed25519"}};
constexpr std::pair<Slot, std::string_view> kSlotName[] = {{Slot::mz1, "mz1"}, {Slot::mz2, "mz2"}};

}  // namespace

#define MAILZONE_WORDS(Enum, words)                     \
  std::string_view word(Enum value) noexcept {          \
    return wordIn<Enum>(words, value);                  \
  }                                                     \
  template <>                                           \
  Result<Enum> parseWord<Enum>(std::string_view text) { \
    return parseIn<Enum>(words, text);                  \
  }
MAILZONE_WORDS(DomainKind, kDomainKind)
MAILZONE_WORDS(DomainState, kDomainState)
MAILZONE_WORDS(Signing, kSigning)
MAILZONE_WORDS(DmarcPolicy, kDmarcPolicy)
MAILZONE_WORDS(TenantState, kTenantState)
MAILZONE_WORDS(ZoneKind, kZoneKind)
MAILZONE_WORDS(RelayEnvelope, kRelayEnvelope)
MAILZONE_WORDS(PoolPurpose, kPoolPurpose)
MAILZONE_WORDS(KeyAlgorithm, kKeyAlgorithm)
#undef MAILZONE_WORDS

std::string_view slotName(Slot slot) noexcept {
  return wordIn<Slot>(kSlotName, slot);
}
Result<Slot> parseSlot(std::string_view text) {
  return parseIn<Slot>(kSlotName, text);
}

}  // namespace mailzone
