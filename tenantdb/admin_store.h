// What the command line writes and lists: plain parametrized statements, as any other writer could send them. The rules
// (one owner per name, reserved slugs, ...) are triggers and constraints of the schema, not code here; their messages
// come back as Errc::invalidInput and Errc::conflict.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/model.h"
#include "core/result.h"
#include "core/secret.h"
#include "system/sql.h"

namespace mailzone::tenantdb {

struct NameServer {
  DnsName host;
  std::vector<IpAddress> addresses;  ///< glue: A/AAAA records, written where the host lies in a zone of ours
};

struct NewPlatform {
  DnsName name;
  std::vector<NameServer> nameServers;  ///< at least one; the first is the SOA's primary server
  std::vector<MailExchanger> mailExchangers;
  DnsName hostmaster;
  DmarcPolicy dmarcPolicy = DmarcPolicy::quarantine;
  std::string dmarcRua;
};
struct PlatformRow {
  PlatformId id{};
  std::string name;
  std::string dmarcPolicy, dmarcRua;
  std::int64_t drainSeconds = 0, revokeSeconds = 0;
  std::string createdAt;
  std::vector<std::string> mailExchangers;  ///< "10 mx1.shop.example"
};

struct NewZone {
  DnsName name;
  ZoneKind kind = ZoneKind::reverse;
  DnsName primaryServer, hostmaster;
  std::optional<std::uint32_t> refresh, retry, expire, minimum, ttl;  ///< else the columns' defaults
  std::optional<std::uint32_t> serial;  ///< starts above this one (that of an imported zone)
};
struct ZoneRow {
  ZoneId id{};
  std::string platform;  ///< its name, "" for none
  std::string name, kind, primaryServer, hostmaster;
  std::int64_t ttl = 0, serial = 0;
  std::int64_t staticRecords = 0;
};

struct NewStaticRecord {
  DnsName owner;
  RecordType type{0};
  Ttl ttl;
  std::string content;
};

struct AddressRow {
  AddressId id{};
  std::string address, hostName, pool, purpose;
};
struct RelayRow {
  RelayId id{};
  std::string name, spfInclude, envelope;
};
struct NewStream {
  std::string name;
  std::optional<std::string> pool, relay;  ///< exactly one, by name
  std::optional<DnsName> domain;           ///< else the platform's default
};
struct StreamRow {
  StreamId id{};
  std::string name, pool, relay;
  std::string domain;  ///< "" for the platform's default
};

struct NewTenant {
  std::string slug;
  std::optional<std::string> externalId;
  std::optional<Signing> signing;
  std::optional<DmarcPolicy> dmarcPolicy;
};
struct TenantRow {
  TenantId id{};
  std::string slug, externalId, state, createdAt;
  std::int64_t domains = 0, logins = 0;
};
struct NewDomain {
  DnsName name;
  std::string tenantSlug;
  DomainKind kind = DomainKind::delegated;
  std::optional<std::string> externalId;
  std::optional<DmarcPolicy> dmarcPolicy;
};
struct DomainRow {
  DomainId id{};
  std::string name, kind, tenant;  ///< tenant: its slug, "" for the platform's own
  std::string externalId, token, state, signing, dmarcPolicy, dmarcRua;
  std::optional<std::string> verifiedAt, bounceVerifiedAt;
  std::string createdAt;
  std::string activeSelector;  ///< "mz1", "" while it has no active key
};
/// What `domain verify` saw.
struct Verification {
  bool verified = false;  ///< every record that a delegated domain needs is there; else the domain becomes unverified
  bool bounce = false;    ///< the optional CNAME at bounce.NAME is there
};
struct NewLogin {
  std::string name;
  std::string tenantSlug;
  std::string passwordHash;      ///< {SHA512-CRYPT}$6$...
  std::vector<DnsName> domains;  ///< empty: all that the tenant has now
};
struct LoginRow {
  LoginId id{};
  std::string name, tenant, createdAt;
  std::vector<std::string> domains;
};
struct KeyRow {
  std::string domain, slot, algorithm, fingerprint, state;  ///< state: a word of the key life cycle, by its facts
  std::int64_t bits = 0;
  bool active = false;
  std::optional<std::string> publishedAt, provenAt, activatedAt, revokedAt;
};

/// Whether a verb changed anything: a second call with the same input changes nothing and is no error.
enum class Written { created, unchanged };

/// One connection (role admin or app), one thread. Each function is one transaction, unless the caller has opened one
/// with inTransaction() around several. Errc::notFound names what the caller referred to and does not exist.
class AdminStore {
 public:
  explicit AdminStore(sql::Connection& connection) : connection_(connection) {}

  /// The platform row with its zones (platform, key target, return path), the NS records and glue at each apex.
  [[nodiscard]] Result<PlatformId> addPlatform(const NewPlatform& platform);
  [[nodiscard]] Result<std::vector<PlatformRow>> platforms();
  /// The platform of this name; with "" the only one (Errc::notFound: none, Errc::conflict: several, name one).
  [[nodiscard]] Result<PlatformId> platformNamed(const std::string& name);

  [[nodiscard]] Result<ZoneId> addZone(PlatformId platform, const NewZone& zone,
                                       const std::vector<NameServer>& nameServers);
  [[nodiscard]] Result<std::vector<ZoneRow>> zones();
  [[nodiscard]] Result<std::optional<ZoneRow>> zone(const DnsName& name);
  [[nodiscard]] Result<std::vector<StaticRecord>> staticRecords(ZoneId zone);
  [[nodiscard]] Result<StaticRecordId> addStaticRecord(ZoneId zone, const NewStaticRecord& record);
  [[nodiscard]] Result<void> removeStaticRecord(StaticRecordId id);
  /// Replaces the zone's static records by these: all or nothing. Returns how many rows were inserted and deleted.
  struct ImportCount {
    std::int64_t inserted = 0, deleted = 0;
  };
  [[nodiscard]] Result<ImportCount> importStaticRecords(ZoneId zone, const std::vector<NewStaticRecord>& records);
  /// The next serial is above this one.
  [[nodiscard]] Result<void> raiseSerial(ZoneId zone, std::uint32_t serial);

  /// Makes the pool when it is new.
  [[nodiscard]] Result<Written> addAddress(PlatformId platform, const IpAddress& address, const DnsName& hostName,
                                           const std::string& pool, PoolPurpose purpose);
  [[nodiscard]] Result<std::vector<AddressRow>> addresses(PlatformId platform);
  [[nodiscard]] Result<bool> removeAddress(PlatformId platform, const IpAddress& address);  ///< false: there was none

  [[nodiscard]] Result<Written> addRelay(PlatformId platform, const std::string& name,
                                         const std::optional<DnsName>& spfInclude, RelayEnvelope envelope);
  [[nodiscard]] Result<std::vector<RelayRow>> relays(PlatformId platform);

  [[nodiscard]] Result<Written> addStream(PlatformId platform, const NewStream& stream);
  [[nodiscard]] Result<std::vector<StreamRow>> streams(PlatformId platform);
  [[nodiscard]] Result<bool> removeStream(PlatformId platform, const std::string& name,
                                          const std::optional<DnsName>& domain);

  [[nodiscard]] Result<TenantId> addTenant(PlatformId platform, const NewTenant& tenant);
  /// All or nothing. The Error's value is prefixed by "line N: " (1-based position in `tenants`).
  [[nodiscard]] Result<std::vector<TenantId>> addTenants(PlatformId platform, const std::vector<NewTenant>& tenants,
                                                         const std::function<void(std::size_t done)>& progress = {});
  [[nodiscard]] Result<std::vector<TenantRow>> tenants(PlatformId platform);
  [[nodiscard]] Result<std::optional<TenantRow>> tenant(PlatformId platform, const std::string& slug);
  [[nodiscard]] Result<Written> setTenantState(PlatformId platform, const std::string& slug, TenantState state);
  [[nodiscard]] Result<void> renameTenant(PlatformId platform, const std::string& slug, const std::string& newSlug);
  [[nodiscard]] Result<bool> removeTenant(PlatformId platform, const std::string& slug);  ///< false: there was none

  [[nodiscard]] Result<DomainId> addDomain(PlatformId platform, const NewDomain& domain);
  /// Of all tenants, or of one. By name.
  [[nodiscard]] Result<std::vector<DomainRow>> domains(PlatformId platform,
                                                       const std::optional<std::string>& tenantSlug = std::nullopt);
  [[nodiscard]] Result<std::optional<DomainRow>> domain(const DnsName& name);
  /// Errc::invalidInput when it has no active key yet: a domain is not verified without one.
  [[nodiscard]] Result<Written> recordVerification(const DnsName& name, const Verification& seen, TimePoint at);
  [[nodiscard]] Result<bool> removeDomain(const DnsName& name);  ///< false: there was none

  [[nodiscard]] Result<LoginId> addLogin(PlatformId platform, const NewLogin& login);
  [[nodiscard]] Result<std::vector<LoginRow>> logins(PlatformId platform,
                                                     const std::optional<std::string>& tenantSlug = std::nullopt);
  [[nodiscard]] Result<bool> removeLogin(const std::string& name);

  /// Live slots; of one domain or of all. By domain and slot.
  [[nodiscard]] Result<std::vector<KeyRow>> keys(PlatformId platform,
                                                 const std::optional<DnsName>& domain = std::nullopt);

  /// One screen's worth of counts for `mailzone status`.
  struct Counts {
    std::int64_t tenants = 0, suspendedTenants = 0, domains = 0, delegated = 0, delegatedUnverified = 0, degraded = 0;
    std::int64_t withoutActiveKey = 0, spareKeys = 0, departedDraining = 0, inbox = 0, feedHead = 0;
  };
  [[nodiscard]] Result<Counts> counts();

 private:
  sql::Connection& connection_;
};

}  // namespace mailzone::tenantdb
