#include "tenantdb/admin_store.h"

#include <fmt/format.h>

#include <map>

#include "tenantdb/columns.h"

namespace mailzone::tenantdb {
namespace {

using Values = std::vector<sql::Value>;

sql::Value orNull(const std::optional<std::string>& text) {
  return text ? sql::Value(*text) : sql::Value(nullptr);
}
template <class Enum>
sql::Value wordOrNull(const std::optional<Enum>& value) {
  return value ? sql::Value(std::string(word(*value))) : sql::Value(nullptr);
}

/// Statements of one connection; what every function below is made of.
class Statements {
 public:
  explicit Statements(sql::Connection& connection) : connection_(connection) {}

  Result<sql::Outcome> execute(std::string_view statement, const Values& values) {
    return connection_.execute(statement, values);
  }
  /// An INSERT, UPDATE or DELETE whose outcome does not matter.
  Result<void> run(std::string_view statement, const Values& values) {
    const auto done = connection_.execute(statement, values);
    if (!done) return pass(done);
    return {};
  }
  Result<void> each(std::string_view statement, const Values& values,
                    const std::function<void(const sql::Row&)>& onRow) {
    return connection_.query(statement, values, [&](const sql::Row& row) {
      onRow(row);
      return true;
    });
  }
  /// The first column of the first row, a number.
  Result<std::optional<std::int64_t>> number(std::string_view statement, const Values& values) {
    std::optional<std::int64_t> found;
    Result<void> read;
    const auto asked = connection_.query(statement, values, [&](const sql::Row& row) {
      const auto value = row.integer(0);
      if (value) {
        found = *value;
      } else {
        read = pass(value);
      }
      return false;
    });
    if (!asked) return pass(asked);
    if (!read) return pass(read);
    return found;
  }
  /// Likewise; no row is Errc::notFound with these words.
  Result<std::int64_t> numberOf(std::string_view what, std::string_view name, std::string_view statement,
                                const Values& values) {
    const auto found = number(statement, values);
    if (!found) return pass(found);
    if (!*found) return fail(Errc::notFound, name, fmt::format("there is no {} of this name", what));
    return **found;
  }
  Result<std::int64_t> tenantId(PlatformId platform, const std::string& slug) {
    return numberOf("tenant", slug, "SELECT id FROM tenant WHERE platform_id = ? AND slug = ?", {raw(platform), slug});
  }
  Result<std::int64_t> domainId(const DnsName& name) {
    return numberOf("domain", name.textNoDot(), "SELECT id FROM domain WHERE name = ?", {name.textNoDot()});
  }
  sql::Connection& connection() { return connection_; }

 private:
  sql::Connection& connection_;
};

/// What is named twice says so in words, not by the name of an index.
tl::unexpected<Error> explained(const Error& error, std::string_view value, std::string_view what) {
  if (error.code == Errc::conflict && error.rule.find("FOREIGN KEY") == std::string::npos &&
      error.rule.find("foreign key") == std::string::npos) {
    return fail(Errc::conflict, value, fmt::format("there is a {} of this name already", what));
  }
  Error full = error;
  if (full.value.empty()) full.value = escapeForDisplay(value);
  return tl::unexpected<Error>(std::move(full));
}

Result<std::int64_t> insertZone(Statements& sql, PlatformId platform, const NewZone& zone) {
  std::string columns = "platform_id, name, kind, primary_server, hostmaster";
  std::string places = "?, ?, ?, ?, ?";
  Values values = {raw(platform), zone.name.textNoDot(), std::string(word(zone.kind)), zone.primaryServer.textNoDot(),
                   zone.hostmaster.textNoDot()};
  const std::pair<std::string_view, std::optional<std::uint32_t>> optional[] = {{"refresh", zone.refresh},
                                                                                {"retry", zone.retry},
                                                                                {"expire", zone.expire},
                                                                                {"minimum", zone.minimum},
                                                                                {"ttl", zone.ttl}};
  for (const auto& [name, value] : optional) {
    if (!value) continue;
    columns += fmt::format(", {}", name);
    places += ", ?";
    values.emplace_back(std::int64_t{*value});
  }
  const auto inserted = sql.execute(fmt::format("INSERT INTO zone ({}) VALUES ({})", columns, places), values);
  if (!inserted) return explained(inserted.error(), zone.name.textNoDot(), "zone");
  return inserted->lastInsertId;
}

Result<void> insertRecord(Statements& sql, std::int64_t zone, const NewStaticRecord& record) {
  const auto done = sql.execute(
      "INSERT INTO static_record (zone_id, owner, type, ttl, content) VALUES (?, ?, ?, ?, ?)",
      {zone, record.owner.textNoDot(), record.type.text(), std::int64_t{record.ttl.seconds()}, record.content});
  if (!done) {
    return explained(done.error(), fmt::format("{} {}", record.owner.textNoDot(), record.type.text()), "record");
  }
  return {};
}

/// NS at the apex, and the name servers' addresses where they lie in this zone.
Result<void> insertNameServers(Statements& sql, std::int64_t zoneId, const DnsName& zone, std::optional<Ttl> ttl,
                               const std::vector<NameServer>& nameServers, bool withAddresses) {
  const Ttl recordTtl = ttl.value_or(*Ttl::of(3600));
  for (const auto& server : nameServers) {
    if (auto done = insertRecord(sql, zoneId, {zone, rrtype::NS, recordTtl, server.host.text()}); !done) return done;
    if (!withAddresses || !server.host.isAtOrBelow(zone)) continue;
    for (const auto& address : server.addresses) {
      const RecordType type = address.isV4() ? rrtype::A : rrtype::AAAA;
      if (auto done = insertRecord(sql, zoneId, {server.host, type, recordTtl, address.text()}); !done) return done;
    }
  }
  return {};
}

Result<void> raiseSerialAbove(Statements& sql, std::int64_t zone, std::uint32_t serial) {
  return sql.run("UPDATE zone_serial SET serial = ? WHERE zone_id = ? AND serial < ?",
                 {std::int64_t{serial}, zone, std::int64_t{serial}});
}

constexpr std::string_view kZoneRows =
    "SELECT z.id, coalesce(p.name, ''), z.name, z.kind, z.primary_server, z.hostmaster, z.ttl, coalesce(s.serial, 0), "
    "(SELECT count(*) FROM static_record r WHERE r.zone_id = z.id) "
    "FROM zone z LEFT JOIN platform p ON p.id = z.platform_id LEFT JOIN zone_serial s ON s.zone_id = z.id ";

ZoneRow readZoneRow(const sql::Row& row) {
  return {static_cast<ZoneId>(row.integer(0).value_or(0)),
          row.text(1),
          row.text(2),
          row.text(3),
          row.text(4),
          row.text(5),
          row.integer(6).value_or(0),
          row.integer(7).value_or(0),
          row.integer(8).value_or(0)};
}

constexpr std::string_view kTenantRows =
    "SELECT t.id, t.slug, t.external_id, t.state, t.created_at, "
    "(SELECT count(*) FROM domain d WHERE d.tenant_id = t.id), (SELECT count(*) FROM login l WHERE l.tenant_id = t.id) "
    "FROM tenant t WHERE t.platform_id = ? ";

TenantRow readTenantRow(const sql::Row& row) {
  return {static_cast<TenantId>(row.integer(0).value_or(0)),
          row.text(1),
          row.text(2),
          row.text(3),
          row.text(4),
          row.integer(5).value_or(0),
          row.integer(6).value_or(0)};
}

constexpr std::string_view kDomainRows =
    "SELECT d.id, d.name, d.kind, coalesce(t.slug, ''), d.external_id, d.token, d.state, d.signing, "
    "coalesce(d.dmarc_policy, p.dmarc_policy), coalesce(d.dmarc_rua, p.dmarc_rua), d.verified_at, "
    "d.bounce_verified_at, "
    "d.created_at, coalesce(s.slot, '') "
    "FROM domain d JOIN platform p ON p.id = d.platform_id LEFT JOIN tenant t ON t.id = d.tenant_id "
    "LEFT JOIN active_key a ON a.domain_id = d.id AND a.algorithm = 'rsa' "
    "LEFT JOIN dkim_selector s ON s.id = a.selector_id ";

std::optional<std::string> textOrNone(const sql::Row& row, std::size_t column) {
  return row.isNull(column) ? std::nullopt : std::optional<std::string>(row.text(column));
}

DomainRow readDomainRow(const sql::Row& row) {
  DomainRow domain;
  domain.id = static_cast<DomainId>(row.integer(0).value_or(0));
  domain.name = row.text(1);
  domain.kind = row.text(2);
  domain.tenant = row.text(3);
  domain.externalId = row.text(4);
  domain.token = row.text(5);
  domain.state = row.text(6);
  domain.signing = row.text(7);
  domain.dmarcPolicy = row.text(8);
  domain.dmarcRua = row.text(9);
  domain.verifiedAt = textOrNone(row, 10);
  domain.bounceVerifiedAt = textOrNone(row, 11);
  domain.createdAt = row.text(12);
  domain.activeSelector = row.text(13);
  return domain;
}

/// A word of the key life cycle, by the facts of the row.
std::string keyState(const sql::Row& row, std::size_t active, std::size_t activatedAt, std::size_t revokedAt) {
  if (!row.isNull(revokedAt)) return "revoked";
  if (!row.isNull(active)) return "active";
  return row.isNull(activatedAt) ? "standby" : "draining";
}

/// Runs `work` as one transaction that also yields a value.
template <class T>
Result<T> transaction(sql::Connection& connection, const std::function<Result<T>()>& work) {
  Result<T> value = fail(Errc::internal, "", "the work did not run");
  const auto done = sql::inTransaction(connection, [&]() -> Result<void> {
    value = work();
    if (!value) return pass(value);
    return {};
  });
  if (!done) return pass(done);
  return value;
}

Result<TenantId> insertTenant(Statements& sql, PlatformId platform, const NewTenant& tenant) {
  const auto inserted = sql.execute("INSERT INTO tenant (platform_id, slug, external_id) VALUES (?, ?, ?)",
                                    {raw(platform), tenant.slug, orNull(tenant.externalId)});
  if (!inserted) return explained(inserted.error(), tenant.slug, "tenant (slug or external id)");
  const TenantId id{inserted->lastInsertId};
  if (!tenant.signing && !tenant.dmarcPolicy) return id;
  const auto set = sql.run(
      "UPDATE domain SET signing = coalesce(?, signing), dmarc_policy = coalesce(?, dmarc_policy) "
      "WHERE tenant_id = ? AND kind = 'subdomain'",
      {wordOrNull(tenant.signing), wordOrNull(tenant.dmarcPolicy), raw(id)});
  if (!set) return pass(set);
  return id;
}

}  // namespace

// Platform -----------------------------------------------------------------------------------------------------------

Result<PlatformId> AdminStore::addPlatform(const NewPlatform& platform) {
  Statements sql(connection_);
  if (platform.nameServers.empty()) {
    return fail(Errc::invalidInput, platform.name.textNoDot(), "a platform needs at least one name server");
  }
  return transaction<PlatformId>(connection_, [&]() -> Result<PlatformId> {
    const auto inserted =
        sql.execute("INSERT INTO platform (name, dmarc_policy, dmarc_rua) VALUES (?, ?, ?)",
                    {platform.name.textNoDot(), std::string(word(platform.dmarcPolicy)), platform.dmarcRua});
    if (!inserted) return explained(inserted.error(), platform.name.textNoDot(), "platform");
    const PlatformId id{inserted->lastInsertId};
    const auto keyTarget = platform.name.child(label::kKeyTarget);
    const auto returnPath = platform.name.child(label::kReturnPath);
    if (!keyTarget) return pass(keyTarget);
    if (!returnPath) return pass(returnPath);
    const std::pair<const DnsName&, ZoneKind> zones[] = {
        {platform.name, ZoneKind::platform}, {*keyTarget, ZoneKind::keyTarget}, {*returnPath, ZoneKind::returnPath}};
    for (const auto& [name, kind] : zones) {
      NewZone zone;
      zone.name = name;
      zone.kind = kind;
      zone.primaryServer = platform.nameServers.front().host;
      zone.hostmaster = platform.hostmaster;
      const auto zoneId = insertZone(sql, id, zone);
      if (!zoneId) return pass(zoneId);
      const auto served =
          insertNameServers(sql, *zoneId, name, std::nullopt, platform.nameServers, kind == ZoneKind::platform);
      if (!served) return pass(served);
    }
    for (const auto& exchanger : platform.mailExchangers) {
      const auto done = sql.run("INSERT INTO mail_exchanger (platform_id, preference, host_name) VALUES (?, ?, ?)",
                                {raw(id), std::int64_t{exchanger.preference}, exchanger.host.textNoDot()});
      if (!done) return explained(done.error(), exchanger.host.textNoDot(), "mail exchanger");
    }
    return id;
  });
}

Result<std::vector<PlatformRow>> AdminStore::platforms() {
  Statements sql(connection_);
  std::vector<PlatformRow> list;
  auto read = sql.each(
      "SELECT id, name, dmarc_policy, dmarc_rua, drain_seconds, revoke_seconds, created_at FROM platform ORDER BY id",
      {}, [&](const sql::Row& row) {
        list.push_back({static_cast<PlatformId>(row.integer(0).value_or(0)),
                        row.text(1),
                        row.text(2),
                        row.text(3),
                        row.integer(4).value_or(0),
                        row.integer(5).value_or(0),
                        row.text(6),
                        {}});
      });
  if (!read) return pass(read);
  for (auto& platform : list) {
    read = sql.each(
        "SELECT preference, host_name FROM mail_exchanger WHERE platform_id = ? ORDER BY preference, host_name",
        {raw(platform.id)},
        [&](const sql::Row& row) { platform.mailExchangers.push_back(row.text(0) + " " + row.text(1)); });
    if (!read) return pass(read);
  }
  return list;
}

Result<PlatformId> AdminStore::platformNamed(const std::string& name) {
  Statements sql(connection_);
  std::vector<std::pair<std::int64_t, std::string>> found;
  const auto read = sql.each("SELECT id, name FROM platform ORDER BY id", {}, [&](const sql::Row& row) {
    if (name.empty() || row.text(1) == name) found.emplace_back(row.integer(0).value_or(0), row.text(1));
  });
  if (!read) return pass(read);
  if (found.empty()) {
    return fail(Errc::notFound, name, name.empty() ? "there is no platform yet" : "there is no platform of this name",
                "run `mailzone platform add`");
  }
  if (found.size() > 1) {
    return fail(Errc::conflict, "", "the database holds several platforms", "say --platform NAME");
  }
  return PlatformId{found.front().first};
}

// Zones --------------------------------------------------------------------------------------------------------------

Result<ZoneId> AdminStore::addZone(PlatformId platform, const NewZone& zone,
                                   const std::vector<NameServer>& nameServers) {
  Statements sql(connection_);
  return transaction<ZoneId>(connection_, [&]() -> Result<ZoneId> {
    const auto id = insertZone(sql, platform, zone);
    if (!id) return pass(id);
    if (auto served = insertNameServers(sql, *id, zone.name, std::nullopt, nameServers, true); !served) {
      return pass(served);
    }
    if (zone.serial) {
      if (auto raised = raiseSerialAbove(sql, *id, *zone.serial); !raised) return pass(raised);
    }
    return static_cast<ZoneId>(*id);
  });
}

Result<std::vector<ZoneRow>> AdminStore::zones() {
  std::vector<ZoneRow> list;
  const auto read =
      Statements(connection_).each(std::string(kZoneRows) + "ORDER BY z.name", {}, [&](const sql::Row& row) {
        list.push_back(readZoneRow(row));
      });
  if (!read) return pass(read);
  return list;
}

Result<std::optional<ZoneRow>> AdminStore::zone(const DnsName& name) {
  std::optional<ZoneRow> found;
  const auto read = Statements(connection_)
                        .each(std::string(kZoneRows) + "WHERE z.name = ?", {name.textNoDot()},
                              [&](const sql::Row& row) { found = readZoneRow(row); });
  if (!read) return pass(read);
  return found;
}

Result<std::vector<StaticRecord>> AdminStore::staticRecords(ZoneId zone) {
  std::vector<StaticRecord> list;
  Result<void> readable;
  const auto read =
      Statements(connection_)
          .each(
              "SELECT id, owner, type, ttl, content FROM static_record WHERE zone_id = ? ORDER BY owner, type, content",
              {raw(zone)}, [&](const sql::Row& row) {
                Columns columns(row, "static_record", row.integer(0).value_or(0));
                StaticRecord record;
                record.id = static_cast<StaticRecordId>(row.integer(0).value_or(0));
                record.zone = zone;
                record.owner = columns.name(1, "owner");
                if (const auto type = RecordType::parse(row.text(2))) record.type = *type;
                record.ttl = columns.take<Ttl>(Ttl::of(columns.number(3, "ttl", 0, 2147483647)), "ttl");
                record.content = row.text(4);
                if (!columns.error()) list.push_back(std::move(record));  // else listed by checkDatabase()
              });
  if (!read) return pass(read);
  return list;
}

Result<StaticRecordId> AdminStore::addStaticRecord(ZoneId zone, const NewStaticRecord& record) {
  Statements sql(connection_);
  return transaction<StaticRecordId>(connection_, [&]() -> Result<StaticRecordId> {
    if (auto done = insertRecord(sql, raw(zone), record); !done) return pass(done);
    const auto id =
        sql.numberOf("record", record.owner.textNoDot(),
                     "SELECT id FROM static_record WHERE zone_id = ? AND owner = ? AND type = ? AND content = ?",
                     {raw(zone), record.owner.textNoDot(), record.type.text(), record.content});
    if (!id) return pass(id);
    return StaticRecordId{*id};
  });
}

Result<void> AdminStore::removeStaticRecord(StaticRecordId id) {
  const auto done = Statements(connection_).execute("DELETE FROM static_record WHERE id = ?", {raw(id)});
  if (!done) return pass(done);
  if (done->affectedRows == 0)
    return fail(Errc::notFound, std::to_string(raw(id)), "there is no static record of this id");
  return {};
}

Result<AdminStore::ImportCount> AdminStore::importStaticRecords(ZoneId zone,
                                                                const std::vector<NewStaticRecord>& records) {
  Statements sql(connection_);
  return transaction<ImportCount>(connection_, [&]() -> Result<ImportCount> {
    // What stays is not touched: the feed then carries the difference only.
    using Key = std::tuple<std::string, std::string, std::int64_t, std::string>;
    std::map<Key, std::int64_t> had;
    auto read = sql.each(
        "SELECT id, owner, type, ttl, content FROM static_record WHERE zone_id = ?", {raw(zone)},
        [&](const sql::Row& row) {
          had[{row.text(1), row.text(2), row.integer(3).value_or(-1), row.text(4)}] = row.integer(0).value_or(0);
        });
    if (!read) return pass(read);
    std::vector<const NewStaticRecord*> missing;
    for (const auto& record : records) {
      const Key key{record.owner.textNoDot(), record.type.text(), record.ttl.seconds(), record.content};
      if (had.erase(key) == 0) missing.push_back(&record);
    }
    ImportCount count;
    for (const auto& [key, id] : had) {
      if (auto gone = sql.run("DELETE FROM static_record WHERE id = ?", {id}); !gone) return pass(gone);
      ++count.deleted;
    }
    for (const auto* record : missing) {
      if (auto done = insertRecord(sql, raw(zone), *record); !done) return pass(done);
      ++count.inserted;
    }
    return count;
  });
}

Result<void> AdminStore::raiseSerial(ZoneId zone, std::uint32_t serial) {
  Statements sql(connection_);
  return raiseSerialAbove(sql, raw(zone), serial);
}

// Addresses, relays, streams -----------------------------------------------------------------------------------------

Result<Written> AdminStore::addAddress(PlatformId platform, const IpAddress& address, const DnsName& hostName,
                                       const std::string& pool, PoolPurpose purpose) {
  Statements sql(connection_);
  return transaction<Written>(connection_, [&]() -> Result<Written> {
    std::string found;
    auto read = sql.each(
        "SELECT p.platform_id, a.host_name, p.name, p.purpose FROM ip_address a JOIN ip_pool p ON p.id = "
        "a.pool_id WHERE a.address = ?",
        {address.text()}, [&](const sql::Row& row) {
          found = fmt::format("{}|{}|{}|{}", row.text(0), row.text(1), row.text(2), row.text(3));
        });
    if (!read) return pass(read);
    if (found == fmt::format("{}|{}|{}|{}", raw(platform), hostName.textNoDot(), pool, word(purpose))) {
      return Written::unchanged;
    }
    if (!found.empty()) {
      return fail(Errc::conflict, address.text(), "the address is there already, with another host name or pool",
                  "remove it first");
    }
    auto poolId = sql.number("SELECT id FROM ip_pool WHERE platform_id = ? AND name = ?", {raw(platform), pool});
    if (!poolId) return pass(poolId);
    if (!*poolId) {
      const auto made = sql.execute("INSERT INTO ip_pool (platform_id, name, purpose) VALUES (?, ?, ?)",
                                    {raw(platform), pool, std::string(word(purpose))});
      if (!made) return explained(made.error(), pool, "pool");
      poolId = std::optional(made->lastInsertId);
    } else {
      const auto same =
          sql.number("SELECT 1 FROM ip_pool WHERE id = ? AND purpose = ?", {**poolId, std::string(word(purpose))});
      if (!same) return pass(same);
      if (!*same) {
        return fail(Errc::conflict, pool, fmt::format("the pool's purpose is not {}", word(purpose)),
                    "name another pool or its own purpose");
      }
    }
    const auto done = sql.run("INSERT INTO ip_address (pool_id, address, host_name) VALUES (?, ?, ?)",
                              {**poolId, address.text(), hostName.textNoDot()});
    if (!done) return explained(done.error(), hostName.textNoDot(), "address");
    return Written::created;
  });
}

Result<std::vector<AddressRow>> AdminStore::addresses(PlatformId platform) {
  std::vector<AddressRow> list;
  const auto read = Statements(connection_)
                        .each(
                            "SELECT a.id, a.address, a.host_name, p.name, p.purpose FROM ip_address a JOIN ip_pool p "
                            "ON p.id = a.pool_id "
                            "WHERE p.platform_id = ? ORDER BY p.name, a.id",
                            {raw(platform)}, [&](const sql::Row& row) {
                              list.push_back({static_cast<AddressId>(row.integer(0).value_or(0)), row.text(1),
                                              row.text(2), row.text(3), row.text(4)});
                            });
  if (!read) return pass(read);
  return list;
}

Result<bool> AdminStore::removeAddress(PlatformId platform, const IpAddress& address) {
  const auto done =
      Statements(connection_)
          .execute(
              "DELETE FROM ip_address WHERE address = ? AND pool_id IN (SELECT id FROM ip_pool WHERE platform_id = ?)",
              {address.text(), raw(platform)});
  if (!done) return pass(done);
  return done->affectedRows > 0;
}

Result<Written> AdminStore::addRelay(PlatformId platform, const std::string& name,
                                     const std::optional<DnsName>& spfInclude, RelayEnvelope envelope) {
  Statements sql(connection_);
  const std::string include = spfInclude ? spfInclude->textNoDot() : "";
  return transaction<Written>(connection_, [&]() -> Result<Written> {
    std::optional<std::string> found;
    auto read = sql.each("SELECT coalesce(spf_include, ''), envelope FROM relay WHERE platform_id = ? AND name = ?",
                         {raw(platform), name}, [&](const sql::Row& row) { found = row.text(0) + "|" + row.text(1); });
    if (!read) return pass(read);
    if (found == include + "|" + std::string(word(envelope))) return Written::unchanged;
    if (found) return fail(Errc::conflict, name, "there is a relay of this name with other values");
    const auto done = sql.run(
        "INSERT INTO relay (platform_id, name, spf_include, envelope) VALUES (?, ?, ?, ?)",
        {raw(platform), name, spfInclude ? sql::Value(include) : sql::Value(nullptr), std::string(word(envelope))});
    if (!done) return explained(done.error(), name, "relay");
    return Written::created;
  });
}

Result<std::vector<RelayRow>> AdminStore::relays(PlatformId platform) {
  std::vector<RelayRow> list;
  const auto read = Statements(connection_)
                        .each("SELECT id, name, spf_include, envelope FROM relay WHERE platform_id = ? ORDER BY name",
                              {raw(platform)}, [&](const sql::Row& row) {
                                list.push_back({static_cast<RelayId>(row.integer(0).value_or(0)), row.text(1),
                                                row.text(2), row.text(3)});
                              });
  if (!read) return pass(read);
  return list;
}

Result<Written> AdminStore::addStream(PlatformId platform, const NewStream& stream) {
  Statements sql(connection_);
  if (stream.pool.has_value() == stream.relay.has_value()) {
    return fail(Errc::invalidInput, stream.name, "a stream leaves by a pool or by a relay", "name exactly one");
  }
  return transaction<Written>(connection_, [&]() -> Result<Written> {
    sql::Value pool = nullptr;
    sql::Value relay = nullptr;
    const std::string& way = stream.pool ? *stream.pool : *stream.relay;
    const auto wayId = sql.numberOf(stream.pool ? "pool" : "relay", way,
                                    stream.pool ? "SELECT id FROM ip_pool WHERE platform_id = ? AND name = ?"
                                                : "SELECT id FROM relay WHERE platform_id = ? AND name = ?",
                                    {raw(platform), way});
    if (!wayId) return pass(wayId);
    (stream.pool ? pool : relay) = *wayId;
    std::int64_t of = raw(platform);
    if (stream.domain) {
      const auto domain = sql.domainId(*stream.domain);
      if (!domain) return pass(domain);
      of = *domain;
    }
    const std::string_view owner = stream.domain ? "domain_id" : "platform_id";
    const auto had =
        sql.number(fmt::format("SELECT CASE WHEN {} = ? THEN 1 ELSE 0 END FROM stream WHERE {} = ? AND name = ?",
                               stream.pool ? "coalesce(pool_id, -1)" : "coalesce(relay_id, -1)", owner),
                   {*wayId, of, stream.name});
    if (!had) return pass(had);
    if (*had == 1) return Written::unchanged;
    if (*had)
      return fail(Errc::conflict, stream.name, "there is a stream of this name that leaves by another way",
                  "remove it first");
    const auto done =
        sql.run(fmt::format("INSERT INTO stream ({}, name, pool_id, relay_id) VALUES (?, ?, ?, ?)", owner),
                {of, stream.name, pool, relay});
    if (!done) return explained(done.error(), stream.name, "stream");
    return Written::created;
  });
}

Result<std::vector<StreamRow>> AdminStore::streams(PlatformId platform) {
  std::vector<StreamRow> list;
  const auto read =
      Statements(connection_)
          .each(
              "SELECT s.id, s.name, p.name, r.name, d.name FROM stream s LEFT JOIN ip_pool p ON p.id = s.pool_id "
              "LEFT JOIN relay r ON r.id = s.relay_id LEFT JOIN domain d ON d.id = s.domain_id "
              "WHERE coalesce(s.platform_id, d.platform_id) = ? ORDER BY coalesce(d.name, ''), s.name",
              {raw(platform)}, [&](const sql::Row& row) {
                list.push_back({static_cast<StreamId>(row.integer(0).value_or(0)), row.text(1), row.text(2),
                                row.text(3), row.text(4)});
              });
  if (!read) return pass(read);
  return list;
}

Result<bool> AdminStore::removeStream(PlatformId platform, const std::string& name,
                                      const std::optional<DnsName>& domain) {
  Statements sql(connection_);
  const auto done =
      domain ? sql.execute("DELETE FROM stream WHERE name = ? AND domain_id = (SELECT id FROM domain WHERE name = ?)",
                           {name, domain->textNoDot()})
             : sql.execute("DELETE FROM stream WHERE name = ? AND platform_id = ?", {name, raw(platform)});
  if (!done) return pass(done);
  return done->affectedRows > 0;
}

// Tenants ------------------------------------------------------------------------------------------------------------

Result<TenantId> AdminStore::addTenant(PlatformId platform, const NewTenant& tenant) {
  Statements sql(connection_);
  return transaction<TenantId>(connection_, [&] { return insertTenant(sql, platform, tenant); });
}

Result<std::vector<TenantId>> AdminStore::addTenants(PlatformId platform, const std::vector<NewTenant>& tenants,
                                                     const std::function<void(std::size_t done)>& progress) {
  Statements sql(connection_);
  return transaction<std::vector<TenantId>>(connection_, [&]() -> Result<std::vector<TenantId>> {
    std::vector<TenantId> ids;
    ids.reserve(tenants.size());
    for (const auto& tenant : tenants) {
      const auto id = insertTenant(sql, platform, tenant);
      if (!id) {
        Error error = id.error();
        error.value = fmt::format("line {}: {}", ids.size() + 1, error.value);
        return tl::unexpected<Error>(std::move(error));
      }
      ids.push_back(*id);
      if (progress) progress(ids.size());
    }
    return ids;
  });
}

Result<std::vector<TenantRow>> AdminStore::tenants(PlatformId platform) {
  std::vector<TenantRow> list;
  const auto read = Statements(connection_)
                        .each(std::string(kTenantRows) + "ORDER BY t.slug", {raw(platform)},
                              [&](const sql::Row& row) { list.push_back(readTenantRow(row)); });
  if (!read) return pass(read);
  return list;
}

Result<std::optional<TenantRow>> AdminStore::tenant(PlatformId platform, const std::string& slug) {
  std::optional<TenantRow> found;
  const auto read = Statements(connection_)
                        .each(std::string(kTenantRows) + "AND t.slug = ?", {raw(platform), slug},
                              [&](const sql::Row& row) { found = readTenantRow(row); });
  if (!read) return pass(read);
  return found;
}

Result<Written> AdminStore::setTenantState(PlatformId platform, const std::string& slug, TenantState state) {
  Statements sql(connection_);
  return transaction<Written>(connection_, [&]() -> Result<Written> {
    const auto id = sql.tenantId(platform, slug);
    if (!id) return pass(id);
    const std::string wanted(word(state));
    const auto done = sql.execute("UPDATE tenant SET state = ? WHERE id = ? AND state <> ?", {wanted, *id, wanted});
    if (!done) return pass(done);
    return done->affectedRows > 0 ? Written::created : Written::unchanged;
  });
}

Result<void> AdminStore::renameTenant(PlatformId platform, const std::string& slug, const std::string& newSlug) {
  Statements sql(connection_);
  return sql::inTransaction(connection_, [&]() -> Result<void> {
    const auto id = sql.tenantId(platform, slug);
    if (!id) return pass(id);
    const auto done = sql.run("UPDATE tenant SET slug = ? WHERE id = ?", {newSlug, *id});
    if (!done) return explained(done.error(), newSlug, "tenant");
    return {};
  });
}

Result<bool> AdminStore::removeTenant(PlatformId platform, const std::string& slug) {
  const auto done =
      Statements(connection_).execute("DELETE FROM tenant WHERE platform_id = ? AND slug = ?", {raw(platform), slug});
  if (!done) return pass(done);
  return done->affectedRows > 0;
}

// Domains ------------------------------------------------------------------------------------------------------------

Result<DomainId> AdminStore::addDomain(PlatformId platform, const NewDomain& domain) {
  Statements sql(connection_);
  return transaction<DomainId>(connection_, [&]() -> Result<DomainId> {
    const auto tenant = sql.tenantId(platform, domain.tenantSlug);
    if (!tenant) return pass(tenant);
    const auto inserted = sql.execute(
        "INSERT INTO domain (platform_id, tenant_id, name, kind, external_id, dmarc_policy) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        {raw(platform), *tenant, domain.name.textNoDot(), std::string(word(domain.kind)), orNull(domain.externalId),
         wordOrNull(domain.dmarcPolicy)});
    if (!inserted) return explained(inserted.error(), domain.name.textNoDot(), "domain (name or external id)");
    return DomainId{inserted->lastInsertId};
  });
}

Result<std::vector<DomainRow>> AdminStore::domains(PlatformId platform, const std::optional<std::string>& tenantSlug) {
  std::vector<DomainRow> list;
  Values values = {raw(platform)};
  if (tenantSlug) values.emplace_back(*tenantSlug);
  const auto read = Statements(connection_)
                        .each(fmt::format("{}WHERE d.platform_id = ? {}ORDER BY d.name", kDomainRows,
                                          tenantSlug ? "AND t.slug = ? " : ""),
                              values, [&](const sql::Row& row) { list.push_back(readDomainRow(row)); });
  if (!read) return pass(read);
  return list;
}

Result<std::optional<DomainRow>> AdminStore::domain(const DnsName& name) {
  std::optional<DomainRow> found;
  const auto read = Statements(connection_)
                        .each(std::string(kDomainRows) + "WHERE d.name = ?", {name.textNoDot()},
                              [&](const sql::Row& row) { found = readDomainRow(row); });
  if (!read) return pass(read);
  return found;
}

Result<Written> AdminStore::recordVerification(const DnsName& name, const Verification& seen, TimePoint at) {
  Statements sql(connection_);
  return transaction<Written>(connection_, [&]() -> Result<Written> {
    const auto id = sql.domainId(name);
    if (!id) return pass(id);
    const std::string state(seen.verified ? "verified" : "unverified");
    const std::string time = printSqlTime(at);
    const auto changed =
        sql.number("SELECT count(*) FROM domain WHERE id = ? AND (state <> ? OR (bounce_verified_at IS NOT NULL) <> ?)",
                   {*id, state, std::int64_t{seen.verified && seen.bounce ? 1 : 0}});
    if (!changed) return pass(changed);
    const sql::Value verifiedAt = seen.verified ? sql::Value(time) : sql::Value(nullptr);
    const sql::Value bounceAt = seen.verified && seen.bounce ? sql::Value(time) : sql::Value(nullptr);
    const auto done = sql.run("UPDATE domain SET state = ?, verified_at = ?, bounce_verified_at = ? WHERE id = ?",
                              {state, verifiedAt, bounceAt, *id});
    if (!done) return explained(done.error(), name.textNoDot(), "domain");
    return *changed == 1 ? Written::created : Written::unchanged;
  });
}

Result<bool> AdminStore::removeDomain(const DnsName& name) {
  const auto done = Statements(connection_).execute("DELETE FROM domain WHERE name = ?", {name.textNoDot()});
  if (!done) return pass(done);
  return done->affectedRows > 0;
}

// Logins -------------------------------------------------------------------------------------------------------------

Result<LoginId> AdminStore::addLogin(PlatformId platform, const NewLogin& login) {
  Statements sql(connection_);
  return transaction<LoginId>(connection_, [&]() -> Result<LoginId> {
    const auto tenant = sql.tenantId(platform, login.tenantSlug);
    if (!tenant) return pass(tenant);
    const auto inserted = sql.execute("INSERT INTO login (tenant_id, name, password_hash) VALUES (?, ?, ?)",
                                      {*tenant, login.name, login.passwordHash});
    if (!inserted) return explained(inserted.error(), login.name, "login");
    const std::int64_t id = inserted->lastInsertId;
    if (login.domains.empty()) {
      auto all = sql.run("INSERT INTO login_domain (login_id, domain_id) SELECT ?, id FROM domain WHERE tenant_id = ?",
                         {id, *tenant});
      if (!all) return pass(all);
    }
    for (const auto& name : login.domains) {
      const auto domain = sql.domainId(name);
      if (!domain) return pass(domain);
      const auto done = sql.run("INSERT INTO login_domain (login_id, domain_id) VALUES (?, ?)", {id, *domain});
      if (!done) return explained(done.error(), name.textNoDot(), "domain of this login");
    }
    return LoginId{id};
  });
}

Result<std::vector<LoginRow>> AdminStore::logins(PlatformId platform, const std::optional<std::string>& tenantSlug) {
  std::vector<LoginRow> list;
  Values values = {raw(platform)};
  if (tenantSlug) values.emplace_back(*tenantSlug);
  const auto read =
      Statements(connection_)
          .each(
              fmt::format(
                  "SELECT l.id, l.name, t.slug, l.created_at, d.name FROM login l JOIN tenant t ON t.id = l.tenant_id "
                  "LEFT JOIN login_domain ld ON ld.login_id = l.id LEFT JOIN domain d ON d.id = ld.domain_id "
                  "WHERE t.platform_id = ? {}ORDER BY l.name, d.name",
                  tenantSlug ? "AND t.slug = ? " : ""),
              values, [&](const sql::Row& row) {
                if (list.empty() || list.back().name != row.text(1)) {
                  list.push_back({LoginId{row.integer(0).value_or(0)}, row.text(1), row.text(2), row.text(3), {}});
                }
                if (!row.isNull(4)) list.back().domains.push_back(row.text(4));
              });
  if (!read) return pass(read);
  return list;
}

Result<bool> AdminStore::removeLogin(const std::string& name) {
  const auto done = Statements(connection_).execute("DELETE FROM login WHERE name = ?", {name});
  if (!done) return pass(done);
  return done->affectedRows > 0;
}

// Keys and counts ----------------------------------------------------------------------------------------------------

Result<std::vector<KeyRow>> AdminStore::keys(PlatformId platform, const std::optional<DnsName>& domain) {
  std::vector<KeyRow> list;
  Values values = {raw(platform)};
  if (domain) values.emplace_back(domain->textNoDot());
  const auto read =
      Statements(connection_)
          .each(fmt::format("SELECT d.name, s.slot, k.algorithm, k.fingerprint, k.bits, a.selector_id, s.published_at, "
                            "s.proven_at, "
                            "s.activated_at, s.revoked_at FROM dkim_selector s JOIN domain d ON d.id = s.domain_id "
                            "JOIN dkim_key k ON k.id = s.key_id LEFT JOIN active_key a ON a.selector_id = s.id "
                            "WHERE s.emptied_at IS NULL AND d.platform_id = ? {}ORDER BY d.name, s.slot",
                            domain ? "AND d.name = ? " : ""),
                values, [&](const sql::Row& row) {
                  KeyRow key;
                  key.domain = row.text(0);
                  key.slot = row.text(1);
                  key.algorithm = row.text(2);
                  key.fingerprint = row.text(3);
                  key.state = keyState(row, 5, 8, 9);
                  key.bits = row.integer(4).value_or(0);
                  key.active = !row.isNull(5);
                  key.publishedAt = textOrNone(row, 6);
                  key.provenAt = textOrNone(row, 7);
                  key.activatedAt = textOrNone(row, 8);
                  key.revokedAt = textOrNone(row, 9);
                  list.push_back(std::move(key));
                });
  if (!read) return pass(read);
  return list;
}

Result<AdminStore::Counts> AdminStore::counts() {
  Statements sql(connection_);
  Counts counts;
  const std::pair<std::int64_t*, std::string_view> questions[] = {
      {&counts.tenants, "SELECT count(*) FROM tenant"},
      {&counts.suspendedTenants, "SELECT count(*) FROM tenant WHERE state = 'suspended'"},
      {&counts.domains, "SELECT count(*) FROM domain"},
      {&counts.delegated, "SELECT count(*) FROM domain WHERE kind = 'delegated'"},
      {&counts.delegatedUnverified, "SELECT count(*) FROM domain WHERE kind = 'delegated' AND state = 'unverified'"},
      {&counts.degraded, "SELECT count(*) FROM domain WHERE state = 'degraded'"},
      {&counts.withoutActiveKey,
       "SELECT count(*) FROM domain d WHERE NOT EXISTS (SELECT 1 FROM active_key a WHERE a.domain_id = d.id)"},
      {&counts.spareKeys, "SELECT count(*) FROM dkim_key WHERE assigned_at IS NULL AND destroyed_at IS NULL"},
      {&counts.departedDraining, "SELECT count(*) FROM departed WHERE gone_at IS NULL"},
      {&counts.inbox, "SELECT count(*) FROM feed_inbox"},
      {&counts.feedHead, "SELECT seq FROM feed_head WHERE one = 1"},
  };
  for (const auto& [count, question] : questions) {
    const auto number = sql.number(question, {});
    if (!number) return pass(number);
    *count = number->value_or(0);
  }
  return counts;
}

}  // namespace mailzone::tenantdb
