// Settings of every program: one TOML file, one table (settings.cc) that is validation, --help and docs/settings.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "system/sql.h"

namespace mailzone {

/// The SQL accounts, one per privilege (docs/sql-contract.md, "Roles").
enum class SqlRole { admin, dns, keys, sign, mta, app };

struct Settings {
  struct Role {
    std::string user;
    std::string passwordFile;
  };
  struct Database {
    std::string engine;  ///< database.engine: "sqlite" or "mysql"
    std::string path;    ///< database.path: the public file (sqlite)
    std::string
        secretsPath;  ///< database.secrets_path: the file of private keys (sqlite), mode 0600 of the rotation's user
    std::string host, unixSocket, name, tlsCa;
    std::int64_t port = 0;
    bool tlsRequired = false;
    Role admin, dns, keys, sign, mta, app;  ///< database.roles.NAME.user, .password_file
  } database;
  struct Backend {
    std::string socket;       ///< backend.socket: where PowerDNS connects
    std::string socketGroup;  ///< backend.socket_group: who may connect, "" for nobody else
    std::string replicaPath;  ///< backend.replica_path: folder of the LMDB environment
    std::int64_t pollMs = 0;
  } backend;
  struct Rotation {
    std::int64_t spareKeys = 0;  ///< rotation.spare_keys: how many keys the pool holds ready
    std::int64_t pollMs = 0;
    std::string exportPath;       ///< rotation.export_path: folder of key files for OpenDKIM, "" for none
    std::string exportGroup;      ///< rotation.export_group: who reads them, "" for our own group
    bool exportKeys = true;       ///< rotation.export_keys: false for an OpenDKIM that reads the view live
    std::string opendkimPidFile;  ///< rotation.opendkim_pid_file: who is told that they changed, "" for nobody
  } rotation;
  struct Resolver {
    std::vector<std::string> servers;  ///< resolver.servers: addresses, or address@port; empty: the system's
    std::string trustAnchorFile;
    std::int64_t timeoutMs = 0;
  } resolver;
  struct Log {
    std::string level;
  } log;
};

/// Reads and checks the file: an unknown key, a wrong type or a value out of range is an Error of Errc::settings with
/// file, line and remedy. `path` "" means $MAILZONE_CONFIG, then /etc/mailzone/mailzone.toml.
[[nodiscard]] Result<Settings> loadSettings(const std::string& path);
[[nodiscard]] Result<Settings> parseSettings(std::string_view toml, const std::string& fileName);
/// docs/settings.md, and the text of --help-settings.
[[nodiscard]] std::string settingsAsMarkdown();

/// The password of a role, from its file. Errc::settings when it cannot be read.
[[nodiscard]] Result<Secret> readPassword(const Settings::Role& role);
/// Opens the database as `role`. With SQLite only `keys` and `admin` attach the secrets.
[[nodiscard]] Result<std::unique_ptr<sql::Connection>> openDatabase(const Settings& settings, SqlRole role);
/// One program per privilege: Errc::settings (exit 78) when this process could read the password, or the secrets file,
/// of a role that is not in `own`.
[[nodiscard]] Result<void> refuseForeignSecrets(const Settings& settings, const std::vector<SqlRole>& own);

}  // namespace mailzone
