// What the follower reads of the tenant database: an interface of its own, so that its tests need no database. The
// functions mean what those of the same names in tenantdb/public_store.h mean. None fails with Errc::corrupt: that is
// the replica's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/source_id.h"
#include "core/model.h"
#include "system/settings.h"
#include "tenantdb/public_store.h"

namespace mailzone::backend {

class TenantSource {
 public:
  template <class Id, class T>
  using RowOf = tenantdb::RowOf<Id, T>;
  template <class Id, class T>
  using OnRow = std::function<void(RowOf<Id, T>)>;

  virtual ~TenantSource() = default;

  /// Changes when another connection has committed; nullopt: ask the feed. An Error when the database that is open is
  /// no longer the one of the settings (a file that was replaced).
  [[nodiscard]] virtual Result<std::optional<std::int64_t>> dataVersion() = 0;
  [[nodiscard]] virtual Result<std::int64_t> advance(std::int64_t limit) = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::Change>> changesAfter(std::int64_t after, std::int64_t limit) = 0;
  [[nodiscard]] virtual Result<std::optional<std::string>> nonceAt(std::int64_t seq) = 0;

  [[nodiscard]] virtual Result<std::vector<PlatformId>> platforms() = 0;
  [[nodiscard]] virtual Result<std::optional<PlatformContext>> context(PlatformId id,
                                                                       std::vector<tenantdb::BadPart>* badParts) = 0;
  [[nodiscard]] virtual Result<std::optional<RowOf<DomainId, Domain>>> domain(DomainId id) = 0;
  [[nodiscard]] virtual Result<void> eachDomain(PlatformId id, const OnRow<DomainId, Domain>& onRow) = 0;
  [[nodiscard]] virtual Result<std::optional<RowOf<DepartedId, Departed>>> departed(DepartedId id) = 0;
  [[nodiscard]] virtual Result<void> eachDeparted(PlatformId id, const OnRow<DepartedId, Departed>& onRow) = 0;
  [[nodiscard]] virtual Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> staticRecord(StaticRecordId id) = 0;
  [[nodiscard]] virtual Result<void> eachStaticRecord(const OnRow<StaticRecordId, StaticRecord>& onRow) = 0;
  [[nodiscard]] virtual Result<std::vector<RowOf<ZoneId, Zone>>> zones() = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::PublicStore::Metadata>> zoneMetadata() = 0;
  /// The names that a row answers for, read past what is wrong with it; as many as can be read.
  [[nodiscard]] virtual Result<std::vector<DnsName>> namesOf(SourceId source) = 0;
};

/// Names below which a domain of this kind answers.
[[nodiscard]] std::vector<DnsName> namesAnsweredBy(DomainKind kind, const DnsName& name, std::string_view token,
                                                   const DnsName& platform);

/// Over tenantdb/, as the SQL role dns.
[[nodiscard]] Result<std::unique_ptr<TenantSource>> openTenantSource(const Settings& settings);

}  // namespace mailzone::backend
