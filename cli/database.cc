#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/change.h"
#include "cli/check.h"
#include "cli/table.h"
#include "tenantdb/migrator.h"

namespace mailzone::cli {
namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

/// The file of private keys is nobody else's from its first moment on, whatever the umask.
Result<void> makeSecretsFile(const std::string& path) {
  if (path.empty() || exists(path)) return {};
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(Errc::io, path, fmt::format("cannot be made: {}", std::strerror(errno)),
                "make its folder, closed to all but the user of mailzone-rotate");
  }
  ::close(file);
  return {};
}

/// Migration alone may make a database.
Result<std::unique_ptr<sql::Connection>> openToMigrate(const Settings& settings) {
  if (settings.database.engine != "sqlite") return openDatabase(settings, SqlRole::admin);
  if (auto made = makeSecretsFile(settings.database.secretsPath); !made) return pass(made);
  sql::SqliteOptions options;
  options.path = settings.database.path;
  options.secretsPath = settings.database.secretsPath;
  options.create = true;
  return sql::openSqlite(options);
}

/// The accounts whose passwords are set; those of the others are left as they are.
Result<std::vector<tenantdb::RoleAccount>> roleAccounts(const Settings& settings, std::vector<std::string>& left) {
  std::vector<tenantdb::RoleAccount> accounts;
  const auto& database = settings.database;
  const std::pair<const char*, const Settings::Role*> roles[] = {{"dns", &database.dns},
                                                                 {"keys", &database.keys},
                                                                 {"sign", &database.sign},
                                                                 {"mta", &database.mta},
                                                                 {"app", &database.app}};
  for (const auto& [name, role] : roles) {
    if (role->passwordFile.empty()) {
      left.emplace_back(name);
      continue;
    }
    auto password = readPassword(*role);
    if (!password) return pass(password);
    accounts.push_back({name, role->user, "%", std::move(*password)});
  }
  return accounts;
}

std::string listOf(const std::vector<tenantdb::Migration>& migrations) {
  std::string text;
  for (const tenantdb::Migration& migration : migrations) text += fmt::format("{}\n", migration.name);
  return text;
}

Document namesOf(const std::vector<tenantdb::Migration>& migrations) {
  Document names{Document::Array{}};
  for (const tenantdb::Migration& migration : migrations) names.push(Document(migration.name));
  return names;
}

Report migrationReport(Context& context, const std::vector<tenantdb::Migration>& migrations, const std::string& text,
                       const std::vector<std::string>& roles) {
  Report report;
  report.document = changeDocument(context, "db-migrate", !migrations.empty())
                        .set("version", tenantdb::schemaVersion())
                        .set("migrations", namesOf(migrations))
                        .set("roles", roles)
                        .set("statements", context.globals().dryRun ? Document(text) : Document());
  report.text = text;
  return report;
}

/// A database that does not exist yet: everything is pending, and looking must not make it.
Report dryRunOfNothing(Context& context) {
  std::string text;
  const auto& all = tenantdb::migrations(sql::Dialect::sqlite);
  for (const tenantdb::Migration& migration : all) text += std::string(migration.text) + "\n";
  return migrationReport(context, all, text, {});
}

Result<Report> migrate(Context& context, const Arguments&) {
  const auto settings = context.settings();
  if (!settings) return pass(settings);
  const bool dryRun = context.globals().dryRun;
  if (dryRun && (*settings)->database.engine == "sqlite" && !exists((*settings)->database.path)) {
    return dryRunOfNothing(context);
  }
  auto connection = dryRun ? openDatabase(**settings, SqlRole::admin) : openToMigrate(**settings);
  if (!connection) return pass(connection);
  tenantdb::Migrator migrator(**connection);
  if (dryRun) {
    const auto pending = migrator.pending();
    if (!pending) return pass(pending);
    const auto statements = migrator.dryRun();
    if (!statements) return pass(statements);
    return migrationReport(context, *pending, pending->empty() ? "nothing to do\n" : *statements, {});
  }
  std::vector<std::string> left;
  std::vector<std::string> granted;
  const bool hasRoles = (*settings)->database.engine == "mysql";
  std::vector<tenantdb::RoleAccount> accounts;
  if (hasRoles) {
    auto read = roleAccounts(**settings, left);
    if (!read) return pass(read);
    accounts = std::move(*read);
  }
  const auto applied = migrator.apply();
  if (!applied) return pass(applied);
  if (auto done = migrator.grantRoles(accounts); !done) return pass(done);
  for (const tenantdb::RoleAccount& account : accounts) granted.push_back(account.user);
  std::string text = applied->empty()
                         ? fmt::format("the schema is at version {}: nothing to do\n", tenantdb::schemaVersion())
                         : "applied\n" + listOf(*applied);
  for (const std::string& user : granted) text += "granted " + user + "\n";
  for (const std::string& role : left) {
    text += fmt::format("left out the role {}: database.roles.{}.password_file is not set\n", role, role);
  }
  return migrationReport(context, *applied, text, granted);
}

Result<Report> check(Context& context, const Arguments&) {
  const auto connection = context.database();
  if (!connection) return pass(connection);
  const auto findings = checkEverything(**connection);
  if (!findings) return pass(findings);
  Document list{Document::Array{}};
  Report report;
  for (const tenantdb::Finding& finding : *findings) {
    list.push(Document::object()
                  .set("table", finding.table)
                  .set("row", finding.row)
                  .set("value", finding.value)
                  .set("reason", finding.reason)
                  .set("remedy", finding.remedy));
    report.text += fmt::format("{} {}{}: {}{}\n", finding.table, finding.row,
                               finding.value.empty() ? "" : fmt::format(" \"{}\"", finding.value), finding.reason,
                               finding.remedy.empty() ? "" : "; " + finding.remedy);
  }
  const auto count = static_cast<std::int64_t>(findings->size());
  report.status = count == 0 ? 0 : 1;
  report.document = documentOf("db-check").set("ok", count == 0).set("count", count).set("findings", std::move(list));
  report.text += count == 0 ? "nothing is wrong\n" : fmt::format("{} finding{}\n", count, count == 1 ? "" : "s");
  return report;
}

}  // namespace

std::vector<Verb> databaseVerbs() {
  return {{"db",
           "migrate",
           "Brings the database to this program's schema; makes it when it is not there.",
           {},
           true,
           migrate,
           "MySQL: also makes the accounts of the roles whose password files are set, and gives each its grants.\n"
           "--dry-run prints the statements for the stock client."},
          {"db",
           "check",
           "Every row that cannot become records, and what broken writers left; exit 1 when there is any.",
           {},
           false,
           check,
           ""}};
}

}  // namespace mailzone::cli
