// The model: what the tenant database says, as values that are valid. Rows become these in tenantdb/ (parse, don't
// check); zonegen/ turns them into records. No I/O here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/dns_name.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone {

// Row ids, one type per table so that they cannot be mixed up. raw(id) is the number.
enum class PlatformId : std::int64_t {};
enum class TenantId : std::int64_t {};
enum class DomainId : std::int64_t {};
enum class DepartedId : std::int64_t {};
enum class ZoneId : std::int32_t {};  // PowerDNS reads a signed 32-bit int
enum class PoolId : std::int64_t {};
enum class AddressId : std::int64_t {};
enum class RelayId : std::int64_t {};
enum class StreamId : std::int64_t {};
enum class StaticRecordId : std::int64_t {};
enum class KeyId : std::int64_t {};
enum class SelectorId : std::int64_t {};
enum class LoginId : std::int64_t {};
template <class Id>
[[nodiscard]] constexpr std::int64_t raw(Id id) noexcept {
  return static_cast<std::int64_t>(id);
}

/// Labels below the platform's name that are ours and therefore no tenant's slug (table reserved_slug has these and
/// more).
namespace label {
inline constexpr std::string_view kCommon = "sig";      ///< the common signing domain sig.PLATFORM
inline constexpr std::string_view kForwarding = "srs";  ///< envelope domain of forwarded mail, srs.PLATFORM
inline constexpr std::string_view kReturnPath =
    "rp";  ///< zone of TOKEN.rp.PLATFORM, envelope domains of custom domains
inline constexpr std::string_view kKeyTarget = "dkim";  ///< zone of SLOT.TOKEN.dkim.PLATFORM
inline constexpr std::string_view kPoolSpf = "_spf";    ///< POOL._spf.PLATFORM holds a pool's addresses as SPF
inline constexpr std::string_view kBounce = "bounce";   ///< bounce.CUSTOM, the optional third CNAME
}  // namespace label

/// The two key slots of every domain. Their names are the selectors, so they never change.
enum class Slot { mz1, mz2 };
inline constexpr std::array<Slot, 2> kSlots = {Slot::mz1, Slot::mz2};
[[nodiscard]] std::string_view slotName(Slot slot) noexcept;  ///< "mz1", "mz2"
[[nodiscard]] Result<Slot> parseSlot(std::string_view text);

enum class KeyAlgorithm { rsaSha256, ed25519Sha256 };

/// The public half of a DKIM key.
struct PublicKey {
  KeyAlgorithm algorithm = KeyAlgorithm::rsaSha256;
  std::string
      base64;  ///< the p= value: SubjectPublicKeyInfo for RSA, the bare 32 octets for Ed25519 (RFC 8463 section 4.2)
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};

/// What DNS says in one slot.
struct SlotContent {
  Slot slot = Slot::mz1;
  std::optional<PublicKey> key;  ///< absent: revoked, published as an empty p= (RFC 6376 section 3.6.1)
  friend bool operator==(const SlotContent&, const SlotContent&) = default;
};

enum class DomainKind {
  subdomain,  ///< SLUG.PLATFORM, in our zone
  delegated,  ///< the customer's DNS stays where it is and points CNAMEs at us
  hosted,     ///< the customer's NS point at us: a zone of its own
  platform,   ///< the platform's own domain; no tenant
  common,     ///< sig.PLATFORM, the common signing domain; no tenant
};
enum class DomainState { unverified, verified, degraded };
enum class Signing { own, common };
enum class DmarcPolicy { none, quarantine, reject };
enum class TenantState { active, suspended };
enum class ZoneKind { platform, keyTarget, returnPath, reverse, hosted };
enum class RelayEnvelope { relay, own };  ///< whose envelope sender the relay's mail has
enum class PoolPurpose { sending, forwarding };

// Words of the enums, as the SQL columns hold them (snake_case). parse*() errors name the value and list the words.
[[nodiscard]] std::string_view word(DomainKind value) noexcept;
[[nodiscard]] std::string_view word(DomainState value) noexcept;
[[nodiscard]] std::string_view word(Signing value) noexcept;
[[nodiscard]] std::string_view word(DmarcPolicy value) noexcept;
[[nodiscard]] std::string_view word(TenantState value) noexcept;
[[nodiscard]] std::string_view word(ZoneKind value) noexcept;
[[nodiscard]] std::string_view word(RelayEnvelope value) noexcept;
[[nodiscard]] std::string_view word(PoolPurpose value) noexcept;
[[nodiscard]] std::string_view word(KeyAlgorithm value) noexcept;  ///< "rsa", "ed25519": the k= value
/// parseWord<DomainKind>("subdomain"), likewise for each enum above.
template <class Enum>
[[nodiscard]] Result<Enum> parseWord(std::string_view text);

struct Zone {
  ZoneId id{};
  std::optional<PlatformId> platform;
  DnsName name;
  ZoneKind kind = ZoneKind::platform;
  DnsName primaryServer;  ///< SOA MNAME
  DnsName hostmaster;     ///< SOA RNAME, as a name
  std::uint32_t refresh = 0, retry = 0, expire = 0, minimum = 0;
  Ttl ttl;  ///< of generated records and of the SOA
  std::uint32_t serial = 0;
  friend bool operator==(const Zone&, const Zone&) = default;
};

struct PoolAddress {
  AddressId id{};
  IpAddress address = IpAddress::v4(0);
  DnsName hostName;  ///< HELO name; A/AAAA, PTR and its SPF record come from this one row
  friend bool operator==(const PoolAddress&, const PoolAddress&) = default;
};

struct Pool {
  PoolId id{};
  PlatformId platform{};
  std::string name;  ///< one LDH label: NAME._spf.PLATFORM
  PoolPurpose purpose = PoolPurpose::sending;
  std::vector<PoolAddress> addresses;  ///< by id
  friend bool operator==(const Pool&, const Pool&) = default;
};

/// An external relay that some stream leaves by.
struct Relay {
  RelayId id{};
  PlatformId platform{};
  std::string name;
  std::optional<DnsName> spfInclude;
  RelayEnvelope envelope = RelayEnvelope::relay;
  friend bool operator==(const Relay&, const Relay&) = default;
};

/// What a domain sends and by which way. Exactly one of pool and relay is set.
struct Stream {
  StreamId id{};
  std::string name;  ///< webapp, mailbox, marketing, or the platform's own word
  std::optional<PoolId> pool;
  std::optional<RelayId> relay;
  friend bool operator==(const Stream&, const Stream&) = default;
};

struct Platform {
  PlatformId id{};
  DnsName name;
  DmarcPolicy dmarcPolicy = DmarcPolicy::quarantine;  ///< default of its tenants
  std::string dmarcRua;                               ///< default rua= list of its tenants, "" for none
  std::vector<MailExchanger> mailExchangers;          ///< where tenants' mail comes in
  friend bool operator==(const Platform&, const Platform&) = default;
};

/// All of a platform that the records of its domains depend on. A snapshot: copy it, share it, never change it.
struct PlatformContext {
  Platform platform;
  std::vector<Pool> pools;      ///< by id
  std::vector<Relay> relays;    ///< by id
  std::vector<Stream> streams;  ///< the defaults of every domain, by name
  std::vector<Zone> zones;      ///< by id
  friend bool operator==(const PlatformContext&, const PlatformContext&) = default;
};

struct Domain {
  DomainId id{};
  PlatformId platform{};
  std::optional<TenantId> tenant;  ///< none for kinds platform and common
  DnsName name;
  DomainKind kind = DomainKind::subdomain;
  std::string token;  ///< 32 hexadecimal digits, never used again
  DomainState state = DomainState::unverified;
  Signing signing = Signing::own;
  std::optional<ZoneId> zone;
  std::optional<DmarcPolicy> dmarcPolicy;  ///< overrides the platform's
  std::optional<std::string> dmarcRua;     ///< overrides the platform's
  bool bounceVerified = false;             ///< delegated: the optional CNAME at bounce.NAME was seen
  std::vector<SlotContent> slots;          ///< by slot; a slot that is not listed is empty
  std::vector<Stream> streams;             ///< own ones, by name; each replaces the platform's of that name
  friend bool operator==(const Domain&, const Domain&) = default;
};

/// What a deleted, renamed or moved domain still has to answer. Draining: as before. Revoked: keys with an empty p=.
struct Departed {
  DepartedId id{};
  PlatformId platform{};
  DnsName name;
  DomainKind kind = DomainKind::subdomain;
  std::string token;
  bool wasVerified = false;
  std::optional<DmarcPolicy> dmarcPolicy;
  std::optional<std::string> dmarcRua;
  std::vector<SlotContent> slots;
  bool revoked = false;
  friend bool operator==(const Departed&, const Departed&) = default;
};

/// A record that an operator wrote, such as one of an imported zone.
struct StaticRecord {
  StaticRecordId id{};
  ZoneId zone{};
  DnsName owner;
  RecordType type{0};
  Ttl ttl;
  std::string content;
  friend bool operator==(const StaticRecord&, const StaticRecord&) = default;
};

}  // namespace mailzone
