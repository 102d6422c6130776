// What a verb works with, opened when it is first asked for: `mailzone tenant list` asks no resolver.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/model.h"
#include "core/resolver.h"
#include "core/result.h"
#include "system/settings.h"
#include "system/sql.h"
#include "tenantdb/admin_store.h"

namespace mailzone::cli {

/// What may stand before and after every verb.
struct Globals {
  std::string config;    ///< --config
  std::string platform;  ///< --platform
  bool json = false;
  bool dryRun = false;
};

class Context {
 public:
  explicit Context(Globals globals) : globals_(std::move(globals)) {}

  [[nodiscard]] const Globals& globals() const noexcept { return globals_; }
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] Result<const Settings*> settings();
  /// The database, of a schema version that this program knows.
  [[nodiscard]] Result<sql::Connection*> database();
  [[nodiscard]] Result<tenantdb::AdminStore*> store();
  /// Of --platform, or the only one.
  [[nodiscard]] Result<PlatformId> platform();
  /// One that has asked nothing yet, so that nothing old is in its cache.
  [[nodiscard]] Result<std::unique_ptr<Resolver>> freshResolver();

  /// Runs `work` in one transaction; with --dry-run it is rolled back after `work` has done everything.
  [[nodiscard]] Result<void> change(const std::function<Result<void>()>& work);

 private:
  Globals globals_;
  SystemClock clock_;
  std::optional<Settings> settings_;
  std::unique_ptr<sql::Connection> connection_;
  std::unique_ptr<tenantdb::AdminStore> store_;
};

/// "dry run: nothing was changed" in front of a text, when it is one.
[[nodiscard]] std::string withDryRunNote(const Context& context, std::string text);

}  // namespace mailzone::cli
