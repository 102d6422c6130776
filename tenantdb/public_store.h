// Reads the public half of the tenant database as values. Cannot read a private key: neither the tables nor the code
// for them are linked here (tenantdb/secret is a target of its own).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "system/sql.h"

namespace mailzone::tenantdb {

/// A row that does not become a value, or the value. The id is known in either case, so that one bad row spoils nothing
/// else.
template <class Id, class T>
struct RowOf {
  Id id{};
  Result<T> value;
};

/// A row that a platform's context left out, and why.
struct BadPart {
  std::string table;
  std::int64_t id = 0;
  Error error;
};

/// One connection, one thread. Outer Result: could the database be asked (Errc::unavailable, temporary, ...)? Inner
/// RowOf: could this row be read? An entity that is not there is std::nullopt, never an Error.
class PublicStore {
 public:
  explicit PublicStore(sql::Connection& connection) : connection_(connection) {}

  [[nodiscard]] Result<std::vector<PlatformId>> platforms();
  /// The platform with its pools, relays, default streams and zones. A bad row among them that can be left out (an
  /// address, a relay, a stream, a zone) is left out and reported by `badParts`.
  [[nodiscard]] Result<std::optional<PlatformContext>> context(PlatformId id, std::vector<BadPart>* badParts = nullptr);

  [[nodiscard]] Result<std::optional<RowOf<DomainId, Domain>>> domain(DomainId id);
  [[nodiscard]] Result<void> eachDomain(PlatformId id, const std::function<void(RowOf<DomainId, Domain>)>& onDomain);
  [[nodiscard]] Result<std::optional<RowOf<DepartedId, Departed>>> departed(DepartedId id);  ///< nullopt also once gone
  [[nodiscard]] Result<void> eachDeparted(PlatformId id,
                                          const std::function<void(RowOf<DepartedId, Departed>)>& onDeparted);
  [[nodiscard]] Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> staticRecord(StaticRecordId id);
  [[nodiscard]] Result<void> eachStaticRecord(const std::function<void(RowOf<StaticRecordId, StaticRecord>)>& onRecord);

  /// Zones of all platforms with their serials.
  [[nodiscard]] Result<std::vector<RowOf<ZoneId, Zone>>> zones();
  struct Metadata {
    ZoneId zone{};
    std::string kind;
    std::string value;
  };
  [[nodiscard]] Result<std::vector<Metadata>> zoneMetadata();

 private:
  sql::Connection& connection_;
};

/// What a change_log row says changed. A hint, not a value: read the entity again.
enum class Entity { platform, pool, zone, staticRecord, domain, departed, zoneMetadata };
struct Change {
  std::int64_t seq = 0;
  Entity entity = Entity::platform;
  std::int64_t id = 0;
  std::string nonce;
};

/// The feed of changes (docs/sql-contract.md, "The feed").
class Feed {
 public:
  explicit Feed(sql::Connection& connection) : connection_(connection) {}
  /// Numbers up to `limit` committed inbox rows; the head afterwards. Anyone may call it at any time.
  [[nodiscard]] Result<std::int64_t> advance(std::int64_t limit = 10000);
  /// Changes with seq > after, in order. A gap (compacted away) is Errc::notFound: fill again.
  [[nodiscard]] Result<std::vector<Change>> changesAfter(std::int64_t after, std::int64_t limit);
  [[nodiscard]] Result<std::int64_t> head();
  /// The nonce of one row: another one than remembered means that the database was restored; nullopt: compacted away.
  [[nodiscard]] Result<std::optional<std::string>> nonceAt(std::int64_t seq);

 private:
  sql::Connection& connection_;
};

}  // namespace mailzone::tenantdb
