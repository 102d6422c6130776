// The demo's own MariaDB, for `--database mysql`: made anew, in memory, with accounts and passwords of this run.
#pragma once

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

inline constexpr const char* kMariadbSocket = "/run/mysqld/mysqld.sock";
inline constexpr std::uint16_t kMariadbPort = 3306;

/// Installs, starts, makes the database, the administrator and the password files of every role in
/// /etc/mailzone/passwords (each readable by the user of its role alone). Root comes in by the unix socket.
[[nodiscard]] Result<void> startMariadb(Stage& stage);

}  // namespace mailzone::harness
