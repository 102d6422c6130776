#include "tenantdb/public_store.h"

namespace mailzone::tenantdb {
namespace {

Result<Entity> parseEntity(std::string_view word) {
  if (word == "platform") return Entity::platform;
  if (word == "pool") return Entity::pool;
  if (word == "zone") return Entity::zone;
  if (word == "static_record") return Entity::staticRecord;
  if (word == "domain") return Entity::domain;
  if (word == "departed") return Entity::departed;
  if (word == "zone_metadata") return Entity::zoneMetadata;
  return fail(Errc::schemaVersion, word, "change_log names an entity that this program does not know",
              "upgrade the program");
}

/// One number of a query that gives one row.
Result<std::optional<std::int64_t>> oneNumber(sql::Connection& connection, std::string_view statement) {
  std::optional<std::int64_t> number;
  Result<void> read;
  const auto asked = connection.query(statement, {}, [&](const sql::Row& row) {
    if (row.isNull(0)) return true;
    const auto value = row.integer(0);
    if (value) {
      number = *value;
    } else {
      read = pass(value);
    }
    return true;
  });
  if (!asked) return pass(asked);
  if (!read) return pass(read);
  return number;
}

/// The statements of the MySQL procedure feed_advance (migrations/mysql), in one IMMEDIATE transaction. Nobody else
/// writes meanwhile, so "the rows up to the highest of this batch" is the same set in every statement.
Result<void> advanceSqlite(sql::Connection& connection, std::int64_t limit) {
  // Most calls find nothing: ask before taking the write lock.
  auto waiting = oneNumber(connection, "SELECT 1 FROM feed_inbox LIMIT 1");
  if (!waiting) return pass(waiting);
  if (!*waiting) return {};
  return sql::inTransaction(connection, [&]() -> Result<void> {
    const sql::Value limited[] = {limit};
    std::optional<std::int64_t> last;
    const auto asked = connection.query("SELECT max(id) FROM (SELECT id FROM feed_inbox ORDER BY id LIMIT ?)", limited,
                                        [&](const sql::Row& row) {
                                          if (const auto id = row.integer(0)) last = *id;
                                          return true;
                                        });
    if (!asked) return pass(asked);
    if (!last) return {};
    const sql::Value upTo[] = {*last};
    const auto none = std::span<const sql::Value>();
    const std::pair<std::string_view, std::span<const sql::Value>> statements[] = {
        {"INSERT INTO change_log (seq, entity, entity_id, zone_id) "
         "SELECT (SELECT seq FROM feed_head WHERE one = 1) + row_number() OVER (ORDER BY id), entity, entity_id, "
         "zone_id "
         "FROM feed_inbox WHERE id <= ?",
         upTo},
        {"DELETE FROM feed_inbox WHERE id <= ?", upTo},
        // Modulo 2^32 (RFC 1982): an imported zone may have any serial, and one at the end must not stop the feed.
        {"UPDATE zone_serial SET serial = max((serial + 1) % 4294967296, (SELECT max(seq) FROM change_log)) "
         "WHERE EXISTS (SELECT 1 FROM change_log c WHERE c.seq > (SELECT seq FROM feed_head WHERE one = 1) "
         "              AND (c.zone_id IS NULL OR c.zone_id = zone_serial.zone_id))",
         none},
        {"UPDATE feed_head SET seq = (SELECT max(seq) FROM change_log) WHERE one = 1", none},
    };
    for (const auto& [statement, values] : statements) {
      if (auto done = connection.execute(statement, values); !done) return pass(done);
    }
    return {};
  });
}

}  // namespace

Result<std::int64_t> Feed::advance(std::int64_t limit) {
  if (connection_.dialect() == sql::Dialect::sqlite) {
    if (auto advanced = advanceSqlite(connection_, limit); !advanced) return pass(advanced);
  } else {
    const sql::Value limited[] = {limit};
    if (auto advanced = connection_.execute("CALL feed_advance(?)", limited); !advanced) return pass(advanced);
  }
  return head();
}

Result<std::vector<Change>> Feed::changesAfter(std::int64_t after, std::int64_t limit) {
  // The head first: what another follower numbers meanwhile must not look like a gap.
  const auto last = head();
  if (!last) return pass(last);
  std::vector<Change> changes;
  Result<void> read;
  const sql::Value values[] = {after, limit};
  const auto asked =
      connection_.query("SELECT seq, entity, entity_id, nonce FROM change_log WHERE seq > ? ORDER BY seq LIMIT ?",
                        values, [&](const sql::Row& row) {
                          const auto seq = row.integer(0);
                          const auto entity = parseEntity(row.text(1));
                          const auto id = row.integer(2);
                          if (!seq) read = pass(seq);
                          if (!entity) read = pass(entity);
                          if (!id) read = pass(id);
                          if (read) changes.push_back({*seq, *entity, *id, row.text(3)});
                          return read.has_value();
                        });
  if (!asked) return pass(asked);
  if (!read) return pass(read);
  // Numbers are contiguous.
  const bool compacted = changes.empty() ? *last > after && limit > 0 : changes.front().seq != after + 1;
  if (compacted) {
    return fail(Errc::notFound, std::to_string(after + 1), "this change was compacted away", "fill again");
  }
  return changes;
}

Result<std::int64_t> Feed::head() {
  const auto number = oneNumber(connection_, "SELECT seq FROM feed_head WHERE one = 1");
  if (!number) return pass(number);
  if (!*number) {
    return fail(Errc::corrupt, "", "feed_head has no row",
                "restore it: INSERT INTO feed_head (one, seq) "
                "SELECT 1, coalesce(max(seq), 0) FROM change_log");
  }
  return **number;
}

Result<std::optional<std::string>> Feed::nonceAt(std::int64_t seq) {
  std::optional<std::string> nonce;
  const sql::Value values[] = {seq};
  const auto asked = connection_.query("SELECT nonce FROM change_log WHERE seq = ?", values, [&](const sql::Row& row) {
    nonce = row.text(0);
    return true;
  });
  if (!asked) return pass(asked);
  return nonce;
}

}  // namespace mailzone::tenantdb
