#include "harness/platform.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/dns_world.h"
#include "harness/mariadb.h"
#include "harness/private_files.h"
#include "harness/random_password.h"
#include "harness/topology.h"
#include "system/units.h"

namespace mailzone::harness {
namespace {

using Json = nlohmann::json;
constexpr const char* kFolder = "/var/lib/mailzone";
constexpr const char* kDatabase = "/var/lib/mailzone/mailzone.db";
constexpr const char* kSecrets = "/var/lib/mailzone-keys/secrets.db";
constexpr const char* kExport = "/var/lib/mailzone-keys/export";

std::string settingsText(const Stage& stage) {
  std::string text = "[database]\n";
  if (stage.database == Database::sqlite) {
    text += fmt::format("engine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n", kDatabase, kSecrets);
  } else {
    text += "engine = \"mysql\"\nname = \"mailzone\"\n" + fmt::format("unix_socket = \"{}\"\n", kMariadbSocket);
    for (const char* role : {"admin", "dns", "keys", "sign", "mta", "app"})
      text += fmt::format(
          "roles.{0}.user = \"mailzone_{0}\"\nroles.{0}.password_file = \"/etc/mailzone/passwords/{0}\"\n", role);
  }
  text += "[rotation]\nspare_keys = 4\npoll_ms = 200\n";
  // OpenDKIM reads the keys from the view where there is a server; the authors of return paths from the export always.
  text += fmt::format(
      "export_path = \"{}\"\nexport_group = \"opendkim\"\nexport_keys = {}\n"
      "opendkim_pid_file = \"/run/opendkim/opendkim.pid\"\n",
      kExport, stage.database == Database::sqlite);
  text += fmt::format("[backend]\npoll_ms = 100\n[resolver]\nservers = [\"{}\"]\ntimeout_ms = 3000\n",
                      addressText("resolver"));
  return text;
}

/// What stands in the shipped files that speak to the database.
Result<void> addDatabaseValues(const Stage& stage, TemplateValues& values) {
  values["DATABASE_PATH"] = kDatabase;
  values["AUTHORS_FOLDER"] = fmt::format("{}/current/authors", kExport);
  if (stage.database == Database::sqlite) {
    values["MAP_TYPE"] = "sqlite";
    values["KEY_TABLE"] = fmt::format("file:{}/current/keytable", kExport);
    return {};
  }
  const auto mta = readFile("/etc/mailzone/passwords/mta");
  const auto sign = readFile("/etc/mailzone/passwords/sign");
  if (!mta) return pass(mta);
  if (!sign) return pass(sign);
  const auto line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  values["MAP_TYPE"] = "mysql";
  values["DB_HOSTS"] = fmt::format("inet:127.0.0.1:{}", kMariadbPort);
  values["DB_HOST"] = "127.0.0.1";
  values["DB_PORT"] = std::to_string(kMariadbPort);
  values["DB_NAME"] = "mailzone";
  values["MTA_USER"] = "mailzone_mta";
  values["MTA_PASSWORD"] = line(*mta);
  values["KEY_TABLE"] =
      fmt::format("dsn:mysql://mailzone_sign:{}@{}+127.0.0.1/mailzone/table=signing?keycol=name?datacol=d,selector,pem",
                  line(*sign), kMariadbPort);
  return {};
}

Result<TemplateValues> shippedValues(const Stage& stage) {
  TemplateValues values{
      {"POSTFIX_MAPS", "/etc/postfix/mailzone"},
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
  };
  if (auto done = addDatabaseValues(stage, values); !done) return pass(done);
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
        Row{"/etc/postfix/mailzone", 0755, {}}, Row{"/etc/mailzone/logins", 0700, {}}})
    if (auto made = makeFolder(row.path, row.mode, row.owner); !made) return made;
  for (const char* program : {"mailzone", "mailzone-backend", "mailzone-rotate"})
    if (auto done = exposeProgram(stage.layout.programs + "/" + program, std::string("/usr/local/bin/") + program);
        !done)
      return done;
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (auto done = exposeProgram(self, "/usr/local/bin/mailzone-harness"); !done) return done;
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

/// PowerDNS by Debian's unit, our drop-in and the shipped lines.
Result<void> startPdns(Stage& stage) {
  if (auto made = makeFolder("/etc/mailzone/pdns"); !made) return made;
  auto config = shippedFile(stage, "backend/pdns/mailzone.conf", {});
  if (!config) return pass(config);
  *config +=
      fmt::format("\nlocal-address={}\nsocket-dir=/run/pdns\nversion-string=anonymous\n", addressText("platform-dns"));
  if (auto done = writeFile("/etc/mailzone/pdns/pdns.conf", *config, 0640, {"root", "pdns"}); !done) return done;
  const auto unit =
      loadUnit({"/lib/systemd/system/pdns.service", stage.layout.source + "/backend/systemd/pdns.service.conf"});
  if (!unit) return pass(unit);
  std::vector<std::string> argv = unit->execStart;
  argv.emplace_back("--config-dir=/etc/mailzone/pdns");
  if (auto done = startByUnit(stage, "pdns", *unit, argv); !done) return done;
  return stage.supervisor->waitReady("pdns", kStartDeadline);
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
  if (auto made = makeFolders(stage); !made) return pass(made);
  if (stage.database == Database::mysql)
    if (auto done = startMariadb(stage); !done) return pass(done);
  auto values = shippedValues(stage);
  if (!values) return pass(values);
  platform.values = std::move(*values);
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
    // For `mailzone-harness send` in a kept demo.
    if (auto done = writeFile("/etc/mailzone/logins/" + login, password + "\n", 0600); !done) return pass(done);
    platform.passwords[login] = std::make_shared<const Secret>(std::string(password));
  }
  for (const std::string& domain : setup.customerDomains) {
    const auto document = json(mailzone({"domain", "show", domain}), "mailzone domain show");
    if (!document) return pass(document);
    platform.returnPaths[domain] =
        document->at("domain").value("token", std::string()) + ".rp." + std::string(kPlatform);
  }
  return platform;
}

Result<void> startPlatformDns(Stage& stage) {
  const auto start = [&](const std::string& name, const std::string& unitPath) -> Result<void> {
    const auto unit = loadUnit({stage.layout.source + "/" + unitPath});
    if (!unit) return pass(unit);
    std::vector<std::string> argv = unit->execStart;
    argv[0] = "/usr/local/bin/" + name;
    return startByUnit(stage, name, *unit, argv);
  };
  if (auto done = start("mailzone-backend", "backend/systemd/mailzone-backend.service"); !done) return done;
  if (auto done = start("mailzone-rotate", "rotation/systemd/mailzone-rotate.service"); !done) return done;
  if (auto done = stage.supervisor->waitReady("mailzone-backend", kStartDeadline); !done) return done;
  if (auto done = startPdns(stage); !done) return done;
  return stage.supervisor->waitReady("mailzone-rotate", kStartDeadline);
}

Result<void> verifyCustomerDomains(Stage& stage, const Setup& setup, const WorldFaults& faults) {
  std::vector<CustomerRecord> records;
  for (const Setup::Record& record : setup.customerRecords)
    records.push_back({record.owner, record.type, record.content});
  for (const std::string& domain : setup.customerDomains) {
    const auto document = json(mailzone({"domain", "show", domain}), "mailzone domain show");
    if (!document) return pass(document);
    const bool noBounce =
        std::find(setup.withoutBounce.begin(), setup.withoutBounce.end(), domain) != setup.withoutBounce.end();
    for (const Json& record : document->at("records")) {
      const auto type = record.at("type").get<std::string>();
      const auto name = record.at("name").get<std::string>();
      const auto value = record.at("value").get<std::string>();
      if (noBounce && name.starts_with("bounce.")) continue;
      // As a registrar's form takes it: a name without final dot, a text without quotes.
      records.push_back({name, type, type == "TXT" ? '"' + value + '"' : value + "."});
    }
  }
  if (auto done = publishAtCustomers(stage, records, faults); !done) return done;
  for (const std::string& domain : setup.customerDomains) {
    std::string last;
    const auto verified = waitFor("mailzone domain verify " + domain, kStartDeadline, [&] {
      const auto outcome = mailzone({"domain", "verify", domain});
      if (!outcome) last = describe(outcome.error());
      return outcome.has_value();
    });
    if (!verified) return fail(Errc::temporary, domain, "could not be verified", last);
  }
  return {};
}

Result<void> waitForReplica(Stage& stage) {
  static_cast<void>(stage);
  return waitFor("the backend to be level with the database", std::chrono::seconds{10}, [] {
    const auto document = json(mailzone({"status"}), "mailzone status");
    return document && document->value("feed_waiting", -1) == 0;
  });
}

Result<std::string> insertTenant(Stage& stage, const std::string& slug) {
  const auto start = std::chrono::steady_clock::now();
  const auto passed = [&start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const std::string domain = slug + "." + std::string(kPlatform);
  if (auto done = plainSql(stage, fmt::format("INSERT INTO tenant (platform_id, slug) VALUES (1, '{}')", slug)); !done)
    return done;
  const auto digs = [&](const std::string& name, std::string_view wanted) {
    const auto answer =
        runTool({"dig", "+short", "+tries=1", "+time=2", "@" + addressText("platform-dns"), name, "TXT"});
    return answer && answer->find(wanted) != std::string::npos;
  };
  if (auto served = waitFor("SPF of " + domain, kStartDeadline, [&] { return digs(domain, "v=spf1"); }); !served)
    return pass(served);
  const double spf = passed();
  double dkim = 0;
  const auto signs = waitFor("a key of its own for " + domain, kStartDeadline, [&] {
    if (dkim == 0 && digs("mz1._domainkey." + domain, "v=DKIM1")) dkim = passed();
    const std::string keys = readFile(std::string(kExport) + "/current/keytable").value_or("");
    if (stage.database == Database::sqlite) return keys.find(fmt::format("{0} {0}:", domain)) != std::string::npos;
    const auto document = json(mailzone({"domain", "show", domain}), "mailzone domain show");
    return document && document->at("domain").at("active_selector").is_string();
  });
  if (!signs) return pass(signs);
  return fmt::format(
      "INSERT of tenant {}: SPF at PowerDNS after {:.2f} s, DKIM after {:.2f} s, signs with its key after {:.2f} s",
      slug, spf, dkim == 0 ? passed() : dkim, passed());
}

void outliveCaches() {
  std::this_thread::sleep_for(kResolverMaxTtl + std::chrono::milliseconds{500});
}

Result<void> waitForKeys(Stage& stage, const Platform& platform) {
  std::string last;
  const auto done = waitFor("an active key for every domain", std::chrono::seconds{60}, [&] {
    const auto document = json(mailzone({"status"}), "mailzone status");
    last = document ? document->dump() : describe(document.error());
    return document && document->value("domains_without_active_key", -1) == 0;
  });
  if (!done) return fail(Errc::temporary, "mailzone status", "some domain has no active key", last);
  // The export follows within a round of mailzone-rotate; a signer that starts before would start with less.
  return waitFor("the signing export to hold every customer's domain", kStartDeadline, [&] {
    const std::string keys = readFile(std::string(kExport) + "/current/keytable").value_or("");
    return std::all_of(platform.returnPaths.begin(), platform.returnPaths.end(), [&](const auto& row) {
      const auto& [domain, returnPath] = row;
      const bool author = readFile(fmt::format("{}/current/authors/{}", kExport, returnPath)).has_value();
      const bool key = keys.find(fmt::format("{} {}:", returnPath, domain)) != std::string::npos;
      return author && (key || stage.database == Database::mysql);
    });
  });
}

}  // namespace mailzone::harness
