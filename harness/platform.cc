#include "harness/platform.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/random.h>

#include <array>
#include <nlohmann/json.hpp>

#include "harness/dns_world.h"
#include "harness/private_files.h"
#include "harness/topology.h"
#include "system/units.h"

namespace mailzone::harness {
namespace {

using Json = nlohmann::json;
constexpr const char* kFolder = "/var/lib/mailzone";
constexpr const char* kDatabase = "/var/lib/mailzone/mailzone.db";
constexpr const char* kSecrets = "/var/lib/mailzone-keys/secrets.db";
constexpr const char* kExport = "/var/lib/mailzone-keys/export";

std::string randomPassword() {
  std::array<unsigned char, 18> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string settingsText(const Stage& stage) {
  std::string text = "[database]\n";
  if (stage.database == Database::sqlite) {
    text += fmt::format("engine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n", kDatabase, kSecrets);
  } else {
    text += "engine = \"mysql\"\nunix_socket = \"/run/mysqld/mysqld.sock\"\nname = \"mailzone\"\n";
    for (const char* role : {"admin", "dns", "keys", "sign", "mta", "app"})
      text += fmt::format(
          "roles.{0}.user = \"mailzone_{0}\"\nroles.{0}.password_file = \"/etc/mailzone/passwords/{0}\"\n", role);
  }
  text += "[rotation]\nspare_keys = 4\npoll_ms = 200\n";
  if (stage.database == Database::sqlite)
    text += fmt::format(
        "export_path = \"{}\"\nexport_group = \"opendkim\"\nopendkim_pid_file = \"/run/opendkim/opendkim.pid\"\n",
        kExport);
  text += fmt::format("[backend]\npoll_ms = 100\n[resolver]\nservers = [\"{}\"]\ntimeout_ms = 3000\n",
                      addressText("resolver"));
  return text;
}

TemplateValues shippedValues(const Stage& stage) {
  const bool sqlite = stage.database == Database::sqlite;
  TemplateValues values{
      {"MAP_TYPE", sqlite ? "sqlite" : "mysql"},
      {"POSTFIX_MAPS", "/etc/postfix/mailzone"},
      {"DATABASE_PATH", kDatabase},
      {"SIGNER", fmt::format("inet:127.0.0.1:{}", kSignerPort)},
      {"MAIL_HOST", std::string(kMailHost)},
      {"PLATFORM", std::string(kPlatform)},
      {"APP_NETWORKS", addressText("app") + "/32"},
      {"MX_LISTEN", std::to_string(doorPort("mx"))},
      {"SUBMISSION_LISTEN", std::to_string(doorPort("submission"))},
      {"MARKETING_LISTEN", std::to_string(doorPort("marketing"))},
      {"WEBAPP_LISTEN", std::to_string(doorPort("webapp"))},
      {"SUBMISSION_TLS", "encrypt"},
      {"MARKETING_RELAY", fmt::format("[{}]:25", addressText("relay"))},
      {"SASL_SOCKET", "/var/spool/postfix/private/mailzone-auth"},
      {"POSTFIX_USER", "postfix"},
      {"DOVECOT_RUN", "/run/mailzone-dovecot"},
      {"DOVECOT_LOG", "syslog"},
      {"DOVECOT_SQL_CONF", "/etc/mailzone/dovecot-sql.conf.ext"},
      {"DOVECOT_USER", "dovecot"},
      {"DOVECOT_LOGIN_USER", "dovenull"},
      {"DOVECOT_WORKER_USER", "dovecot"},
      {"OPENDKIM_USER", "opendkim:opendkim"},
      {"SIGNING_TABLE", "/etc/mailzone/signingtable"},
      {"AUTHOR_LUA", "/etc/mailzone/author.lua"},
      {"KEY_TABLE", fmt::format("file:{}/current/keytable", kExport)},
      {"AUTHORS_FOLDER", fmt::format("{}/current/authors", kExport)},
      {"AUTHORS_TABLE", ""},
  };
  return values;
}

Result<void> makeFolders(const Stage& stage) {
  struct Row {
    const char* path;
    mode_t mode;
    FileOwner owner;
  };
  for (const Row& row :
       {Row{"/etc/mailzone", 0755, {}}, Row{"/run/mailzone", 0755, {"mailzone-dns", "pdns"}},
        Row{kFolder, 02775, {"root", "mailzone"}}, Row{"/var/lib/mailzone-keys", 0750, {"mailzone-keys", "opendkim"}},
        Row{"/etc/postfix/mailzone", 0755, {}}})
    if (auto made = makeFolder(row.path, row.mode, row.owner); !made) return made;
  for (const char* program : {"mailzone", "mailzone-backend", "mailzone-rotate"})
    if (auto done = exposeProgram(stage.layout.programs + "/" + program, std::string("/usr/local/bin/") + program);
        !done)
      return done;
  return writeFile(kConfig, settingsText(stage));
}

/// The database file is shared by the users of backend and rotation and read by Postfix and Dovecot; the secrets are
/// mailzone-rotate's alone.
Result<void> shareDatabase() {
  for (const auto& argv :
       {std::vector<std::string>{"sh", "-c", fmt::format("chgrp mailzone {0}* && chmod 0664 {0}*", kDatabase)},
        std::vector<std::string>{"sh", "-c",
                                 fmt::format("chown mailzone-keys:mailzone-keys {0}* && chmod 0600 {0}*", kSecrets)}})
    if (auto done = runTool(argv); !done) return pass(done);
  return {};
}

/// "{mta}" and the other roles -> addresses.
std::string withAddresses(std::string text) {
  for (const Host& host : hosts()) {
    const std::string marker = "{" + std::string(host.role) + "}";
    for (std::size_t at = text.find(marker); at != std::string::npos; at = text.find(marker))
      text.replace(at, marker.size(), host.address);
  }
  return text;
}

Result<Json> json(const Result<std::string>& text, const std::string& what) {
  if (!text) return pass(text);
  Json document = Json::parse(*text, nullptr, false);
  if (document.is_discarded() || !document.is_object())
    return fail(Errc::internal, what, "printed no JSON document", *text);
  return document;
}

}  // namespace

Result<std::string> mailzone(const std::vector<std::string>& arguments, std::string_view input) {
  std::vector<std::string> argv{"/usr/local/bin/mailzone"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.insert(argv.end(), {"--config", kConfig, "--json"});
  return runTool(argv, input, std::chrono::seconds{60});
}

Result<std::string> plainSql(const Stage& stage, std::string_view statement) {
  if (stage.database == Database::sqlite)
    // What a writer of SQLite has to set for every connection (docs/sql-contract.md).
    return runTool({"sqlite3", "-batch", "-bail", "-cmd", "PRAGMA foreign_keys=on", "-cmd",
                    "PRAGMA recursive_triggers=on", "-cmd", ".timeout 5000", kDatabase},
                   statement);
  return runTool({"mariadb", "--batch", "--skip-column-names", "--socket=/run/mysqld/mysqld.sock", "mailzone"},
                 statement);
}

Result<Platform> setUpPlatform(Stage& stage, const Setup& setup) {
  Platform platform;
  platform.values = shippedValues(stage);
  if (auto made = makeFolders(stage); !made) return pass(made);
  if (auto done = mailzone({"db", "migrate"}); !done) return pass(done);
  if (stage.database == Database::sqlite)
    if (auto done = shareDatabase(); !done) return pass(done);
  for (const auto& command : setup.commands) {
    std::vector<std::string> arguments;
    for (const std::string& word : command) arguments.push_back(withAddresses(word));
    if (auto done = mailzone(arguments); !done) return pass(done);
  }
  for (const auto& [login, tenant] : setup.logins) {
    const std::string password = randomPassword();
    if (auto done = mailzone({"login", "add", login, "--tenant", tenant, "--password-file", "-"}, password + "\n");
        !done)
      return pass(done);
    platform.passwords[login] = std::make_shared<const Secret>(password);
  }
  for (const std::string& domain : setup.customerDomains) {
    const auto document = json(mailzone({"domain", "show", domain}), "mailzone domain show");
    if (!document) return pass(document);
    platform.returnPaths[domain] = document->value("token", std::string()) + ".rp." + std::string(kPlatform);
  }
  return platform;
}

Result<void> startPlatformDns(Stage& stage, const Platform& platform) {
  static_cast<void>(platform);
  const std::string source = stage.layout.source;
  const auto start = [&](const std::string& name, const std::string& unitPath) -> Result<void> {
    const auto unit = loadUnit({source + "/" + unitPath});
    if (!unit) return pass(unit);
    std::vector<std::string> argv = unit->execStart;
    argv[0] = "/usr/local/bin/" + name;
    return startByUnit(stage, name, *unit, argv);
  };
  if (auto done = start("mailzone-backend", "backend/systemd/mailzone-backend.service"); !done) return done;
  if (auto done = start("mailzone-rotate", "rotation/systemd/mailzone-rotate.service"); !done) return done;
  if (auto done = stage.supervisor->waitReady("mailzone-backend", kStartDeadline); !done) return done;
  return {};
}

}  // namespace mailzone::harness
