#include "harness/mariadb.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "harness/random_password.h"
#include "system/units.h"

namespace mailzone::harness {
namespace {

constexpr const char* kData = "/var/lib/mysql";
const std::array<std::string, 2> kSmall{"--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:10M:autoextend"};

struct RoleFile {
  const char* role;
  const char* reader;
};
constexpr std::array<RoleFile, 6> kRoles{{{"admin", "root"},
                                          {"dns", "mailzone-dns"},
                                          {"keys", "mailzone-keys"},
                                          {"sign", "root"},  // written into OpenDKIM's configuration
                                          {"mta", "root"},   // into Postfix's and Dovecot's
                                          {"app", "root"}}};

Result<std::string> writePasswords() {
  if (auto made = makeFolder("/etc/mailzone/passwords", 0755); !made) return pass(made);
  std::string admin;
  for (const auto& [role, reader] : kRoles) {
    const std::string password = randomPassword();
    if (std::string_view(role) == "admin") admin = password;
    if (auto done = writeFile(fmt::format("/etc/mailzone/passwords/{}", role), password + "\n", 0400, {reader, "root"});
        !done)
      return pass(done);
  }
  return admin;
}

}  // namespace

Result<void> startMariadb(Stage& stage) {
  if (auto made = makeFolder("/run/mysqld", 0755, {"mysql", "mysql"}); !made) return made;
  if (auto made = makeFolder(kData, 0700, {"mysql", "mysql"}); !made) return made;
  std::vector<std::string> install{
      "mariadb-install-db",
      "--no-defaults",
      fmt::format("--datadir={}", kData),
      "--user=mysql",
      "--auth-root-authentication-method=socket",
      "--skip-test-db",
      "--force"};  // else it looks its host's name up, and the platform's DNS is not up yet
  install.insert(install.end(), kSmall.begin(), kSmall.end());
  if (auto done = runTool(install, {}, std::chrono::seconds{120}); !done) return pass(done);
  ProcessSpec spec;
  spec.name = "mariadbd";
  spec.command.user = spec.command.group = "mysql";
  spec.command.argv = {"/usr/sbin/mariadbd",
                       "--no-defaults",
                       fmt::format("--datadir={}", kData),
                       fmt::format("--socket={}", kMariadbSocket),
                       "--bind-address=127.0.0.1",
                       fmt::format("--port={}", kMariadbPort),
                       "--skip-name-resolve",
                       "--performance-schema=OFF",
                       "--innodb-buffer-pool-size=32M",
                       "--innodb-flush-log-at-trx-commit=0",
                       "--innodb-flush-method=nosync",
                       "--sync-frm=OFF",
                       "--pid-file=/run/mysqld/mysqld.pid"};
  spec.command.argv.insert(spec.command.argv.end(), kSmall.begin(), kSmall.end());
  spec.notify = true;
  spec.restart = Restart::onAbnormal;
  if (auto done = stage.supervisor->start(spec); !done) return done;
  if (auto done = stage.supervisor->waitReady("mariadbd", std::chrono::seconds{60}); !done) return done;
  const auto admin = writePasswords();
  if (!admin) return pass(admin);
  // What `mailzone db migrate` asks of the administrator's account (docs/sql-contract.md).
  const std::string statements = fmt::format(
      "CREATE DATABASE mailzone CHARACTER SET utf8mb4;\n"
      "CREATE USER mailzone_admin@localhost IDENTIFIED BY '{}';\n"
      "GRANT ALL ON *.* TO mailzone_admin@localhost WITH GRANT OPTION;\n",
      *admin);
  return runTool({"mariadb", "--no-defaults", fmt::format("--socket={}", kMariadbSocket)}, statements)
      .map([](const std::string&) {});
}

}  // namespace mailzone::harness
