// Rows that cannot become records, written by plain SQL among good ones: the good ones are served by a real PowerDNS,
// the bad ones keep their last good answer or have none (SERVFAIL), and `mailzone db check` lists each bad row and no
// other.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/backend_process.h"
#include "tests/support/engines.h"
#include "tests/support/pdns_server.h"
#include "tests/support/temporary_mariadb.h"

namespace mailzone {
namespace {

using test::must;

constexpr int kNoError = 0, kServfail = 2;

enum class Answer {
  unasked,     ///< it has no name that could be asked for
  cannotTell,  ///< SERVFAIL: never NXDOMAIN or NODATA, which verifiers and caches believe
  asBefore,    ///< it was good once: its last good answer
};

constexpr bool kSqliteOnly = true;

struct BadRow {
  const char* why;
  const char* table;
  /// One transaction. "KEY DOMAIN": gives it a key that is base64 and no key, "SPOIL DOMAIN": one with a key.
  std::vector<std::string> statements;
  const char* where;   ///< finds the bad row in `table`
  const char* reason;  ///< a part of what `db check` says
  Answer answer = Answer::unasked;
  const char* name = "";
  const char* type = "";
  bool sqliteOnly = false;
  const char* withoutTrigger = "";  ///< SQLite: what a writer who drops triggers brings in
};

BadRow ofTenant(const char* why, const std::string& slug, const std::string& change, const char* reason,
                bool sqliteOnly = false) {
  static std::vector<std::string> kept;
  kept.reserve(200);
  const auto& where = kept.emplace_back("name = '" + slug + ".shop.example'");
  const auto& name = kept.emplace_back(slug + ".shop.example");
  return {why,           "domain", {"INSERT INTO tenant (platform_id, slug) VALUES (1, '" + slug + "')", change},
          where.c_str(), reason,   Answer::cannotTell,
          name.c_str(),  "MX",     sqliteOnly};
}

BadRow ofStatic(const char* why, const char* owner, const char* type, const char* content, const char* reason,
                Answer answer = Answer::cannotTell, const char* withoutTrigger = "") {
  static std::vector<std::string> kept;
  kept.reserve(200);
  const auto& where =
      kept.emplace_back(fmt::format("owner = '{}' AND type = '{}' AND content = '{}'", owner, type, content));
  return {why,
          "static_record",
          {fmt::format("INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, '{}', '{}', '{}')", owner,
                       type, content)},
          where.c_str(),
          reason,
          answer,
          owner,
          std::string_view(type) == "NOTYPE" ? "A" : type,
          *withoutTrigger != '\0',
          withoutTrigger};
}

std::vector<BadRow> badRows() {
  const auto set = [](const char* slug, const char* what) {
    return fmt::format("UPDATE domain SET {} WHERE name = '{}.shop.example'", what, slug);
  };
  std::vector<BadRow> rows = {
      // Domains.
      ofTenant("no such policy", "b-policy", set("b-policy", "dmarc_policy = 'bogus'"), "column dmarc_policy"),
      ofTenant("a report address that is no URI", "b-rua", set("b-rua", "dmarc_rua = 'reports at shop'"),
               "not the address of reports"),
      ofTenant("no such state", "b-state", set("b-state", "state = 'asleep'"), "column state"),
      ofTenant("no such way of signing", "b-sign", set("b-sign", "signing = 'both'"), "column signing"),
      ofTenant("a zone that does not hold the name", "b-zone", set("b-zone", "zone_id = 3"), "domain.zone_id is 3"),
      ofTenant("a zone that is not there", "b-lost", set("b-lost", "zone_id = 99"), "domain.zone_id is 99"),
      ofTenant("a zone id that is no number", "b-text", set("b-text", "zone_id = 'first'"), "column zone_id",
               kSqliteOnly),
      ofTenant("a slug that is no host's label", "b_label", "", "not a host name"),
      ofTenant("a key that is no key", "b-key", "KEY b-key.shop.example", "not the key of slot mz1"),
      ofTenant("a key that is not base64", "b-base", "SPOIL b-base.shop.example public_key = '*'", "not base64"),
      ofTenant("no such algorithm", "b-algo", "SPOIL b-algo.shop.example algorithm = 'dsa'", "dkim_key.algorithm"),
      {"no such slot",
       "domain",
       {"INSERT INTO tenant (platform_id, slug) VALUES (1, 'b-slot')",
        "INSERT INTO dkim_key (id, algorithm, bits, public_key, fingerprint, generated_at) VALUES (9000, 'rsa', 2048, "
        "'AAAA', '" +
            std::string(64, 'e') + "', '2026-01-01 00:00:00.000000')",
        "INSERT INTO %SECRET% (key_id, private_pem) VALUES (9000, 'x')",
        "INSERT INTO dkim_selector (domain_id, slot, key_id) SELECT id, 'mz3', 9000 FROM domain WHERE name = "
        "'b-slot.shop.example'"},
       "name = 'b-slot.shop.example'",
       "dkim_selector.slot",
       Answer::cannotTell,
       "b-slot.shop.example",
       "MX"},
      {"a kind that is not there",
       "domain",
       {"INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'mirror.example', 'mirror')"},
       "name = 'mirror.example'",
       "column kind"},
      {"a kind that this version does not publish",
       "domain",
       {"INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'hosted.example', 'hosted')"},
       "name = 'hosted.example'",
       "hosted are not published"},
      {"a custom name that is no host name",
       "domain",
       {"INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'under_score.example', 'delegated')"},
       "name = 'under_score.example'",
       "not a host name"},
      {"a custom name with an empty label",
       "domain",
       {"INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'two..dots.example', 'delegated')"},
       "name = 'two..dots.example'",
       "column name"},
      {"a token that is none",
       "domain",
       {"INSERT INTO domain (platform_id, tenant_id, name, kind, token) VALUES (1, 1, 'token.example', 'delegated', "
        "'short')"},
       "name = 'token.example'",
       "column token",
       Answer::cannotTell,
       "mz1.short.dkim.shop.example",
       "TXT"},
      {"a platform that is not there",
       "domain",
       {"INSERT INTO domain (platform_id, name, kind) VALUES (99, 'orphan.example', 'delegated')"},
       "name = 'orphan.example'",
       "its platform is gone"},
      {"a good domain, spoilt",
       "domain",
       {"UPDATE domain SET dmarc_policy = 'bogus' WHERE name = 't2.shop.example'"},
       "name = 't2.shop.example'",
       "column dmarc_policy",
       Answer::asBefore,
       "t2.shop.example",
       "MX"},
      // Static records.
      ofStatic("no IPv4 address", "s1.shop.example", "A", "nowhere", "IPv4"),
      ofStatic("IPv4 in AAAA", "s2.shop.example", "AAAA", "192.0.2.1", "IPv6"),
      ofStatic("no such type", "s3.shop.example", "NOTYPE", "z", "column type"),
      ofStatic("TXT without quotes", "s4.shop.example", "TXT", "v=spf1 -all", "double quotes"),
      ofStatic("TXT with an open quote", "s5.shop.example", "TXT", "\"open", "quote"),
      ofStatic("MX without a target", "s6.shop.example", "MX", "10", ""),
      ofStatic("MX preference of 17 bits", "s7.shop.example", "MX", "70000 mx1.shop.example.", "65535"),
      ofStatic("SRV without a target", "_s8._tcp.shop.example", "SRV", "1 2 3", ""),
      ofStatic("CAA that is none", "s9.shop.example", "CAA", "issue", ""),
      ofStatic("NS of a wildcard", "*.s10.shop.example", "NS", "ns1.shop.example.", "wildcard"),
      ofStatic("a CNAME to itself", "s11.shop.example", "CNAME", "s11.shop.example.", "points at itself"),
      ofStatic("a TXT that the zone below answers", "s12.rp.shop.example", "TXT", "\"x\"", "answered from the zone",
               Answer::unasked),
      ofStatic("an owner with an empty label", "s13..shop.example", "A", "192.0.2.1", "column owner", Answer::unasked),
      ofStatic("outside of its zone", "s14.example", "A", "192.0.2.1", "does not lie in the zone", Answer::unasked,
               "static_record_before_insert"),
      ofStatic("a CNAME at the apex", "shop.example", "CNAME", "t1.shop.example.", "CNAME", Answer::unasked,
               "static_record_before_insert"),
      {"a zone that is not there",
       "static_record",
       {"INSERT INTO static_record (zone_id, owner, type, content) VALUES (99, 's15.shop.example', 'A', '192.0.2.1')"},
       "owner = 's15.shop.example'",
       "zone"},
      {"a TTL below zero",
       "static_record",
       {"INSERT INTO static_record (zone_id, owner, type, ttl, content) VALUES (1, 's16.shop.example', 'A', -1, "
        "'192.0.2.1')"},
       "owner = 's16.shop.example'",
       "column ttl",
       Answer::cannotTell,
       "s16.shop.example",
       "A"},
      {"a TTL that is no number",
       "static_record",
       {"INSERT INTO static_record (zone_id, owner, type, ttl, content) VALUES (1, 's17.shop.example', 'A', 'soon', "
        "'192.0.2.1')"},
       "owner = 's17.shop.example'",
       "column ttl",
       Answer::cannotTell,
       "s17.shop.example",
       "A",
       kSqliteOnly},
      {"a good record, spoilt",
       "static_record",
       {"UPDATE static_record SET content = 'elsewhere' WHERE owner = 'spoilt.shop.example'"},
       "owner = 'spoilt.shop.example'",
       "IPv4",
       Answer::asBefore,
       "spoilt.shop.example",
       "A"},
      // What a platform's context is made of: one bad row there must not take all domains along.
      {"an address that is none",
       "ip_address",
       {"INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '999.1.1.1', 'h1.shop.example')"},
       "address = '999.1.1.1'",
       "column address",
       Answer::asBefore,
       "main._spf.shop.example",
       "TXT"},
      {"a host name that is none",
       "ip_address",
       {"INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.91', 'h_2.shop.example')"},
       "address = '192.0.2.91'",
       "column host_name",
       Answer::asBefore,
       "main._spf.shop.example",
       "TXT"},
      {"an address of no pool",
       "ip_address",
       {"INSERT INTO ip_address (pool_id, address, host_name) VALUES (99, '192.0.2.92', 'h3.shop.example')"},
       "address = '192.0.2.92'",
       "pool is gone"},
      {"a good address, spoilt: its SPF stays",
       "ip_address",
       {"UPDATE ip_address SET address = '999.1.1.2' WHERE id = 2"},
       "id = 2",
       "column address",
       Answer::asBefore,
       "out1.shop.example",
       "AAAA"},
      {"a pool for no purpose",
       "ip_pool",
       {"INSERT INTO ip_pool (platform_id, name, purpose) VALUES (1, 'odd', 'other')"},
       "name = 'odd'",
       "column purpose"},
      {"a pool of two labels",
       "ip_pool",
       {"INSERT INTO ip_pool (platform_id, name) VALUES (1, 'a.b')"},
       "name = 'a.b'",
       "not one LDH label"},
      {"a good pool, spoilt",
       "ip_pool",
       {"UPDATE ip_pool SET name = 'x.y' WHERE id = 1"},
       "id = 1",
       "not one LDH label",
       Answer::asBefore,
       "t1.shop.example",
       "TXT"},
      {"a relay with no such envelope",
       "relay",
       {"INSERT INTO relay (platform_id, name, envelope) VALUES (1, 'r1', 'tenant')"},
       "name = 'r1'",
       "column envelope"},
      {"a relay whose include is no name",
       "relay",
       {"INSERT INTO relay (platform_id, name, spf_include) VALUES (1, 'r2', 'a..b')"},
       "name = 'r2'",
       "column spf_include"},
      {"a good relay, spoilt",
       "relay",
       {"UPDATE relay SET spf_include = 'a..b' WHERE id = 1"},
       "id = 1",
       "column spf_include",
       Answer::asBefore,
       "t1.shop.example",
       "TXT"},
      {"a default stream by no way",
       "stream",
       {"INSERT INTO stream (platform_id, name) VALUES (1, 'none')"},
       "name = 'none'",
       "exactly one of",
       Answer::asBefore,
       "t1.shop.example",
       "TXT"},
      {"a default stream by two ways",
       "stream",
       {"INSERT INTO stream (platform_id, name, pool_id, relay_id) VALUES (1, 'both', 1, 1)"},
       "name = 'both'",
       "exactly one of"},
      {"a default stream by a pool that is not there",
       "stream",
       {"INSERT INTO stream (platform_id, name, pool_id) VALUES (1, 'lost', 99)"},
       "name = 'lost'",
       "pool 99"},
      {"a default stream by a relay that is not there",
       "stream",
       {"INSERT INTO stream (platform_id, name, relay_id) VALUES (1, 'gone', 99)"},
       "name = 'gone'",
       "relay 99"},
      {"a default stream by a forwarding pool",
       "stream",
       {"INSERT INTO stream (platform_id, name, pool_id) VALUES (1, 'forged', 2)"},
       "name = 'forged'",
       "forwarding",
       Answer::asBefore,
       "t1.shop.example",
       "TXT",
       kSqliteOnly,
       "stream_before_insert"},
      {"a good default stream, spoilt",
       "stream",
       {"UPDATE stream SET relay_id = NULL, pool_id = NULL WHERE name = 'extra'"},
       "name = 'extra'",
       "exactly one of",
       Answer::asBefore,
       "t1.shop.example",
       "TXT"},
      {"a mail exchanger that is no host",
       "mail_exchanger",
       {"INSERT INTO mail_exchanger (platform_id, host_name) VALUES (1, 'mx_9.shop.example')"},
       "host_name = 'mx_9.shop.example'",
       "column host_name",
       Answer::asBefore,
       "t1.shop.example",
       "MX"},
      {"a preference of 17 bits",
       "mail_exchanger",
       {"INSERT INTO mail_exchanger (platform_id, preference, host_name) VALUES (1, 70000, 'mx8.shop.example')"},
       "host_name = 'mx8.shop.example'",
       "column preference"},
      // Zones.
      {"a zone of no kind",
       "zone",
       {"INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, '7.0.192.in-addr.arpa', "
        "'other', 'ns1.shop.example', 'hostmaster.shop.example')"},
       "name = '7.0.192.in-addr.arpa'",
       "column kind"},
      {"a zone whose name is none",
       "zone",
       {"INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, '8..192.in-addr.arpa', "
        "'reverse', 'ns1.shop.example', 'hostmaster.shop.example')"},
       "name = '8..192.in-addr.arpa'",
       "column name"},
      {"a good zone, spoilt: keys within stay",
       "zone",
       {"UPDATE zone SET refresh = -1 WHERE id = 2"},
       "id = 2",
       "column refresh",
       Answer::asBefore,
       "mz1.0123456789abcdef0123456789abcdef.dkim.shop.example",
       "TXT"},
      {"a good reverse zone, spoilt: pointers within stay",
       "zone",
       {"UPDATE zone SET primary_server = 'a..b' WHERE id = 4"},
       "id = 4",
       "column primary_server",
       Answer::asBefore,
       "25.2.0.192.in-addr.arpa",
       "PTR"},
      {"metadata of no zone",
       "zone_metadata",
       {"INSERT INTO zone_metadata (zone_id, kind, value) VALUES (99, 'ALLOW-AXFR-FROM', '192.0.2.1')"},
       "zone_id = 99",
       "zone is gone"},
      // What departed.
      {"departed, of no kind",
       "departed",
       {"INSERT INTO departed (platform_id, tenant_id, domain_id, name, kind, token, was_verified) VALUES (1, 1, 900, "
        "'d1.shop.example', 'other', '1123456789abcdef0123456789abcdef', 0)"},
       "name = 'd1.shop.example'",
       "column kind",
       Answer::cannotTell,
       "d1.shop.example",
       "MX"},
      {"departed, with no such policy",
       "departed",
       {"INSERT INTO departed (platform_id, tenant_id, domain_id, name, kind, token, was_verified, dmarc_policy) "
        "VALUES "
        "(1, 1, 901, 'd2.shop.example', 'subdomain', '2123456789abcdef0123456789abcdef', 0, 'bogus')"},
       "name = 'd2.shop.example'",
       "column dmarc_policy",
       Answer::cannotTell,
       "d2.shop.example",
       "MX"},
      // A platform.
      {"a good platform, spoilt",
       "platform",
       {"UPDATE platform SET dmarc_policy = 'bogus' WHERE id = 2"},
       "id = 2",
       "column dmarc_policy",
       Answer::asBefore,
       "sig.cloud.example",
       "TXT"},
  };
  return rows;
}

class World {
 public:
  explicit World(sql::Dialect dialect) : sqlite_(dialect == sql::Dialect::sqlite) {
    if (!sqlite_) mysqlName_ = test::TemporaryMariadb::shared().newMigratedDatabase();
    connection = sqlite_ ? database_.connect() : test::TemporaryMariadb::shared().connect(mysqlName_).value();
    backend.emplace(folder_.path(), settings(true));
    std::ofstream(folder_.path() + "/admin.toml") << "[database]\n" << settings(false);
  }

  [[nodiscard]] bool sqlite() const noexcept { return sqlite_; }

  void seed() {
    test::seedPlatform(*connection);
    for (const char* statement : {
             "INSERT INTO platform (id, name) VALUES (2, 'cloud.example')",
             "INSERT INTO zone (id, platform_id, name, kind, primary_server, hostmaster) VALUES (5, 2, "
             "'cloud.example', "
             "'platform', 'ns1.shop.example', 'hostmaster.shop.example')",
             "INSERT INTO static_record (zone_id, owner, type, content) VALUES (2, 'dkim.shop.example', 'NS', "
             "'ns1.shop.example.'), (3, 'rp.shop.example', 'NS', 'ns1.shop.example.'), (4, '2.0.192.in-addr.arpa', "
             "'NS', 'ns1.shop.example.'), (5, 'cloud.example', 'NS', 'ns1.shop.example.'), (1, 'spoilt.shop.example', "
             "'A', '192.0.2.70')",
             "INSERT INTO relay (id, platform_id, name, spf_include, envelope) VALUES (2, 1, 'own', "
             "'_spf.own.example', 'own')",
             "INSERT INTO stream (platform_id, name, relay_id) VALUES (1, 'extra', 2)",
             "INSERT INTO domain (platform_id, tenant_id, name, kind, token) VALUES (1, 1, 'custom.example', "
             "'delegated', '0123456789abcdef0123456789abcdef')",
         }) {
      must(*connection, statement);
    }
    test::giveKey(*connection, "custom.example", "mz1", true);
    must(*connection, "UPDATE dkim_key SET public_key = ?", {std::string(test::kPublicKey)});
  }

  /// A writer who turns every check off that the engine lets him.
  void turnChecksOff() {
    const auto done =
        connection->script(sqlite_ ? "PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off;"
                                   : "SET SESSION check_constraint_checks = 0, foreign_key_checks = 0, sql_mode = '';");
    ASSERT_TRUE(done) << describe(done.error());
  }

  void write(const BadRow& row) {
    const std::string trigger = row.withoutTrigger;
    const std::string kept =
        trigger.empty() ? "" : test::one(*connection, "SELECT sql FROM sqlite_master WHERE name = ?", {trigger});
    must(*connection, "BEGIN");
    if (!trigger.empty()) must(*connection, "DROP TRIGGER " + trigger);
    for (const auto& statement : row.statements) {
      if (statement.starts_with("KEY ")) {
        test::giveKey(*connection, statement.substr(4), "mz1", false);
      } else if (statement.starts_with("SPOIL ")) {
        const auto blank = statement.find(' ', 6);
        const auto selector = test::giveKey(*connection, statement.substr(6, blank - 6), "mz1", false);
        must(*connection, "UPDATE dkim_key SET " + statement.substr(blank + 1) +
                              " WHERE id = (SELECT key_id FROM dkim_selector WHERE id = " + selector + ")");
      } else if (const auto at = statement.find("%SECRET%"); at != std::string::npos) {
        must(*connection, std::string(statement).replace(at, 8, sqlite_ ? "secret.dkim_secret" : "dkim_secret"));
      } else if (!statement.empty()) {
        must(*connection, statement);
      }
    }
    if (!trigger.empty()) must(*connection, kept);
    must(*connection, "COMMIT");
  }

  Result<test::DnsReply> ask(std::string_view name, std::string_view type) const {
    return test::query(pdns->server(), name, type);
  }
  [[nodiscard]] std::vector<std::string> contents(std::string_view name, std::string_view type) const {
    const auto reply = ask(name, type);
    if (!reply || reply->rcode != kNoError) return {};
    return reply->contents(RecordType::parse(type).value());
  }

  /// `mailzone db check`: its status, and each finding by table and row.
  struct Checked {
    int status = -1;
    std::map<std::pair<std::string, std::string>, nlohmann::json> findings;
    std::size_t count = 0;
  };
  [[nodiscard]] Checked check() const {
    Command command;
    command.argv = {
        MAILZONE_BINARY_DIR "/bin/mailzone", "--config", folder_.path() + "/admin.toml", "db", "check", "--json"};
    const auto ran = run(command, "", std::chrono::seconds(60));
    if (!ran) throw std::runtime_error(describe(ran.error()));
    Checked checked;
    checked.status = ran->exitStatus;
    const auto document = nlohmann::json::parse(ran->output, nullptr, false);
    if (document.is_discarded()) throw std::runtime_error(ran->output + ran->errors);
    for (const auto& finding : document["findings"]) {
      checked.findings[{finding["table"], finding["row"]}] = finding;
      ++checked.count;
    }
    return checked;
  }

  std::unique_ptr<sql::Connection> connection;
  std::optional<test::BackendProcess> backend;
  std::optional<test::PdnsServer> pdns;

 private:
  [[nodiscard]] std::string settings(bool ofBackend) const {
    if (sqlite_) {
      return fmt::format("engine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n", database_.path(),
                         ofBackend ? "" : database_.secretsPath());
    }
    return fmt::format("engine = \"mysql\"\nunix_socket = \"{}\"\nname = \"{}\"\nroles.{}.user = \"root\"\n",
                       test::TemporaryMariadb::shared().socket(), mysqlName_, ofBackend ? "dns" : "admin");
  }

  bool sqlite_;
  test::TemporarySqlite database_;
  std::string mysqlName_;
  test::TemporaryFolder folder_;
};

std::string text(const nlohmann::json& finding) {
  return finding.dump();
}

void insertBadRowsAmongGoodOnes(sql::Dialect dialect) {
  World world(dialect);
  world.seed();
  if (testing::Test::HasFatalFailure()) return;
  world.backend->startReady();
  if (testing::Test::HasFatalFailure()) return;
  world.pdns.emplace(world.backend->socket());
  const auto before = world.check();
  ASSERT_EQ(before.status, 0) << text(before.findings.empty() ? nlohmann::json() : before.findings.begin()->second);

  std::vector<BadRow> rows = badRows();
  std::erase_if(rows, [&](const BadRow& row) { return row.sqliteOnly && !world.sqlite(); });
  ASSERT_GE(rows.size(), 30U);
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> lastGood;
  for (const auto& row : rows) {
    if (row.answer != Answer::asBefore) continue;
    const auto have = world.contents(row.name, row.type);
    ASSERT_FALSE(have.empty()) << row.why << "\n" << world.backend->log();
    lastGood[{row.name, row.type}] = have;
  }
  const auto spf = world.contents("t1.shop.example", "TXT");

  world.turnChecksOff();
  if (testing::Test::HasFatalFailure()) return;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i].why);
    world.write(rows[i]);
    must(*world.connection, fmt::format("INSERT INTO tenant (platform_id, slug) VALUES (1, 'good{}')", i));
    must(*world.connection, fmt::format("INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, "
                                        "'record{}.shop.example', 'A', '192.0.2.200')",
                                        i));
    if (testing::Test::HasFatalFailure()) return;
  }

  // The good ones are served.
  for (std::size_t i = rows.size(); i-- > 0;) {
    const auto name = fmt::format("good{}.shop.example", i);
    EXPECT_TRUE(test::eventually([&] { return !world.contents(name, "MX").empty(); }))
        << name << " after " << rows[i].why;
    EXPECT_EQ(world.contents(name, "MX"), std::vector<std::string>{"10 mx1.shop.example."});
    EXPECT_EQ(world.contents(name, "TXT"), spf) << "after " << rows[i].why;
    EXPECT_EQ(world.contents(fmt::format("record{}.shop.example", i), "A"), std::vector<std::string>{"192.0.2.200"});
  }
  // The bad ones do not answer wrongly.
  for (const auto& row : rows) {
    if (row.answer == Answer::unasked) continue;
    const auto reply = world.ask(row.name, row.type);
    ASSERT_TRUE(reply) << row.why << ": " << describe(reply.error());
    if (row.answer == Answer::cannotTell) {
      EXPECT_EQ(reply->rcode, kServfail) << row.why << ": " << row.name;
    } else {
      EXPECT_EQ(world.contents(row.name, row.type), (lastGood[{row.name, row.type}])) << row.why;
    }
  }
  EXPECT_EQ(world.contents("srs.shop.example", "MX"), std::vector<std::string>{"10 mx1.shop.example."});

  // Each bad row is listed with reason and remedy, and nothing else is.
  const auto checked = world.check();
  EXPECT_EQ(checked.status, 1);
  EXPECT_EQ(checked.count, checked.findings.size()) << "a row is listed once";
  std::set<std::pair<std::string, std::string>> bad;
  for (const auto& row : rows) {
    const auto id = test::one(*world.connection, fmt::format("SELECT id FROM {} WHERE {}", row.table, row.where));
    ASSERT_NE(id, "") << row.why;
    const auto at = checked.findings.find({row.table, "id " + id});
    bad.emplace(row.table, "id " + id);
    if (at == checked.findings.end()) {
      ADD_FAILURE() << "not listed: " << row.why << " (" << row.table << " id " << id << ")";
      continue;
    }
    const auto& finding = at->second;
    EXPECT_THAT(finding["value"].get<std::string>() + ": " + finding["reason"].get<std::string>(),
                testing::HasSubstr(row.reason))
        << row.why;
    EXPECT_NE(finding["remedy"].get<std::string>(), "") << row.why << text(finding);
  }
  for (const auto& [row, finding] : checked.findings) {
    EXPECT_TRUE(bad.contains(row)) << "a good row is listed: " << text(finding);
  }
  fmt::print("{}: {} bad rows, {} findings\n", world.sqlite() ? "SQLite" : "MariaDB", rows.size(), checked.count);
}

TEST(BadRows, OnSqliteAreListedAndTheGoodOnesServed) {
  insertBadRowsAmongGoodOnes(sql::Dialect::sqlite);
}

TEST(BadRows, OnMariadbAreListedAndTheGoodOnesServed) {
  insertBadRowsAmongGoodOnes(sql::Dialect::mysql);
}

}  // namespace
}  // namespace mailzone
