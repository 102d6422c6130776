// Would a tenant's mail authenticate now? Asked of the database first, then of the DNS through the configured resolver:
// a name asked too early is remembered as absent by every cache on the way.
#include <fmt/format.h>

#include <algorithm>

#include "cli/derive.h"
#include "cli/live_records.h"
#include "cli/tenant.h"

namespace mailzone::cli {
namespace {

bool isText(const RRset& set) {
  return set.type == rrtype::TXT;
}

/// The TXT records by which receivers judge: everything that zonegen says of the domain.
void lookAtAll(Resolver& resolver, const std::vector<RRset>& published, std::vector<std::string>& missing) {
  for (const RRset& set : published) {
    if (!isText(set)) continue;
    for (const std::string& content : set.contents) {
      const auto text = txtText(content);
      if (!text) continue;
      const Live live = lookAtText(resolver, set.owner, *text);
      if (live.state == LiveState::valid) continue;
      missing.push_back(
          fmt::format("{} TXT \"{}\": {}", set.owner.textNoDot(), escapeForDisplay(*text, 24), live.detail));
    }
  }
}

Result<std::optional<tenantdb::DomainRow>> commonDomain(Context& context, PlatformId platform) {
  const auto rows = (*context.store())->domains(platform);
  if (!rows) return pass(rows);
  for (const tenantdb::DomainRow& row : *rows) {
    if (row.kind == mailzone::word(DomainKind::common)) return std::optional(row);
  }
  return std::optional<tenantdb::DomainRow>();
}

}  // namespace

Result<std::vector<std::string>> missingForMail(Context& context, PlatformId platform, const std::string& slug) {
  const auto tenant = tenantView(context, platform, slug);
  if (!tenant) return pass(tenant);
  if (!*tenant) return fail(Errc::notFound, slug, "the tenant is gone", "somebody removed it just now");
  const auto connection = context.database();
  if (!connection) return pass(connection);
  std::vector<std::string> missing;
  std::vector<DomainId> ids = {(*tenant)->domain.id};
  if ((*tenant)->domain.signing == mailzone::word(Signing::own)) {
    if ((*tenant)->domain.activeSelector.empty()) {
      missing.push_back(fmt::format("{} has no active key: is mailzone-rotate running?", (*tenant)->domain.name));
    }
  } else {
    const auto common = commonDomain(context, platform);
    if (!common) return pass(common);
    if (!*common || (*common)->activeSelector.empty()) {
      missing.emplace_back("the platform has no active common key: is mailzone-rotate running?");
    }
    if (*common) ids.push_back((*common)->id);
  }
  if (!missing.empty()) return missing;
  const auto resolver = context.freshResolver();
  if (!resolver) return pass(resolver);
  for (const DomainId id : ids) {
    const auto published = recordsOfDomain(**connection, platform, id);
    if (!published) return pass(published);
    lookAtAll(**resolver, *published, missing);
  }
  return missing;
}

}  // namespace mailzone::cli
