#include "backend/tenant_source.h"

#include <sys/stat.h>

#include <array>

namespace mailzone::backend {
namespace {

using tenantdb::Feed;
using tenantdb::PublicStore;

/// Which file a path names now; "" where there is none (or the database is no file).
std::string fileIdentity(const std::string& path) {
  struct stat file {};
  if (path.empty() || ::stat(path.c_str(), &file) != 0) return {};
  return std::to_string(file.st_dev) + ':' + std::to_string(file.st_ino);
}

/// A database that is damaged is one that cannot be asked. Errc::corrupt would be the replica's, which is then made
/// anew, and there would be nothing to fill it from.
template <class T>
Result<T> told(Result<T> asked) {
  if (!asked && asked.error().code == Errc::corrupt) asked.error().code = Errc::unavailable;
  return asked;
}

class SqlTenantSource final : public TenantSource {
 public:
  SqlTenantSource(std::unique_ptr<sql::Connection> connection, std::string file)
      : connection_(std::move(connection)), file_(std::move(file)), identity_(fileIdentity(file_)) {}

  Result<std::optional<std::int64_t>> dataVersion() override {
    if (fileIdentity(file_) != identity_) {
      return fail(Errc::unavailable, file_, "the database file was replaced", "it is opened again by itself");
    }
    return told(connection_->dataVersion());
  }
  Result<std::int64_t> advance(std::int64_t limit) override { return told(feed_.advance(limit)); }
  Result<std::vector<tenantdb::Change>> changesAfter(std::int64_t after, std::int64_t limit) override {
    return told(feed_.changesAfter(after, limit));
  }
  Result<std::optional<std::string>> nonceAt(std::int64_t seq) override { return told(feed_.nonceAt(seq)); }

  Result<std::vector<PlatformId>> platforms() override { return told(store_.platforms()); }
  Result<std::optional<PlatformContext>> context(PlatformId id, std::vector<tenantdb::BadPart>* badParts) override {
    return told(store_.context(id, badParts));
  }
  Result<std::optional<RowOf<DomainId, Domain>>> domain(DomainId id) override { return told(store_.domain(id)); }
  Result<void> eachDomain(PlatformId id, const OnRow<DomainId, Domain>& onRow) override {
    return told(store_.eachDomain(id, onRow));
  }
  Result<std::optional<RowOf<DepartedId, Departed>>> departed(DepartedId id) override {
    return told(store_.departed(id));
  }
  Result<void> eachDeparted(PlatformId id, const OnRow<DepartedId, Departed>& onRow) override {
    return told(store_.eachDeparted(id, onRow));
  }
  Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> staticRecord(StaticRecordId id) override {
    return told(store_.staticRecord(id));
  }
  Result<void> eachStaticRecord(const OnRow<StaticRecordId, StaticRecord>& onRow) override {
    return told(store_.eachStaticRecord(onRow));
  }
  Result<std::vector<RowOf<ZoneId, Zone>>> zones() override { return told(store_.zones()); }
  Result<std::vector<PublicStore::Metadata>> zoneMetadata() override { return told(store_.zoneMetadata()); }

  Result<std::vector<DnsName>> namesOf(SourceId source) override {
    const char* statement = nullptr;
    switch (source.kind) {
      case SourceKind::domain:
        statement =
            "SELECT d.name, d.kind, d.token, p.name FROM domain d JOIN platform p ON p.id = d.platform_id "
            "WHERE d.id = ?";
        break;
      case SourceKind::departed:
        statement =
            "SELECT d.name, d.kind, d.token, p.name FROM departed d JOIN platform p ON p.id = d.platform_id "
            "WHERE d.id = ?";
        break;
      case SourceKind::staticRecord:
        statement = "SELECT owner FROM static_record WHERE id = ?";
        break;
      default:
        return std::vector<DnsName>{};
    }
    std::vector<DnsName> names;
    const std::array<sql::Value, 1> values = {source.id};
    auto done = connection_->query(statement, values, [&](const sql::Row& row) {
      auto name = DnsName::parse(row.text(0));
      if (!name) return true;
      if (row.size() == 1) {
        names.push_back(*name);
        return true;
      }
      auto platform = DnsName::parse(row.text(3));
      if (!platform) return true;
      auto kind = parseWord<DomainKind>(row.text(1));
      names = namesAnsweredBy(kind ? *kind : DomainKind::subdomain, *name, row.text(2), *platform);
      return true;
    });
    if (!done) return told(Result<std::vector<DnsName>>(pass(done)));
    return names;
  }

 private:
  std::unique_ptr<sql::Connection> connection_;
  std::string file_;
  std::string identity_;
  PublicStore store_{*connection_};
  Feed feed_{*connection_};
};

}  // namespace

std::vector<DnsName> namesAnsweredBy(DomainKind kind, const DnsName& name, std::string_view token,
                                     const DnsName& platform) {
  std::vector<DnsName> names;
  const auto add = [&](const DnsName& base, std::initializer_list<std::string_view> labels) {
    Result<DnsName> at = base;
    for (const auto each : labels) at = at ? at->child(each) : at;
    if (at) names.push_back(*at);
  };
  if (kind == DomainKind::delegated) {
    add(platform, {label::kKeyTarget, token});
    add(platform, {label::kReturnPath, token});
  } else {
    add(name, {});
    if (kind == DomainKind::platform) {
      // Its own name is an apex, which must not silence what lies below.
      add(name, {"_dmarc"});
      add(name, {"_domainkey"});
    }
  }
  return names;
}

Result<std::unique_ptr<TenantSource>> openTenantSource(const Settings& settings) {
  auto connection = openDatabase(settings, SqlRole::dns);
  if (!connection) return told(Result<std::unique_ptr<TenantSource>>(pass(connection)));
  return std::unique_ptr<TenantSource>(std::make_unique<SqlTenantSource>(
      std::move(*connection), settings.database.engine == "sqlite" ? settings.database.path : std::string()));
}

}  // namespace mailzone::backend
