// The platform as its operator would set it up: settings, `mailzone` commands, the two daemons, and what customers put
// into their own DNS. Nothing here writes a tenant or a key by itself.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/secret.h"
#include "harness/dns_world.h"
#include "harness/scenario.h"
#include "harness/stage.h"

namespace mailzone::harness {

/// What the rest of the demo has to know of the platform.
struct Platform {
  std::map<std::string, std::shared_ptr<const Secret>> passwords;  ///< by login
  std::map<std::string, std::string> returnPaths;                  ///< delegated domain -> TOKEN.rp host
  TemplateValues values;  ///< for the shipped files of Postfix, OpenDKIM, Dovecot and PowerDNS
};

inline constexpr const char* kConfig = "/etc/mailzone/mailzone.toml";

/// Folders, settings, the database server where one is wanted, schema, and every command of `setup`.
[[nodiscard]] Result<Platform> setUpPlatform(Stage& stage, const Setup& setup);
/// mailzone-backend, PowerDNS and mailzone-rotate, each by its unit.
[[nodiscard]] Result<void> startPlatformDns(Stage& stage);
/// The customers set the records that `mailzone domain show` prints; `mailzone domain verify` finds them.
[[nodiscard]] Result<void> verifyCustomerDomains(Stage& stage, const Setup& setup, const WorldFaults& faults);
/// Until every domain has an active key, and the signing export holds them.
[[nodiscard]] Result<void> waitForKeys(Stage& stage, const Platform& platform);

/// Until the backend has taken over every change that is committed.
[[nodiscard]] Result<void> waitForReplica(Stage& stage);
/// As long as unbound may keep an answer (startResolver()).
void outliveCaches();

/// The one statement of the SQL contract, by the stock client. Returns when the tenant's mail would be signed with its
/// own key, with a sentence of how long DNS and key took. Nothing is restarted or reloaded.
[[nodiscard]] Result<std::string> insertTenant(Stage& stage, const std::string& slug);

/// Runs `mailzone ARGUMENTS --config ... --json` and returns what it printed.
[[nodiscard]] Result<std::string> mailzone(const std::vector<std::string>& arguments, std::string_view input = {});
/// One statement by the stock client, as the platform's own application would send it.
[[nodiscard]] Result<std::string> plainSql(const Stage& stage, std::string_view statement);

}  // namespace mailzone::harness
