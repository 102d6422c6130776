#include "cli/context.h"

#include "system/resolver.h"
#include "tenantdb/migrator.h"

namespace mailzone::cli {

Result<const Settings*> Context::settings() {
  if (!settings_) {
    auto loaded = loadSettings(globals_.config);
    if (!loaded) return pass(loaded);
    settings_ = std::move(*loaded);
  }
  return &*settings_;
}

Result<sql::Connection*> Context::database() {
  if (!connection_) {
    const auto its = settings();
    if (!its) return pass(its);
    auto opened = openDatabase(**its, SqlRole::admin);
    if (!opened) return pass(opened);
    if (auto known = tenantdb::requireSchema(**opened); !known) return pass(known);
    connection_ = std::move(*opened);
  }
  return connection_.get();
}

Result<tenantdb::AdminStore*> Context::store() {
  if (!store_) {
    const auto connection = database();
    if (!connection) return pass(connection);
    store_ = std::make_unique<tenantdb::AdminStore>(**connection);
  }
  return store_.get();
}

Result<PlatformId> Context::platform() {
  const auto its = store();
  if (!its) return pass(its);
  return (*its)->platformNamed(globals_.platform);
}

Result<std::unique_ptr<Resolver>> Context::freshResolver() {
  const auto its = settings();
  if (!its) return pass(its);
  const Settings::Resolver& resolver = (*its)->resolver;
  ResolverOptions options;
  options.servers = resolver.servers;
  options.trustAnchorFile = resolver.trustAnchorFile;
  options.timeout = std::chrono::milliseconds(resolver.timeoutMs);
  return openResolver(options);
}

Result<void> Context::change(const std::function<Result<void>()>& work) {
  const auto connection = database();
  if (!connection) return pass(connection);
  if (!globals_.dryRun) return sql::inTransaction(**connection, work);
  // The error that only makes the transaction roll back; told apart from every other by being this one.
  const Error undo{Errc::internal, "", "dry run", ""};
  auto done = sql::inTransaction(**connection, [&]() -> Result<void> {
    if (auto worked = work(); !worked) return worked;
    return tl::unexpected<Error>(undo);
  });
  if (!done && done.error() == undo) return {};
  return done;
}

std::string withDryRunNote(const Context& context, std::string text) {
  return context.globals().dryRun ? "dry run: nothing was changed\n" + text : text;
}

}  // namespace mailzone::cli
