#include "tenantdb/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace mailzone::tenantdb {
namespace {

struct Grant {
  std::string_view privileges;
  std::string_view object;  ///< a table or view, or "PROCEDURE name"
};
struct RoleGrants {
  std::string_view role;
  std::vector<Grant> grants;
};

// docs/sql-contract.md, "Roles", is this table in words. Nothing is granted on the whole database but to admin: what a
// later migration adds is closed until it stands here.
const std::vector<RoleGrants>& roleGrants() {
  static const std::vector<RoleGrants> roles = {
      {"dns",
       {{"SELECT", "schema_info"},
        {"SELECT", "platform"},
        {"SELECT", "mail_exchanger"},
        {"SELECT", "zone"},
        {"SELECT, UPDATE (serial)", "zone_serial"},
        {"SELECT, INSERT, UPDATE, DELETE", "zone_metadata"},
        {"SELECT, INSERT, UPDATE, DELETE", "static_record"},
        {"SELECT", "ip_pool"},
        {"SELECT", "ip_address"},
        {"SELECT", "relay"},
        {"SELECT", "stream"},
        {"SELECT", "tenant"},
        {"SELECT", "domain"},
        {"SELECT", "dkim_key"},
        {"SELECT", "dkim_selector"},
        {"SELECT", "active_key"},
        {"SELECT", "departed"},
        {"SELECT, INSERT", "feed_inbox"},
        {"SELECT", "change_log"},
        {"SELECT", "feed_head"},
        {"EXECUTE", "PROCEDURE feed_advance"}}},
      {"keys",
       {{"SELECT", "schema_info"},
        {"SELECT", "platform"},
        {"SELECT", "zone"},
        {"SELECT", "tenant"},
        {"SELECT, UPDATE (state, verified_at, bounce_verified_at)", "domain"},
        {"SELECT", "envelope_domain"},
        {"SELECT, INSERT, UPDATE", "dkim_key"},
        {"SELECT, INSERT, UPDATE", "dkim_selector"},
        {"SELECT, INSERT, UPDATE, DELETE", "active_key"},
        {"SELECT, INSERT, DELETE", "dkim_secret"},
        {"SELECT, UPDATE (revoked_at, gone_at, mz1_key_id, mz2_key_id)", "departed"},
        {"SELECT, INSERT", "feed_inbox"},
        {"SELECT", "change_log"},
        {"SELECT", "feed_head"},
        {"EXECUTE", "PROCEDURE feed_advance"}}},
      {"sign", {{"SELECT", "signing"}}},
      {"mta",
       {{"SELECT", "sender_login"}, {"SELECT", "sender_domain"}, {"SELECT", "envelope_domain"}, {"SELECT", "login"}}},
      {"app",
       {{"SELECT", "schema_info"},
        {"SELECT", "platform"},
        {"SELECT", "ip_pool"},
        {"SELECT", "relay"},
        {"SELECT", "reserved_slug"},
        {"SELECT", "departed"},
        {"SELECT", "sender_login"},
        {"SELECT, INSERT, DELETE, UPDATE (slug, external_id, state)", "tenant"},
        {"SELECT, DELETE, INSERT (platform_id, tenant_id, name, kind, external_id, signing, dmarc_policy, dmarc_rua), "
         "UPDATE (tenant_id, name, external_id, signing, dmarc_policy, dmarc_rua)",
         "domain"},
        {"SELECT, INSERT, UPDATE, DELETE", "stream"},
        {"SELECT, INSERT, DELETE, UPDATE (name, password_hash)", "login"},
        {"SELECT, INSERT, DELETE", "login_domain"}}},
  };
  return roles;
}

/// A string literal under the session's sql_mode (which the connection sets: backslashes escape).
std::string quoted(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal + '\'';
}

Result<std::string> oneText(sql::Connection& connection, std::string_view statement) {
  std::string text;
  const auto asked = connection.query(statement, {}, [&](const sql::Row& row) {
    text = row.text(0);
    return true;
  });
  if (!asked) return pass(asked);
  return text;
}

/// The name of the database that the connection works in, quoted as an identifier.
Result<std::string> databaseName(sql::Connection& connection) {
  auto name = oneText(connection, "SELECT database()");
  if (!name) return name;
  if (name->empty()) return fail(Errc::settings, "", "the connection has chosen no database", "set database.name");
  std::string identifier = "`";
  for (const char c : *name) identifier += c == '`' ? "``" : std::string(1, c);
  return identifier + '`';
}

/// Tables and views of the database. Their names are ours, or those of whoever may make tables here.
Result<std::vector<std::string>> tableNames(sql::Connection& connection) {
  std::vector<std::string> names;
  const auto asked = connection.query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name NOT LIKE '%`%' "
      "ORDER BY table_name",
      {}, [&](const sql::Row& row) {
        names.push_back(row.text(0));
        return true;
      });
  if (!asked) return pass(asked);
  return names;
}

tl::unexpected<Error> lacking(const Error& error, std::string_view privilege, std::string_view purpose) {
  if (error.code != Errc::forbidden) return tl::unexpected<Error>(error);
  return fail(Errc::forbidden, privilege,
              fmt::format("the migrating account lacks this privilege, which {} ({})", purpose, error.rule),
              fmt::format("as an administrator: GRANT {} to it", privilege));
}

}  // namespace

Result<void> prepareDefiner(sql::Connection& connection) {
  const auto database = databaseName(connection);
  if (!database) return pass(database);
  // Locked, and with a password that nobody knows should somebody unlock it.
  const auto password = oneText(connection, "SELECT lower(hex(random_bytes(24)))");
  if (!password) return pass(password);
  auto made = connection.script(
      fmt::format("CREATE USER IF NOT EXISTS {} IDENTIFIED BY '{}' ACCOUNT LOCK", kDefiner, *password));
  if (!made) return lacking(made.error(), "CREATE USER ON *.*", "makes the locked account that owns the triggers");
  auto granted = connection.script(
      fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, TRIGGER ON {}.* TO {}", *database, kDefiner));
  if (!granted) {
    return lacking(granted.error(), fmt::format("ALL PRIVILEGES ON {}.* ... WITH GRANT OPTION", *database),
                   "gives the owner of the triggers its rights");
  }
  // Tried, not guessed from SHOW GRANTS: the names of these privileges differ from server to server.
  auto probed = connection.script(
      "CREATE TABLE IF NOT EXISTS mailzone_privilege_probe (id INT);\n"
      "DROP TRIGGER IF EXISTS mailzone_privilege_probe_trigger;");
  if (!probed)
    return lacking(probed.error(), fmt::format("CREATE, DROP, TRIGGER ON {}.*", *database), "makes the schema");
  auto triggered =
      connection.script(fmt::format("CREATE DEFINER = {} TRIGGER mailzone_privilege_probe_trigger BEFORE INSERT ON "
                                    "mailzone_privilege_probe FOR EACH ROW SET NEW.id = 1",
                                    kDefiner));
  const auto dropped = connection.script("DROP TABLE mailzone_privilege_probe");
  if (!triggered) {
    const bool binaryLog = triggered.error().rule.find("(1419)") != std::string::npos;
    return binaryLog ? lacking(triggered.error(), "SUPER ON *.*",
                               "triggers need while the binary log is on and log_bin_trust_function_creators is off")
                     : lacking(triggered.error(), "SET USER ON *.*", "makes triggers that belong to another account");
  }
  return dropped;
}

Result<void> grantRole(sql::Connection& connection, const RoleAccount& account) {
  const auto database = databaseName(connection);
  if (!database) return pass(database);
  const auto& roles = roleGrants();
  const auto role =
      std::find_if(roles.begin(), roles.end(), [&](const auto& each) { return each.role == account.role; });
  if (role == roles.end()) {
    return fail(Errc::invalidInput, account.role, "not a role", "write one of dns, keys, sign, mta, app");
  }
  const std::string user = quoted(account.user) + "@" + quoted(account.host);
  const std::string password = quoted(account.password.reveal());
  auto made =
      connection.script(fmt::format("CREATE USER IF NOT EXISTS {0} IDENTIFIED BY {1};\n"
                                    "ALTER USER {0} IDENTIFIED BY {1};",
                                    user, password));
  if (!made) {
    // The statement holds a password: it must not be told on.
    Error error = made.error();
    error.value = escapeForDisplay(account.user);
    return lacking(error, "CREATE USER ON *.*", "makes the accounts of the programs");
  }
  auto tables = tableNames(connection);
  if (!tables) return pass(tables);
  // What an earlier version granted and this one does not must go. Revoking what was never granted is an error, and who
  // has what is not visible to every account that may grant: so first something that allows nothing here (REFERENCES),
  // never a right to read, which would stay if this ended half-way. Table by table, so that a program at work misses
  // its rights for a moment only.
  std::string script;
  const auto empty = [&](const std::string& object) {
    script += fmt::format("GRANT REFERENCES ON {0} TO {1};\nREVOKE ALL PRIVILEGES ON {0} FROM {1};\n", object, user);
  };
  empty(*database + ".*");
  for (const auto& table : *tables) {
    empty(fmt::format("{}.`{}`", *database, table));
    for (const auto& grant : role->grants) {
      if (grant.object == table) {
        script += fmt::format("GRANT {} ON {}.`{}` TO {};\n", grant.privileges, *database, table, user);
      }
    }
  }
  for (const auto& grant : role->grants) {
    if (!grant.object.starts_with("PROCEDURE ")) continue;
    script += fmt::format("GRANT {} ON PROCEDURE {}.{} TO {};\n", grant.privileges, *database,
                          grant.object.substr(std::string_view("PROCEDURE ").size()), user);
  }
  auto granted = connection.script(script);
  if (!granted) {
    return lacking(granted.error(), fmt::format("ALL PRIVILEGES ON {}.* ... WITH GRANT OPTION", *database),
                   "gives the accounts of the programs their rights");
  }
  return {};
}

Result<std::vector<Finding>> checkDefiner(sql::Connection& connection) {
  std::vector<Finding> findings;
  // Does what the application's INSERTs do: runs something of the definer's. Moves nothing.
  if (const auto called = connection.script("CALL feed_advance(0)"); !called) {
    if (called.error().code == Errc::unavailable || called.error().code == Errc::temporary) return pass(called);
    findings.push_back({"feed_advance", "", "", called.error().rule,
                        "every INSERT of the application fails so: as an administrator, make the account " +
                            std::string(kDefiner) + " again (`mailzone db migrate` does)"});
  }
  const sql::Value expected[] = {std::string("mailzone_definer@localhost")};
  const auto asked = connection.query(
      "SELECT trigger_name, definer FROM information_schema.triggers WHERE trigger_schema = database() AND definer <> "
      "? "
      "UNION ALL SELECT routine_name, definer FROM information_schema.routines WHERE routine_schema = database() AND "
      "definer <> ? UNION ALL SELECT table_name, definer FROM information_schema.views WHERE table_schema = database() "
      "AND definer <> ?",
      std::vector<sql::Value>{expected[0], expected[0], expected[0]}, [&](const sql::Row& row) {
        findings.push_back({row.text(0), "", row.text(1),
                            "belongs to another account than mailzone_definer: when that one "
                            "is dropped, it fails (1449)",
                            "create it again with DEFINER = " + std::string(kDefiner)});
        return true;
      });
  if (!asked) return pass(asked);
  const auto triggers =
      oneText(connection, "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = database()");
  if (!triggers) return pass(triggers);
  if (*triggers == "0") {
    findings.push_back({"", "", "", "no trigger can be seen: the schema has none, or this account lacks TRIGGER",
                        "check as the account that migrates"});
  }
  return findings;
}

}  // namespace mailzone::tenantdb
