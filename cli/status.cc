// `status`: one screen, what is wrong first.
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <memory>

#include "cli/change.h"
#include "cli/check.h"
#include "cli/remote_client.h"
#include "cli/table.h"
#include "tenantdb/migrator.h"

namespace mailzone::cli {
namespace {

constexpr std::chrono::milliseconds kReplicaTimeout{2000};

/// Whether a program runs on this machine. /proc shows every process's name to everybody, cut to 15 characters.
bool isRunning(std::string_view program) {
  const std::string shown(program.substr(0, 15));
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) return false;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    std::ifstream file(std::string("/proc/") + entry->d_name + "/comm");
    std::string name;
    if (std::getline(file, name) && name == shown) return true;
  }
  return false;
}

/// What is wrong, gravest first, and what to do.
class Wrong {
 public:
  void add(std::string what, std::string remedy) {
    list_.push(Document::object().set("what", what).set("remedy", Document::orNull(remedy)));
    text_ += "! " + what + (remedy.empty() ? "" : ": " + remedy) + "\n";
  }
  void addCount(std::int64_t count, std::string_view what, std::string remedy) {
    if (count > 0) add(fmt::format("{} {}", count, what), std::move(remedy));
  }
  [[nodiscard]] bool none() const { return list_.array()->empty(); }
  [[nodiscard]] const Document& list() const { return list_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Document list_{Document::Array{}};
  std::string text_;
};

struct Replica {
  bool reachable = false;
  std::string detail;
};
Replica lookAtReplica(const Settings& settings) {
  const auto client = RemoteClient::connect(settings.backend.socket, kReplicaTimeout);
  return client ? Replica{true, ""} : Replica{false, describe(client.error())};
}

Result<Report> status(Context& context, const Arguments&) {
  const auto settings = context.settings();
  if (!settings) return pass(settings);
  const auto store = context.store();
  if (!store) return pass(store);
  const auto counts = (*store)->counts();
  if (!counts) return pass(counts);
  const auto findings = checkEverything(**context.database());
  if (!findings) return pass(findings);
  const auto version = tenantdb::Migrator(**context.database()).currentVersion();
  if (!version) return pass(version);
  const auto platforms = (*store)->platforms();
  if (!platforms) return pass(platforms);
  const Replica replica = lookAtReplica(**settings);
  const bool backend = isRunning("mailzone-backend"), rotate = isRunning("mailzone-rotate");

  Wrong wrong;
  if (!replica.reachable) wrong.add("the backend does not answer", replica.detail);
  if (!backend && replica.reachable) wrong.add("mailzone-backend does not run on this machine", "");
  if (!rotate) wrong.add("mailzone-rotate does not run on this machine", "start it: new domains get no keys");
  if (platforms->empty()) wrong.add("there is no platform", "mailzone platform add");
  wrong.addCount(static_cast<std::int64_t>(findings->size()), "bad rows", "mailzone db check names each");
  wrong.addCount(counts->degraded, "degraded domains, signed with the common key", "mailzone domain show NAME --check");
  wrong.addCount(counts->withoutActiveKey, "domains without an active key, signed with the common key",
                 rotate ? "mailzone-rotate gives them keys within seconds" : "start mailzone-rotate");
  wrong.addCount(counts->delegatedUnverified, "delegated domains not verified",
                 "mailzone domain list, then mailzone domain verify NAME");

  Document document = documentOf("status")
                          .set("ok", wrong.none())
                          .set("wrong", wrong.list())
                          .set("database", (*settings)->database.engine)
                          .set("schema_version", *version)
                          .set("program_version", MAILZONE_VERSION)
                          .set("feed_head", counts->feedHead)
                          .set("feed_waiting", counts->inbox)
                          .set("replica_reachable", replica.reachable)
                          .set("backend_running", backend)
                          .set("rotate_running", rotate)
                          .set("platforms", static_cast<std::int64_t>(platforms->size()))
                          .set("tenants", counts->tenants)
                          .set("tenants_suspended", counts->suspendedTenants)
                          .set("domains", counts->domains)
                          .set("domains_delegated", counts->delegated)
                          .set("domains_unverified", counts->delegatedUnverified)
                          .set("domains_degraded", counts->degraded)
                          .set("domains_without_active_key", counts->withoutActiveKey)
                          .set("spare_keys", counts->spareKeys)
                          .set("departed_draining", counts->departedDraining)
                          .set("bad_rows", static_cast<std::int64_t>(findings->size()));
  Report report;
  report.status = wrong.none() ? 0 : 1;
  report.text = (wrong.none() ? std::string("all is well\n") : wrong.text()) + "\n" +
                linesOf(document, {{"database", "database"},
                                   {"schema version", "schema_version"},
                                   {"feed head", "feed_head"},
                                   {"changes not yet numbered", "feed_waiting"},
                                   {"backend answers", "replica_reachable"},
                                   {"mailzone-backend runs", "backend_running"},
                                   {"mailzone-rotate runs", "rotate_running"},
                                   {"platforms", "platforms"},
                                   {"tenants", "tenants"},
                                   {"  suspended", "tenants_suspended"},
                                   {"domains", "domains"},
                                   {"  delegated", "domains_delegated"},
                                   {"  not verified", "domains_unverified"},
                                   {"  degraded", "domains_degraded"},
                                   {"  without active key", "domains_without_active_key"},
                                   {"departed, still answered", "departed_draining"},
                                   {"spare keys", "spare_keys"},
                                   {"bad rows", "bad_rows"}});
  report.document = std::move(document);
  return report;
}

}  // namespace

std::vector<Verb> statusVerbs() {
  return {{"status", "", "One screen, what is wrong first; exit 1 when something is.", {}, false, status, ""}};
}

}  // namespace mailzone::cli
