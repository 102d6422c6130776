#include "tests/support/engines.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tenantdb/migrator.h"
#include "tests/support/temporary_mariadb.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::test {
namespace {

class SqliteTestDatabase final : public TestDatabase {
 public:
  sql::Dialect dialect() const noexcept override { return sql::Dialect::sqlite; }
  std::unique_ptr<sql::Connection> connect() override { return database_.connect(); }
  std::string settings(const std::string& role) override {
    // The tests run as one user: a program that must not read the private keys is not told where they are.
    const bool secrets = role == "keys" || role == "admin";
    return fmt::format("[database]\nengine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n", database_.path(),
                       secrets ? database_.secretsPath() : "");
  }

 private:
  TemporarySqlite database_;
};

class MariadbTestDatabase final : public TestDatabase {
 public:
  MariadbTestDatabase() : name_(TemporaryMariadb::shared().newMigratedDatabase()) {}
  sql::Dialect dialect() const noexcept override { return sql::Dialect::mysql; }
  std::unique_ptr<sql::Connection> connect() override {
    auto connection = TemporaryMariadb::shared().connect(name_);
    if (!connection) throw std::runtime_error(describe(connection.error()));
    return std::move(*connection);
  }
  std::string settings(const std::string& role) override {
    auto text = fmt::format("[database]\nengine = \"mysql\"\nunix_socket = \"{}\"\nname = \"{}\"\n",
                            TemporaryMariadb::shared().socket(), name_);
    if (role == "admin") return text + "[database.roles.admin]\nuser = \"root\"\n";
    tenantdb::RoleAccount account;
    account.role = role;
    account.user = "mailzone_" + role;
    account.password = Secret("password of " + role);
    std::vector<tenantdb::RoleAccount> accounts;
    accounts.push_back(std::move(account));
    if (const auto granted = tenantdb::Migrator(*connect()).grantRoles(accounts); !granted) {
      throw std::runtime_error(describe(granted.error()));
    }
    const std::string file = folder_.path() + "/" + role;
    if (!std::filesystem::exists(file)) {
      std::ofstream(file) << "password of " << role << "\n";
      std::filesystem::permissions(file, std::filesystem::perms::owner_read);
    }
    return text + fmt::format("[database.roles.{0}]\nuser = \"mailzone_{0}\"\npassword_file = \"{1}\"\n", role, file);
  }

 private:
  TemporaryFolder folder_;
  std::string name_;
};

constexpr sql::Dialect kEngines[] = {sql::Dialect::sqlite, sql::Dialect::mysql};

}  // namespace

std::unique_ptr<TestDatabase> makeTestDatabase(sql::Dialect dialect) {
  if (dialect == sql::Dialect::sqlite) return std::make_unique<SqliteTestDatabase>();
  return std::make_unique<MariadbTestDatabase>();
}

void onEachEngine(const std::function<void(TestDatabase&)>& body) {
  for (const auto dialect : kEngines) {
    SCOPED_TRACE(dialect == sql::Dialect::sqlite ? "SQLite" : "MariaDB");
    const auto database = makeTestDatabase(dialect);
    body(*database);
  }
}

void must(sql::Connection& connection, std::string_view statement, const std::vector<sql::Value>& values) {
  const auto done = connection.execute(statement, values);
  ASSERT_TRUE(done) << describe(done.error()) << "\n" << statement;
}

std::vector<std::string> rows(sql::Connection& connection, std::string_view statement,
                              const std::vector<sql::Value>& values) {
  std::vector<std::string> found;
  const auto asked = connection.query(statement, values, [&](const sql::Row& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += (i == 0 ? "" : "|") + row.text(i);
    found.push_back(line);
    return true;
  });
  EXPECT_TRUE(asked) << describe(asked.error()) << "\n" << statement;
  return found;
}

std::string one(sql::Connection& connection, std::string_view statement, const std::vector<sql::Value>& values) {
  const auto found = rows(connection, statement, values);
  return found.empty() ? "" : found.front();
}

void seedPlatform(sql::Connection& connection) {
  for (const std::string_view statement : {
           "INSERT INTO platform (id, name) VALUES (1, 'shop.example')",
           "INSERT INTO zone (id, platform_id, name, kind, primary_server, hostmaster) VALUES "
           "(1, 1, 'shop.example', 'platform', 'ns1.shop.example', 'hostmaster.shop.example'), "
           "(2, 1, 'dkim.shop.example', 'key_target', 'ns1.shop.example', 'hostmaster.shop.example'), "
           "(3, 1, 'rp.shop.example', 'return_path', 'ns1.shop.example', 'hostmaster.shop.example'), "
           "(4, 1, '2.0.192.in-addr.arpa', 'reverse', 'ns1.shop.example', 'hostmaster.shop.example')",
           "INSERT INTO static_record (zone_id, owner, type, content) VALUES "
           "(1, 'shop.example', 'NS', 'ns1.shop.example.'), (1, 'ns1.shop.example', 'A', '192.0.2.53'), "
           "(1, 'mx1.shop.example', 'A', '192.0.2.25')",
           "INSERT INTO mail_exchanger (platform_id, preference, host_name) VALUES (1, 10, 'mx1.shop.example')",
           "INSERT INTO ip_pool (id, platform_id, name, purpose) VALUES (1, 1, 'main', 'sending'), "
           "(2, 1, 'fwd', 'forwarding')",
           "INSERT INTO ip_address (id, pool_id, address, host_name) VALUES (1, 1, '192.0.2.25', 'out1.shop.example'), "
           "(2, 1, '2001:db8::25', 'out1.shop.example'), (3, 2, '192.0.2.26', 'fwd1.shop.example')",
           "INSERT INTO relay (id, platform_id, name, spf_include, envelope) VALUES "
           "(1, 1, 'bulk', '_spf.bulk.example', 'relay')",
           "INSERT INTO stream (platform_id, name, pool_id, relay_id) VALUES (1, 'webapp', 1, NULL), "
           "(1, 'mailbox', 1, NULL), (1, 'marketing', NULL, 1)",
           "INSERT INTO tenant (id, platform_id, slug) VALUES (1, 1, 't1'), (2, 1, 't2')",
       }) {
    must(connection, statement);
  }
}

std::string giveKey(sql::Connection& connection, const std::string& domain, const std::string& slot, bool active) {
  const std::string id = one(connection, "SELECT id FROM domain WHERE name = ?", {domain});
  const std::string fingerprint = fmt::format(
      "{:064x}",
      std::hash<std::string>{}(domain + "/" + slot + "/" + one(connection, "SELECT count(*) FROM dkim_key")));
  must(connection,
       "INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at, assigned_at) VALUES "
       "('rsa', 2048, 'TUlJQklqQU4=', ?, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')",
       {fingerprint});
  const std::string key = one(connection, "SELECT id FROM dkim_key WHERE fingerprint = ?", {fingerprint});
  must(connection, "INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (?, ?, ?)", {id, slot, key});
  const std::string selector = one(connection, "SELECT id FROM dkim_selector WHERE key_id = ?", {key});
  must(connection,
       fmt::format("INSERT INTO {} (key_id, private_pem) VALUES (?, ?)",
                   connection.dialect() == sql::Dialect::sqlite ? "secret.dkim_secret" : "dkim_secret"),
       {key, "-----BEGIN PRIVATE KEY-----\n" + fingerprint + "\n"});
  if (active) {
    must(connection, "INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (?, 'rsa', ?)", {id, selector});
  }
  return selector;
}

}  // namespace mailzone::test
