#include "tenantdb/public_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tenantdb/columns.h"

namespace mailzone::tenantdb {
namespace {

constexpr std::int64_t kMostSeconds = 2147483647;
constexpr std::int64_t kMostSerial = 4294967295;

/// Runs a query whose first column is the id. `onRow` gets the row and its id; a row without an id is reported as an
/// Error of the whole: nothing could name it.
Result<void> eachRow(sql::Connection& connection, std::string_view statement, std::span<const sql::Value> values,
                     const std::function<void(const sql::Row&, std::int64_t)>& onRow) {
  Result<void> read;
  auto asked = connection.query(statement, values, [&](const sql::Row& row) {
    const auto id = row.integer(0);
    if (!id) {
      read = pass(id);
      return false;
    }
    onRow(row, *id);
    return true;
  });
  if (!asked) return asked;
  return read;
}

bool isToken(std::string_view text) noexcept {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string readToken(Columns& columns, std::size_t column) {
  std::string token = columns.text(column);
  if (!isToken(token)) {
    columns.note("token",
                 Error{Errc::invalidInput, escapeForDisplay(token), "not 32 lower-case hexadecimal digits", ""});
  }
  return token;
}

/// Base64 of RFC 4648 section 4, one line.
bool isBase64(std::string_view text) noexcept {
  const std::size_t padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  const auto body = text.substr(0, text.size() - padding);
  const auto isDigit = [](unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return !body.empty() && text.size() % 4 == 0 && padding <= 2 && std::all_of(body.begin(), body.end(), isDigit);
}

PublicKey readKey(Columns& columns, std::size_t algorithm, std::size_t base64) {
  PublicKey key{columns.word<KeyAlgorithm>(algorithm, "dkim_key.algorithm"), columns.text(base64)};
  if (!isBase64(key.base64)) {
    columns.note("dkim_key.public_key", Error{Errc::invalidInput, escapeForDisplay(key.base64, 60), "not base64",
                                              "give the domain another key"});
  }
  return key;
}

void sortSlots(std::vector<SlotContent>& slots) {
  std::sort(slots.begin(), slots.end(), [](const auto& a, const auto& b) { return a.slot < b.slot; });
}

// Streams ------------------------------------------------------------------------------------------------------------

constexpr std::string_view kStreamColumns = "SELECT id, name, pool_id, relay_id, domain_id FROM stream WHERE ";

Result<Stream> readStream(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "stream", id);
  Stream stream{static_cast<StreamId>(id), row.text(1), columns.optionalId<PoolId>(2, "pool_id"),
                columns.optionalId<RelayId>(3, "relay_id")};
  if (stream.pool.has_value() == stream.relay.has_value()) {
    columns.note("pool_id", Error{Errc::invalidInput, stream.name, "exactly one of pool_id and relay_id is set", ""});
  }
  return columns.done(std::move(stream));
}

/// Domains' own streams, by domain. A bad one makes its domain bad.
using StreamsByDomain = std::map<std::int64_t, std::vector<Result<Stream>>>;

Result<StreamsByDomain> readDomainStreams(sql::Connection& connection, std::string_view where, std::int64_t id) {
  StreamsByDomain streams;
  const sql::Value values[] = {id};
  const auto read = eachRow(connection, std::string(kStreamColumns) + std::string(where) + " ORDER BY name", values,
                            [&](const sql::Row& row, std::int64_t stream) {
                              if (const auto domain = row.integer(4))
                                streams[*domain].push_back(readStream(row, stream));
                            });
  if (!read) return pass(read);
  return streams;
}

// Domains ------------------------------------------------------------------------------------------------------------

// A domain's row comes once for each of its slots, one after another.
constexpr std::string_view kDomainColumns =
    "SELECT d.id, d.platform_id, d.tenant_id, d.name, d.kind, d.token, d.state, d.signing, d.zone_id, d.dmarc_policy, "
    "d.dmarc_rua, d.bounce_verified_at, s.slot, s.revoked_at, k.algorithm, k.public_key "
    "FROM domain d LEFT JOIN dkim_selector s ON s.domain_id = d.id AND s.emptied_at IS NULL "
    "LEFT JOIN dkim_key k ON k.id = s.key_id WHERE ";

Result<Domain> readDomain(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "domain", id);
  Domain domain;
  domain.id = static_cast<DomainId>(id);
  domain.platform = static_cast<PlatformId>(columns.number(1, "platform_id", 1, Columns::kMostId));
  domain.tenant = columns.optionalId<TenantId>(2, "tenant_id");
  domain.name = columns.hostName(3, "name");
  domain.kind = columns.word<DomainKind>(4, "kind");
  domain.token = readToken(columns, 5);
  domain.state = columns.word<DomainState>(6, "state");
  domain.signing = columns.word<Signing>(7, "signing");
  domain.zone = columns.optionalId<ZoneId>(8, "zone_id");
  if (!row.isNull(9)) domain.dmarcPolicy = columns.word<DmarcPolicy>(9, "dmarc_policy");
  domain.dmarcRua = columns.optionalText(10);
  domain.bounceVerified = !row.isNull(11);
  return columns.done(std::move(domain));
}

Result<std::optional<SlotContent>> readSlot(const sql::Row& row, std::int64_t id) {
  if (row.isNull(12)) return std::nullopt;
  Columns columns(row, "domain", id);
  SlotContent slot{columns.take<Slot>(parseSlot(row.text(12)), "dkim_selector.slot"), std::nullopt};
  if (row.isNull(13)) slot.key = readKey(columns, 14, 15);
  return columns.done(std::optional<SlotContent>(std::move(slot)));
}

/// Puts the rows of one domain together and hands it on when the next begins.
class DomainCollector {
 public:
  DomainCollector(const StreamsByDomain& streams, const std::function<void(RowOf<DomainId, Domain>)>& onDomain)
      : streams_(streams), onDomain_(onDomain) {}

  void add(const sql::Row& row, std::int64_t id) {
    if (current_ && raw(current_->id) != id) flush();
    if (!current_) current_ = RowOf<DomainId, Domain>{static_cast<DomainId>(id), readDomain(row, id)};
    if (!current_->value) return;
    auto slot = readSlot(row, id);
    if (!slot) {
      current_->value = pass(slot);
    } else if (*slot) {
      current_->value->slots.push_back(**std::move(slot));
    }
  }

  void flush() {
    if (!current_) return;
    if (current_->value) finish(*current_->value);
    onDomain_(*std::move(current_));
    current_.reset();
  }

 private:
  void finish(Domain& domain) {
    sortSlots(domain.slots);
    const auto own = streams_.find(raw(domain.id));
    if (own == streams_.end()) return;
    for (const auto& stream : own->second) {
      if (!stream) {
        current_->value = pass(stream);
        return;
      }
      domain.streams.push_back(*stream);
    }
  }

  const StreamsByDomain& streams_;
  const std::function<void(RowOf<DomainId, Domain>)>& onDomain_;
  std::optional<RowOf<DomainId, Domain>> current_;
};

Result<void> readDomains(sql::Connection& connection, std::string_view streamsWhere, std::string_view where,
                         std::int64_t id, const std::function<void(RowOf<DomainId, Domain>)>& onDomain) {
  const auto streams = readDomainStreams(connection, streamsWhere, id);
  if (!streams) return pass(streams);
  DomainCollector collector(*streams, onDomain);
  const sql::Value values[] = {id};
  auto read = eachRow(connection, std::string(kDomainColumns) + std::string(where) + " ORDER BY d.id", values,
                      [&](const sql::Row& row, std::int64_t domain) { collector.add(row, domain); });
  if (read) collector.flush();
  return read;
}

// Departed -----------------------------------------------------------------------------------------------------------

constexpr std::string_view kDepartedColumns =
    "SELECT d.id, d.platform_id, d.name, d.kind, d.token, d.was_verified, d.dmarc_policy, d.dmarc_rua, d.revoked_at, "
    "d.mz1_key_id, k1.algorithm, k1.public_key, d.mz2_key_id, k2.algorithm, k2.public_key "
    "FROM departed d LEFT JOIN dkim_key k1 ON k1.id = d.mz1_key_id LEFT JOIN dkim_key k2 ON k2.id = d.mz2_key_id "
    "WHERE d.gone_at IS NULL AND ";

RowOf<DepartedId, Departed> readDeparted(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "departed", id);
  Departed departed;
  departed.id = static_cast<DepartedId>(id);
  departed.platform = static_cast<PlatformId>(columns.number(1, "platform_id", 1, Columns::kMostId));
  departed.name = columns.hostName(2, "name");
  departed.kind = columns.word<DomainKind>(3, "kind");
  departed.token = readToken(columns, 4);
  departed.wasVerified = columns.number(5, "was_verified", 0, 1) != 0;
  if (!row.isNull(6)) departed.dmarcPolicy = columns.word<DmarcPolicy>(6, "dmarc_policy");
  departed.dmarcRua = columns.optionalText(7);
  departed.revoked = !row.isNull(8);
  for (const auto& [slot, column] : {std::pair{Slot::mz1, 9U}, std::pair{Slot::mz2, 12U}}) {
    if (row.isNull(column)) continue;
    SlotContent content{slot, std::nullopt};
    if (!departed.revoked) content.key = readKey(columns, column + 1, column + 2);
    departed.slots.push_back(std::move(content));
  }
  return {departed.id, columns.done(departed)};
}

// Static records and zones -------------------------------------------------------------------------------------------

constexpr std::string_view kStaticColumns = "SELECT id, zone_id, owner, type, ttl, content FROM static_record ";

RowOf<StaticRecordId, StaticRecord> readStaticRecord(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "static_record", id);
  StaticRecord record;
  record.id = static_cast<StaticRecordId>(id);
  record.zone = static_cast<ZoneId>(columns.number(1, "zone_id", 1, Columns::kMostZoneId));
  record.owner = columns.name(2, "owner");
  if (const auto type = RecordType::parse(row.text(3))) {
    record.type = *type;
  } else {
    columns.note("type", type.error());
  }
  record.ttl = columns.take<Ttl>(Ttl::of(columns.number(4, "ttl", 0, kMostSeconds)), "ttl");
  record.content = row.text(5);
  return {record.id, columns.done(record)};
}

constexpr std::string_view kZoneColumns =
    "SELECT z.id, z.platform_id, z.name, z.kind, z.primary_server, z.hostmaster, z.refresh, z.retry, z.expire, "
    "z.minimum, "
    "z.ttl, s.serial FROM zone z LEFT JOIN zone_serial s ON s.zone_id = z.id ";

RowOf<ZoneId, Zone> readZone(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "zone", id);
  Zone zone;
  zone.id = static_cast<ZoneId>(columns.number(0, "id", 1, Columns::kMostZoneId));
  zone.platform = columns.optionalId<PlatformId>(1, "platform_id");
  zone.name = columns.name(2, "name");
  zone.kind = columns.word<ZoneKind>(3, "kind");
  zone.primaryServer = columns.name(4, "primary_server");
  zone.hostmaster = columns.name(5, "hostmaster");
  const auto seconds = [&](std::size_t column, std::string_view name) {
    return static_cast<std::uint32_t>(columns.number(column, name, 0, kMostSeconds));
  };
  zone.refresh = seconds(6, "refresh");
  zone.retry = seconds(7, "retry");
  zone.expire = seconds(8, "expire");
  zone.minimum = seconds(9, "minimum");
  zone.ttl = columns.take<Ttl>(Ttl::of(seconds(10, "ttl")), "ttl");
  zone.serial = static_cast<std::uint32_t>(columns.number(11, "zone_serial.serial", 0, kMostSerial));
  return {zone.id, columns.done(zone)};
}

/// Keeps what is good of a context's rows and reports the rest.
template <class T>
void keep(std::vector<T>& list, std::string_view table, std::int64_t id, Result<T> row, std::vector<BadPart>& bad) {
  if (row) {
    list.push_back(*std::move(row));
  } else {
    bad.push_back({std::string(table), id, row.error()});
  }
}

bool contains(const std::vector<BadPart>& parts, std::string_view table, std::int64_t id) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const BadPart& part) { return part.table == table && part.id == id; });
}

/// The parts of a platform, read one query after another; the first failure of the database ends it.
class ContextReader {
 public:
  ContextReader(sql::Connection& connection, PlatformId id, std::vector<BadPart>& bad)
      : connection_(connection), id_(id), bad_(bad) {}

  Result<std::optional<PlatformContext>> read() {
    std::optional<Result<Platform>> platform;
    each("SELECT id, name, dmarc_policy, dmarc_rua FROM platform WHERE id = ?",
         [&](const sql::Row& row, std::int64_t id) { platform = readPlatform(row, id); });
    if (!failed_) return pass(failed_);
    if (!platform) return std::nullopt;
    if (!*platform) return pass(*platform);
    context_.platform = **std::move(platform);
    readMailExchangers();
    readPools();
    readRelays();
    readStreams();
    each(
        std::string(kZoneColumns) + "WHERE z.platform_id = ? OR z.platform_id IS NULL ORDER BY z.id",
        [&](const sql::Row& row, std::int64_t id) { keep(context_.zones, "zone", id, readZone(row, id).value, bad_); });
    if (!failed_) return pass(failed_);
    return context_;
  }

 private:
  void each(std::string_view statement, const std::function<void(const sql::Row&, std::int64_t)>& onRow) {
    if (!failed_) return;
    const sql::Value values[] = {raw(id_)};
    failed_ = eachRow(connection_, statement, values, onRow);
  }

  Result<Platform> readPlatform(const sql::Row& row, std::int64_t id) const {
    Columns columns(row, "platform", id);
    Platform platform;
    platform.id = id_;
    platform.name = columns.hostName(1, "name");
    platform.dmarcPolicy = columns.word<DmarcPolicy>(2, "dmarc_policy");
    platform.dmarcRua = row.text(3);
    return columns.done(std::move(platform));
  }

  void readMailExchangers() {
    each("SELECT id, preference, host_name FROM mail_exchanger WHERE platform_id = ? ORDER BY preference, host_name",
         [&](const sql::Row& row, std::int64_t id) {
           Columns columns(row, "mail_exchanger", id);
           MailExchanger exchanger{static_cast<std::uint16_t>(columns.number(1, "preference", 0, 65535)),
                                   columns.hostName(2, "host_name")};
           keep(context_.platform.mailExchangers, "mail_exchanger", id, columns.done(std::move(exchanger)), bad_);
         });
  }

  void readPools() {
    each("SELECT id, name, purpose FROM ip_pool WHERE platform_id = ? ORDER BY id",
         [&](const sql::Row& row, std::int64_t id) {
           Columns columns(row, "ip_pool", id);
           Pool pool{static_cast<PoolId>(id), id_, row.text(1), columns.word<PoolPurpose>(2, "purpose"), {}};
           if (!isLdhLabel(pool.name)) {
             columns.note("name", Error{Errc::invalidInput, escapeForDisplay(pool.name), "not one LDH label", ""});
           }
           keep(context_.pools, "ip_pool", id, columns.done(std::move(pool)), bad_);
         });
    each(
        "SELECT a.id, a.pool_id, a.address, a.host_name FROM ip_address a JOIN ip_pool p ON p.id = a.pool_id "
        "WHERE p.platform_id = ? ORDER BY a.id",
        [&](const sql::Row& row, std::int64_t id) {
          Columns columns(row, "ip_address", id);
          PoolAddress address;
          address.id = static_cast<AddressId>(id);
          if (const auto parsed = IpAddress::parse(row.text(2))) {
            address.address = *parsed;
          } else {
            columns.note("address", parsed.error());
          }
          address.hostName = columns.hostName(3, "host_name");
          const auto pool = columns.number(1, "pool_id", 1, Columns::kMostId);
          std::vector<PoolAddress> ofNoPool;  // its pool is bad itself
          const auto home = std::find_if(context_.pools.begin(), context_.pools.end(),
                                         [&](const Pool& each) { return raw(each.id) == pool; });
          keep(home == context_.pools.end() ? ofNoPool : home->addresses, "ip_address", id, columns.done(address),
               bad_);
        });
  }

  void readRelays() {
    each("SELECT id, name, spf_include, envelope FROM relay WHERE platform_id = ? ORDER BY id", [&](const sql::Row& row,
                                                                                                    std::int64_t id) {
      Columns columns(row, "relay", id);
      Relay relay{static_cast<RelayId>(id), id_, row.text(1), std::nullopt, columns.word<RelayEnvelope>(3, "envelope")};
      if (!row.isNull(2)) relay.spfInclude = columns.name(2, "spf_include");
      keep(context_.relays, "relay", id, columns.done(std::move(relay)), bad_);
    });
  }

  void readStreams() {
    each(std::string(kStreamColumns) + "platform_id = ? ORDER BY name", [&](const sql::Row& row, std::int64_t id) {
      auto stream = readStream(row, id);
      if (stream) {
        if (auto way = requireWay(*stream); !way) stream = pass(way);
      }
      keep(context_.streams, "stream", id, std::move(stream), bad_);
    });
  }

  /// A default of all domains that leads nowhere would take every one of them along. A way that is there and cannot be
  /// read is another thing: what leaves by it is then not known of any domain.
  Result<void> requireWay(const Stream& stream) const {
    const auto wrong = [&](std::string rule) -> Result<void> {
      return fail(Errc::invalidInput, stream.name, fmt::format("stream {}, {}", raw(stream.id), std::move(rule)),
                  "point the stream at a sending pool or a relay of its own platform");
    };
    if (stream.relay) {
      const auto is = [&](const Relay& relay) { return relay.id == *stream.relay; };
      if (std::any_of(context_.relays.begin(), context_.relays.end(), is)) return {};
      if (contains(bad_, "relay", raw(*stream.relay))) return {};
      return wrong(fmt::format("column relay_id: relay {} is not there", raw(*stream.relay)));
    }
    const auto is = [&](const Pool& pool) { return pool.id == *stream.pool; };
    const auto pool = std::find_if(context_.pools.begin(), context_.pools.end(), is);
    if (pool == context_.pools.end()) {
      if (contains(bad_, "ip_pool", raw(*stream.pool))) return {};
      return wrong(fmt::format("column pool_id: pool {} is not there", raw(*stream.pool)));
    }
    if (pool->purpose == PoolPurpose::sending) return {};
    return wrong(fmt::format("column pool_id: the purpose of pool {} is forwarding", raw(pool->id)));
  }

  sql::Connection& connection_;
  PlatformId id_;
  std::vector<BadPart>& bad_;
  Result<void> failed_;
  PlatformContext context_;
};

}  // namespace

Result<std::vector<PlatformId>> PublicStore::platforms() {
  std::vector<PlatformId> ids;
  const auto read = eachRow(connection_, "SELECT id FROM platform ORDER BY id", {},
                            [&](const sql::Row&, std::int64_t id) { ids.push_back(static_cast<PlatformId>(id)); });
  if (!read) return pass(read);
  return ids;
}

Result<std::optional<PlatformContext>> PublicStore::context(PlatformId id, std::vector<BadPart>* badParts) {
  std::vector<BadPart> unasked;
  return ContextReader(connection_, id, badParts == nullptr ? unasked : *badParts).read();
}

Result<std::optional<RowOf<DomainId, Domain>>> PublicStore::domain(DomainId id) {
  std::optional<RowOf<DomainId, Domain>> found;
  const auto read = readDomains(connection_, "domain_id = ?", "d.id = ?", raw(id),
                                [&](RowOf<DomainId, Domain> row) { found = std::move(row); });
  if (!read) return pass(read);
  return found;
}

Result<void> PublicStore::eachDomain(PlatformId id, const std::function<void(RowOf<DomainId, Domain>)>& onDomain) {
  return readDomains(connection_, "domain_id IN (SELECT id FROM domain WHERE platform_id = ?)", "d.platform_id = ?",
                     raw(id), onDomain);
}

Result<std::optional<RowOf<DepartedId, Departed>>> PublicStore::departed(DepartedId id) {
  std::optional<RowOf<DepartedId, Departed>> found;
  const sql::Value values[] = {raw(id)};
  const auto read =
      eachRow(connection_, std::string(kDepartedColumns) + "d.id = ?", values,
              [&](const sql::Row& row, std::int64_t departedId) { found = readDeparted(row, departedId); });
  if (!read) return pass(read);
  return found;
}

Result<void> PublicStore::eachDeparted(PlatformId id,
                                       const std::function<void(RowOf<DepartedId, Departed>)>& onDeparted) {
  const sql::Value values[] = {raw(id)};
  return eachRow(connection_, std::string(kDepartedColumns) + "d.platform_id = ? ORDER BY d.id", values,
                 [&](const sql::Row& row, std::int64_t departedId) { onDeparted(readDeparted(row, departedId)); });
}

Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> PublicStore::staticRecord(StaticRecordId id) {
  std::optional<RowOf<StaticRecordId, StaticRecord>> found;
  const sql::Value values[] = {raw(id)};
  const auto read =
      eachRow(connection_, std::string(kStaticColumns) + "WHERE id = ?", values,
              [&](const sql::Row& row, std::int64_t recordId) { found = readStaticRecord(row, recordId); });
  if (!read) return pass(read);
  return found;
}

Result<void> PublicStore::eachStaticRecord(const std::function<void(RowOf<StaticRecordId, StaticRecord>)>& onRecord) {
  return eachRow(connection_, std::string(kStaticColumns) + "ORDER BY id", {},
                 [&](const sql::Row& row, std::int64_t id) { onRecord(readStaticRecord(row, id)); });
}

Result<std::vector<RowOf<ZoneId, Zone>>> PublicStore::zones() {
  std::vector<RowOf<ZoneId, Zone>> zones;
  const auto read = eachRow(connection_, std::string(kZoneColumns) + "ORDER BY z.id", {},
                            [&](const sql::Row& row, std::int64_t id) { zones.push_back(readZone(row, id)); });
  if (!read) return pass(read);
  return zones;
}

Result<std::vector<PublicStore::Metadata>> PublicStore::zoneMetadata() {
  std::vector<Metadata> list;
  const auto read = eachRow(connection_, "SELECT id, zone_id, kind, value FROM zone_metadata ORDER BY id", {},
                            [&](const sql::Row& row, std::int64_t) {
                              const auto zone = row.integer(1);
                              if (!zone || *zone < 1 || *zone > Columns::kMostZoneId)
                                return;  // listed by checkDatabase()
                              list.push_back({static_cast<ZoneId>(*zone), row.text(2), row.text(3)});
                            });
  if (!read) return pass(read);
  return list;
}

}  // namespace mailzone::tenantdb
