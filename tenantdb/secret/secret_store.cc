#include "tenantdb/secret/secret_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "tenantdb/columns.h"

namespace mailzone::tenantdb {
namespace {

/// Where the private halves are: another file in SQLite, a table of the same database in MySQL.
std::string_view secretTable(const sql::Connection& connection) noexcept {
  return connection.dialect() == sql::Dialect::sqlite ? "secret.dkim_secret" : "dkim_secret";
}

std::string_view forUpdate(const sql::Connection& connection) noexcept {
  return connection.dialect() == sql::Dialect::sqlite ? "" : " FOR UPDATE";
}

constexpr std::string_view kSelectorColumns =
    "SELECT s.id, s.domain_id, d.name, s.slot, s.key_id, k.algorithm, k.public_key, s.generation, s.generated_at, "
    "s.published_at, s.proven_at, s.activated_at, s.drained_at, s.revoked_at, s.emptied_at, s.owner, s.lease_until, "
    "a.selector_id "
    "FROM dkim_selector s JOIN domain d ON d.id = s.domain_id JOIN dkim_key k ON k.id = s.key_id "
    "LEFT JOIN active_key a ON a.selector_id = s.id ";

Result<SelectorRow> readSelector(const sql::Row& row, std::int64_t id) {
  Columns columns(row, "dkim_selector", id);
  SelectorRow selector;
  selector.id = static_cast<SelectorId>(id);
  selector.domain = static_cast<DomainId>(columns.number(1, "domain_id", 1, Columns::kMostId));
  selector.domainName = columns.hostName(2, "domain.name");
  selector.slot = columns.take<Slot>(parseSlot(row.text(3)), "slot");
  selector.key = static_cast<KeyId>(columns.number(4, "key_id", 1, Columns::kMostId));
  selector.publicKey = {columns.word<KeyAlgorithm>(5, "dkim_key.algorithm"), row.text(6)};
  selector.generation = columns.number(7, "generation", 0, Columns::kMostId);
  selector.generatedAt = columns.time(8, "generated_at");
  selector.publishedAt = columns.time(9, "published_at");
  selector.provenAt = columns.time(10, "proven_at");
  selector.activatedAt = columns.time(11, "activated_at");
  selector.drainedAt = columns.time(12, "drained_at");
  selector.revokedAt = columns.time(13, "revoked_at");
  selector.emptiedAt = columns.time(14, "emptied_at");
  selector.owner = columns.optionalText(15);
  selector.leaseUntil = columns.time(16, "lease_until");
  selector.active = !row.isNull(17);
  return columns.done(std::move(selector));
}

using OnSelector = std::function<void(Result<SelectorRow>)>;

Result<void> eachSelectorWhere(sql::Connection& connection, std::string_view where, std::span<const sql::Value> values,
                               const OnSelector& onSelector) {
  return connection.query(std::string(kSelectorColumns) + std::string(where), values, [&](const sql::Row& row) {
    // Without an id nothing can name the row; checkDatabase() lists it.
    if (const auto id = row.integer(0)) onSelector(readSelector(row, *id));
    return true;
  });
}

/// Those that can be read: a bad row must not stop the others' keys. checkDatabase() lists it.
Result<std::vector<SelectorRow>> readableSelectors(sql::Connection& connection, std::string_view where,
                                                   std::span<const sql::Value> values) {
  std::vector<SelectorRow> selectors;
  const auto read = eachSelectorWhere(connection, where, values, [&](Result<SelectorRow> row) {
    if (row) selectors.push_back(*std::move(row));
  });
  if (!read) return pass(read);
  return selectors;
}

std::string_view columnOf(KeyFact fact) noexcept {
  switch (fact) {
    case KeyFact::published:
      return "published_at";
    case KeyFact::proven:
      return "proven_at";
    case KeyFact::activated:
      return "activated_at";
    case KeyFact::drained:
      return "drained_at";
    case KeyFact::revoked:
      return "revoked_at";
    case KeyFact::emptied:
      return "emptied_at";
  }
  return "emptied_at";
}

/// The signing view without the private halves. The MySQL view `signing` is this and dkim_secret (migrations/mysql).
constexpr std::string_view kSigningRows =
    "FROM envelope_domain e JOIN domain d ON d.id = e.domain_id "
    "LEFT JOIN tenant t ON t.id = d.tenant_id "
    "LEFT JOIN active_key own ON own.domain_id = d.id AND own.algorithm = 'rsa' AND d.signing = 'own' "
    "AND d.state <> 'degraded' AND (d.kind <> 'delegated' OR d.state = 'verified') "
    "LEFT JOIN domain c ON c.platform_id = d.platform_id AND c.kind = 'common' "
    "LEFT JOIN active_key shared ON shared.domain_id = c.id AND shared.algorithm = 'rsa' "
    "JOIN dkim_selector s ON s.id = coalesce(own.selector_id, shared.selector_id) ";
constexpr std::string_view kSigningColumns =
    "SELECT e.name, e.author, CASE WHEN own.selector_id IS NULL THEN c.name ELSE e.author END, s.slot, s.key_id ";
constexpr std::string_view kSigningWhere = "WHERE t.id IS NULL OR t.state = 'active' ORDER BY e.name";

}  // namespace

Result<KeyId> SecretStore::insertKey(const NewKey& key) {
  KeyId id{};
  const auto done = sql::inTransaction(connection_, [&]() -> Result<void> {
    const sql::Value values[] = {std::string(word(key.algorithm)), std::int64_t{key.bits}, key.publicBase64,
                                 key.fingerprint, printSqlTime(key.generatedAt)};
    const auto inserted = connection_.execute(
        "INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES (?, ?, ?, ?, ?)", values);
    if (!inserted) return pass(inserted);
    id = static_cast<KeyId>(inserted->lastInsertId);
    const sql::Value secret[] = {raw(id), std::string(key.privatePem.reveal())};
    const auto kept = connection_.execute(
        fmt::format("INSERT INTO {} (key_id, private_pem) VALUES (?, ?)", secretTable(connection_)), secret);
    if (!kept) return pass(kept);
    return {};
  });
  if (!done) return pass(done);
  return id;
}

Result<std::int64_t> SecretStore::spareCount(KeyAlgorithm algorithm, int bits) {
  std::int64_t count = 0;
  const sql::Value values[] = {std::string(word(algorithm)), std::int64_t{bits}};
  const auto asked = connection_.query(
      "SELECT count(*) FROM dkim_key WHERE algorithm = ? AND bits = ? AND assigned_at IS NULL AND destroyed_at IS NULL",
      values, [&](const sql::Row& row) {
        count = row.integer(0).value_or(0);
        return true;
      });
  if (!asked) return pass(asked);
  return count;
}

Result<std::vector<KeyNeed>> SecretStore::domainsLackingKeys(std::int64_t limit) {
  std::vector<KeyNeed> needs;
  const sql::Value values[] = {limit};
  // A slot is free when no live selector fills it and no departed row of the name answers in it. (A departed delegated
  // name answers below its own token: it is in nobody's way.)
  const auto asked = connection_.query(
      "SELECT id, name, kind, has_active, free1, free2 FROM ("
      "  SELECT d.id, d.name, d.kind, EXISTS (SELECT 1 FROM active_key a WHERE a.domain_id = d.id) AS has_active,"
      "    NOT EXISTS (SELECT 1 FROM dkim_selector s WHERE s.domain_id = d.id AND s.slot = 'mz1' AND s.emptied_at IS "
      "NULL)"
      "    AND NOT EXISTS (SELECT 1 FROM departed x WHERE x.name = d.name AND d.kind <> 'delegated' AND x.gone_at IS "
      "NULL"
      "                    AND x.mz1_key_id IS NOT NULL) AS free1,"
      "    NOT EXISTS (SELECT 1 FROM dkim_selector s WHERE s.domain_id = d.id AND s.slot = 'mz2' AND s.emptied_at IS "
      "NULL)"
      "    AND NOT EXISTS (SELECT 1 FROM departed x WHERE x.name = d.name AND d.kind <> 'delegated' AND x.gone_at IS "
      "NULL"
      "                    AND x.mz2_key_id IS NOT NULL) AS free2"
      "  FROM domain d"
      "  WHERE (SELECT count(*) FROM dkim_selector s WHERE s.domain_id = d.id AND s.emptied_at IS NULL) < 2) lacking "
      // Customers' names come last: a tenant may enter any number of them, and each costs the making of two keys.
      "WHERE free1 OR free2 ORDER BY has_active, kind = 'delegated', id LIMIT ?",
      values, [&](const sql::Row& row) {
        const auto id = row.integer(0);
        if (!id) return true;
        Columns columns(row, "domain", *id);
        KeyNeed need{static_cast<DomainId>(*id),
                     columns.hostName(1, "name"),
                     columns.word<DomainKind>(2, "kind"),
                     {},
                     columns.number(3, "active_key", 0, 1) != 0};
        if (columns.number(4, "mz1", 0, 1) != 0) need.emptySlots.push_back(Slot::mz1);
        if (columns.number(5, "mz2", 0, 1) != 0) need.emptySlots.push_back(Slot::mz2);
        if (!columns.error()) needs.push_back(std::move(need));
        return true;
      });
  if (!asked) return pass(asked);
  return needs;
}

Result<std::optional<SelectorRow>> SecretStore::assignSpare(DomainId domain, Slot slot, KeyAlgorithm algorithm,
                                                            int bits, TimePoint now) {
  std::optional<SelectorRow> assigned;
  const auto done = sql::inTransaction(connection_, [&]() -> Result<void> {
    const sql::Value wanted[] = {std::string(word(algorithm)), std::int64_t{bits}};
    std::optional<std::int64_t> key;
    // A spare whose private half is missing (a crash between SQLite's two files) is passed over.
    const auto picked = connection_.query(
        fmt::format("SELECT k.id FROM dkim_key k JOIN {} p ON p.key_id = k.id WHERE k.algorithm = ? AND k.bits = ? "
                    "AND k.assigned_at IS NULL AND k.destroyed_at IS NULL ORDER BY k.id LIMIT 1{}",
                    secretTable(connection_), forUpdate(connection_)),
        wanted, [&](const sql::Row& row) {
          if (const auto id = row.integer(0)) key = *id;
          return true;
        });
    if (!picked) return pass(picked);
    if (!key) return {};
    const sql::Value taken[] = {printSqlTime(now), *key};
    const auto marked =
        connection_.execute("UPDATE dkim_key SET assigned_at = ? WHERE id = ? AND assigned_at IS NULL", taken);
    if (!marked) return pass(marked);
    if (marked->affectedRows != 1) return fail(Errc::temporary, "", "another worker took this spare", "try again");
    const sql::Value filled[] = {raw(domain), std::string(slotName(slot)), *key, *key};
    const auto inserted = connection_.execute(
        "INSERT INTO dkim_selector (domain_id, slot, key_id, generated_at) "
        "VALUES (?, ?, ?, (SELECT generated_at FROM dkim_key WHERE id = ?))",
        filled);
    if (!inserted) {
      Error error = inserted.error();
      if (error.code == Errc::invalidInput) error.code = Errc::conflict;  // a departed name still answers in the slot
      return tl::unexpected<Error>(std::move(error));
    }
    const sql::Value id[] = {inserted->lastInsertId};
    Result<void> read;
    const auto again = eachSelectorWhere(connection_, "WHERE s.id = ?", id, [&](Result<SelectorRow> row) {
      if (row) {
        assigned = *std::move(row);
      } else {
        read = pass(row);
      }
    });
    return again ? read : again;
  });
  if (!done) return pass(done);
  return assigned;
}

Result<std::vector<SelectorRow>> SecretStore::slots(DomainId domain) {
  std::vector<SelectorRow> selectors;
  Result<void> readable;
  const sql::Value values[] = {raw(domain)};
  const auto read = eachSelectorWhere(connection_, "WHERE s.domain_id = ? AND s.emptied_at IS NULL ORDER BY s.slot",
                                      values, [&](Result<SelectorRow> row) {
                                        if (row) {
                                          selectors.push_back(*std::move(row));
                                        } else {
                                          readable = pass(row);
                                        }
                                      });
  if (!read) return pass(read);
  if (!readable) return pass(readable);
  return selectors;
}

Result<std::vector<SelectorRow>> SecretStore::pendingSelectors(std::int64_t limit) {
  const sql::Value values[] = {limit};
  return readableSelectors(connection_,
                           "WHERE s.emptied_at IS NULL AND s.revoked_at IS NULL AND (s.published_at IS NULL OR "
                           "s.proven_at IS NULL OR NOT EXISTS (SELECT 1 FROM active_key b WHERE b.domain_id = "
                           "s.domain_id)) ORDER BY s.id LIMIT ?",
                           values);
}

Result<void> SecretStore::eachSelector(const std::function<void(const SelectorRow&)>& onSelector) {
  return eachSelectorWhere(connection_, "WHERE s.emptied_at IS NULL ORDER BY d.name, s.slot", {},
                           [&](const Result<SelectorRow>& row) {
                             if (row) onSelector(*row);
                           });
}

Result<std::int64_t> SecretStore::setFact(SelectorId id, std::int64_t generation, KeyFact fact, TimePoint at) {
  const sql::Value values[] = {printSqlTime(at), raw(id), generation};
  const auto done = connection_.execute(
      fmt::format("UPDATE dkim_selector SET {} = ?, generation = generation + 1 WHERE id = ? AND generation = ?",
                  columnOf(fact)),
      values);
  if (!done) return pass(done);
  if (done->affectedRows != 1) {
    return fail(Errc::temporary, std::to_string(raw(id)), "another worker changed this selector, or it is gone",
                "read it again");
  }
  return generation + 1;
}

Result<std::int64_t> SecretStore::activate(SelectorId id, std::int64_t generation, TimePoint at) {
  Result<std::int64_t> next = generation;
  const auto done = sql::inTransaction(connection_, [&]() -> Result<void> {
    next = setFact(id, generation, KeyFact::activated, at);
    if (!next) return pass(next);
    const sql::Value self[] = {raw(id), raw(id)};
    const auto switched = connection_.execute(
        "UPDATE active_key SET selector_id = ? WHERE EXISTS ("
        "SELECT 1 FROM dkim_selector s JOIN dkim_key k ON k.id = s.key_id WHERE s.id = ? "
        "AND s.domain_id = active_key.domain_id AND k.algorithm = active_key.algorithm)",
        self);
    if (!switched) return pass(switched);
    if (switched->affectedRows > 0) return {};
    const sql::Value values[] = {raw(id)};
    const auto inserted = connection_.execute(
        "INSERT INTO active_key (domain_id, algorithm, selector_id) SELECT s.domain_id, k.algorithm, s.id "
        "FROM dkim_selector s JOIN dkim_key k ON k.id = s.key_id WHERE s.id = ?",
        values);
    if (!inserted) return pass(inserted);
    return {};
  });
  if (!done) return pass(done);
  return next;
}

Result<bool> SecretStore::claim(SelectorId id, std::int64_t generation, const std::string& worker, TimePoint now,
                                TimePoint until) {
  const sql::Value values[] = {worker, printSqlTime(until), raw(id), generation, worker, printSqlTime(now)};
  const auto done = connection_.execute(
      "UPDATE dkim_selector SET owner = ?, lease_until = ? WHERE id = ? AND generation = ? "
      "AND (owner IS NULL OR owner = ? OR lease_until IS NULL OR lease_until < ?)",
      values);
  if (!done) return pass(done);
  return done->affectedRows == 1;
}

Result<std::optional<Secret>> SecretStore::privateKey(KeyId id) {
  std::optional<Secret> key;
  const sql::Value values[] = {raw(id)};
  const auto asked =
      connection_.query(fmt::format("SELECT private_pem FROM {} WHERE key_id = ?", secretTable(connection_)), values,
                        [&](const sql::Row& row) {
                          key.emplace(row.text(0));
                          return true;
                        });
  if (!asked) return pass(asked);
  return key;
}

Result<void> SecretStore::destroyPrivateKey(KeyId id, TimePoint at) {
  return sql::inTransaction(connection_, [&]() -> Result<void> {
    const sql::Value values[] = {raw(id)};
    bool signs = false;
    const auto asked =
        connection_.query("SELECT 1 FROM active_key a JOIN dkim_selector s ON s.id = a.selector_id WHERE s.key_id = ?",
                          values, [&](const sql::Row&) {
                            signs = true;
                            return true;
                          });
    if (!asked) return pass(asked);
    if (signs) {
      return fail(Errc::conflict, std::to_string(raw(id)), "a domain signs with this key",
                  "activate another one first");
    }
    const auto gone =
        connection_.execute(fmt::format("DELETE FROM {} WHERE key_id = ?", secretTable(connection_)), values);
    if (!gone) return pass(gone);
    const sql::Value marked[] = {printSqlTime(at), raw(id)};
    const auto noted =
        connection_.execute("UPDATE dkim_key SET destroyed_at = ? WHERE id = ? AND destroyed_at IS NULL", marked);
    if (!noted) return pass(noted);
    return {};
  });
}

Result<void> SecretStore::eachSigningRow(const std::function<void(SigningRow)>& onRow) {
  Result<void> read;
  auto asked = connection_.query(
      fmt::format("{}, p.private_pem {} JOIN {} p ON p.key_id = s.key_id {}", kSigningColumns, kSigningRows,
                  secretTable(connection_), kSigningWhere),
      {}, [&](const sql::Row& row) {
        const auto key = row.integer(4);
        if (!key) {
          read = pass(key);
          return false;
        }
        onRow({row.text(0), row.text(1), row.text(2), row.text(3), static_cast<KeyId>(*key), Secret(row.text(5))});
        return true;
      });
  return asked ? read : asked;
}

Result<std::string> SecretStore::signingFingerprint() {
  // FNV-1a: against accidents, not against an enemy; both would have to write the tables.
  std::uint64_t hash = 14695981039346656037ULL;
  std::int64_t count = 0;
  const auto asked = connection_.query(fmt::format("{} {} JOIN {} p ON p.key_id = s.key_id {}", kSigningColumns,
                                                   kSigningRows, secretTable(connection_), kSigningWhere),
                                       {}, [&](const sql::Row& row) {
                                         for (std::size_t i = 0; i < row.size(); ++i) {
                                           for (const char c : row.text(i) + '\n')
                                             hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
                                         }
                                         ++count;
                                         return true;
                                       });
  if (!asked) return pass(asked);
  return fmt::format("{}-{:016x}", count, hash);
}

Result<std::vector<DepartedProgress>> SecretStore::departedInProgress() {
  std::vector<DepartedProgress> list;
  const auto asked = connection_.query(
      "SELECT d.id, d.name, d.mz1_key_id, d.mz2_key_id, d.left_at, d.revoked_at, p.drain_seconds, p.revoke_seconds "
      "FROM departed d JOIN platform p ON p.id = d.platform_id WHERE d.gone_at IS NULL ORDER BY d.id",
      {}, [&](const sql::Row& row) {
        const auto id = row.integer(0);
        if (!id) return true;
        Columns columns(row, "departed", *id);
        DepartedProgress progress;
        progress.id = static_cast<DepartedId>(*id);
        progress.name = row.text(1);
        progress.mz1 = columns.optionalId<KeyId>(2, "mz1_key_id");
        progress.mz2 = columns.optionalId<KeyId>(3, "mz2_key_id");
        progress.leftAt = columns.take<TimePoint>(parseSqlTime(row.text(4)), "left_at");
        progress.revokedAt = columns.time(5, "revoked_at");
        // More than can be added to a time means the same as a century.
        const auto wait = [&](std::size_t column, std::string_view name) {
          constexpr std::int64_t kCentury = 100LL * 366 * 86400;
          return std::chrono::seconds(std::min(columns.number(column, name, 0, Columns::kMostId), kCentury));
        };
        progress.drain = wait(6, "platform.drain_seconds");
        progress.revoke = wait(7, "platform.revoke_seconds");
        if (!columns.error()) list.push_back(std::move(progress));
        return true;
      });
  if (!asked) return pass(asked);
  return list;
}

Result<void> SecretStore::markRevoked(DepartedId id, TimePoint at) {
  const sql::Value values[] = {printSqlTime(at), raw(id)};
  const auto done =
      connection_.execute("UPDATE departed SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", values);
  if (!done) return pass(done);
  return {};
}

Result<void> SecretStore::markGone(DepartedId id, TimePoint at) {
  const sql::Value values[] = {printSqlTime(at), raw(id)};
  const auto done = connection_.execute("UPDATE departed SET gone_at = ? WHERE id = ? AND gone_at IS NULL", values);
  if (!done) return pass(done);
  return {};
}

}  // namespace mailzone::tenantdb
