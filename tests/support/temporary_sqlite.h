// A tenant database in SQLite for one test: two files in a folder of their own.
#pragma once

#include <memory>
#include <string>

#include "system/sql.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::test {

class TemporarySqlite {
 public:
  /// Migrated to the newest schema unless `migrated` is false. Throws std::runtime_error when that fails.
  explicit TemporarySqlite(bool migrated = true);

  [[nodiscard]] std::string path() const { return folder_.path() + "/mailzone.db"; }
  [[nodiscard]] std::string secretsPath() const { return folder_.path() + "/secrets.db"; }
  [[nodiscard]] const std::string& folder() const noexcept { return folder_.path(); }
  /// Another connection, as a program opens one.
  [[nodiscard]] std::unique_ptr<sql::Connection> connect(bool withSecrets = true) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace mailzone::test
