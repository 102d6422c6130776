#include "cli/tenant.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

constexpr std::int64_t kDefaultWait = 60, kLongestWait = 86400;

const std::vector<Column>& tenantColumns() {
  static const std::vector<Column> columns = {{"tenant", "slug"},
                                              {"id", "id"},
                                              {"external id", "external_id"},
                                              {"state", "state"},
                                              {"domain", "domain"},
                                              {"signing", "signing"},
                                              {"active key", "active_selector"},
                                              {"DMARC policy", "dmarc_policy"},
                                              {"domains", "domains"},
                                              {"logins", "logins"},
                                              {"created", "created_at"}};
  return columns;
}

/// Writes the tenant unless it is there as wanted. True: written.
Result<bool> writeTenant(Context& context, PlatformId platform, const tenantdb::NewTenant& wanted, bool ifNotExists) {
  const auto present = tenantView(context, platform, wanted.slug);
  if (!present) return pass(present);
  if (*present) {
    const auto row = platformRow(context, platform);
    if (!row) return pass(row);
    auto same = sameOrConflict(wanted.slug, differencesOf(**present, wanted, row->dmarcPolicy), ifNotExists);
    if (!same) return pass(same);
    return false;
  }
  if (const auto added = (*context.store())->addTenant(platform, wanted); !added) return pass(added);
  return true;
}

std::vector<std::string> nextSteps(const TenantView& tenant) {
  std::vector<std::string> steps;
  steps.push_back(fmt::format("DNS answers SPF, DMARC and MX of {} as soon as the backend has seen it, within a second",
                              tenant.domain.name));
  if (tenant.domain.signing == "common") {
    steps.emplace_back("its mail is signed with the platform's common key");
  } else if (tenant.domain.activeSelector.empty()) {
    steps.emplace_back(
        "mailzone-rotate gives it DKIM keys within seconds; until then its mail is signed with the common key");
  }
  if (tenant.row.logins == 0) {
    steps.push_back(
        fmt::format("mailzone login add, for its owner to submit mail; --wait waits until its mail would "
                    "authenticate"));
  }
  return steps;
}

/// Waits until nothing is missing or the time is over; what is still missing then.
Result<std::vector<std::string>> waitForMail(Context& context, PlatformId platform, const std::string& slug,
                                             std::int64_t seconds) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::seconds(seconds);
  auto pause = std::chrono::milliseconds(100);
  while (true) {
    auto missing = missingForMail(context, platform, slug);
    if (!missing || missing->empty() || steady_clock::now() + pause > deadline) return missing;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 3 / 2, std::chrono::milliseconds(1000));
  }
}

Result<std::int64_t> readWait(const Arguments& arguments) {
  const std::string text = arguments.text("--wait");
  if (text == kNoValue) return kDefaultWait;
  return readNumber(text, "number of seconds", 0, kLongestWait);
}

Result<Report> addTenant(Context& context, const Arguments& arguments) {
  if (arguments.has("--from")) {
    if (arguments.has("SLUG") || arguments.has("--wait")) {
      return usageError("--from", "stands alone: the file says all", "leave SLUG and --wait out");
    }
    return addTenantsFrom(context, arguments.text("--from"), arguments.has("--if-not-exists"));
  }
  if (!arguments.has("SLUG")) {
    return usageError("tenant add", "no tenant is named", "give SLUG, or --from FILE");
  }
  if (arguments.has("--wait")) {
    if (const auto seconds = readWait(arguments); !seconds) return pass(seconds);
  }
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto name = platformName(context, *platform);
  if (!name) return pass(name);
  const auto wanted = readTenant({arguments.text("SLUG"), arguments.textOr("--external-id", ""),
                                  arguments.textOr("--signing", ""), arguments.textOr("--dmarc-policy", "")},
                                 *name);
  if (!wanted) return pass(wanted);
  bool changed = false;
  std::optional<TenantView> tenant;
  const auto done = context.change([&]() -> Result<void> {
    const auto written = writeTenant(context, *platform, *wanted, arguments.has("--if-not-exists"));
    if (!written) return pass(written);
    changed = *written;
    auto view = tenantView(context, *platform, wanted->slug);
    if (!view) return pass(view);
    tenant = std::move(*view);
    return {};
  });
  if (!done) return pass(done);
  if (!tenant) return fail(Errc::internal, wanted->slug, "was written but is not there", "see mailzone db check");

  std::vector<std::string> missing;
  const bool waits = arguments.has("--wait") && !context.globals().dryRun;
  if (waits) {
    auto still = waitForMail(context, *platform, wanted->slug, *readWait(arguments));
    if (!still) return pass(still);
    missing = std::move(*still);
    auto view = tenantView(context, *platform, wanted->slug);
    if (view && *view) tenant = std::move(*view);
  }
  const auto steps = waits && missing.empty() ? std::vector<std::string>{} : nextSteps(*tenant);
  Report report;
  report.status = missing.empty() ? 0 : 3;
  report.document = changeDocument(context, "tenant-add", changed)
                        .set("tenant", documentOfTenant(*tenant))
                        .set("ready", waits ? Document(missing.empty()) : Document())
                        .set("missing", missing)
                        .set("next", steps);
  report.text = changeText(context, changed, fmt::format("added tenant {}: {}", wanted->slug, tenant->domain.name),
                           fmt::format("tenant {} is there already", wanted->slug));
  if (waits && missing.empty()) report.text += "ready: its mail would authenticate\n";
  for (const std::string& each : missing) report.text += "missing: " + each + "\n";
  for (const std::string& each : steps) report.text += "next: " + each + "\n";
  return report;
}

Result<Report> listTenants(Context& context, const Arguments&) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->tenants(*platform);
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::TenantRow& row : *rows) {
    list.push(Document::object()
                  .set("id", raw(row.id))
                  .set("slug", row.slug)
                  .set("external_id", Document::orNull(row.externalId))
                  .set("state", row.state)
                  .set("domains", row.domains)
                  .set("logins", row.logins)
                  .set("created_at", row.createdAt));
  }
  Report report;
  report.text = tableOf(list,
                        {{"TENANT", "slug"},
                         {"STATE", "state"},
                         {"EXTERNAL ID", "external_id"},
                         {"DOMAINS", "domains"},
                         {"LOGINS", "logins"},
                         {"CREATED", "created_at"}},
                        "no tenants: see mailzone tenant add --help");
  report.document = documentOf("tenant-list").set("tenants", std::move(list));
  return report;
}

Error noSuchTenant(const std::string& slug) {
  return {Errc::notFound, escapeForDisplay(slug), "is no tenant here", "see mailzone tenant list"};
}

Result<Report> showTenant(Context& context, const Arguments& arguments) {
  const auto slug = readSlug(arguments.text("SLUG"));
  if (!slug) return pass(slug);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto tenant = tenantView(context, *platform, *slug);
  if (!tenant) return pass(tenant);
  if (!*tenant) return tl::unexpected<Error>(noSuchTenant(*slug));
  const auto rows = (*context.store())->domains(*platform, *slug);
  if (!rows) return pass(rows);
  Document domains{Document::Array{}};
  for (const tenantdb::DomainRow& row : *rows) {
    domains.push(Document::object()
                     .set("id", raw(row.id))
                     .set("name", row.name)
                     .set("kind", row.kind)
                     .set("state", row.state)
                     .set("signing", row.signing)
                     .set("active_selector", Document::orNull(row.activeSelector)));
  }
  Report report;
  Document document = documentOfTenant(**tenant);
  report.text = linesOf(document, tenantColumns()) + "\n" +
                tableOf(domains,
                        {{"DOMAIN", "name"},
                         {"KIND", "kind"},
                         {"STATE", "state"},
                         {"SIGNING", "signing"},
                         {"ACTIVE KEY", "active_selector"}},
                        "no domains");
  report.document = documentOf("tenant-show").set("tenant", std::move(document)).set("domains", std::move(domains));
  return report;
}

Result<Report> setState(Context& context, const Arguments& arguments, TenantState state, const std::string& verb) {
  const auto slug = readSlug(arguments.text("SLUG"));
  if (!slug) return pass(slug);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  bool changed = false;
  std::optional<TenantView> tenant;
  const auto done = context.change([&]() -> Result<void> {
    const auto written = (*context.store())->setTenantState(*platform, *slug, state);
    if (!written) return pass(written);
    changed = *written == tenantdb::Written::created;
    auto view = tenantView(context, *platform, *slug);
    if (!view) return pass(view);
    tenant = std::move(*view);
    return {};
  });
  if (!done) return pass(done);
  if (!tenant) return tl::unexpected<Error>(noSuchTenant(*slug));
  Report report;
  report.document = changeDocument(context, "tenant-" + verb, changed).set("tenant", documentOfTenant(*tenant));
  report.text =
      changeText(context, changed,
                 state == TenantState::suspended
                     ? fmt::format("suspended {0}: its mail is no longer taken or signed; DNS answers as before", *slug)
                     : fmt::format("{} may send again", *slug),
                 fmt::format("{} is {} already", *slug, word(state)));
  return report;
}

Result<Report> suspendTenant(Context& context, const Arguments& arguments) {
  return setState(context, arguments, TenantState::suspended, "suspend");
}
Result<Report> resumeTenant(Context& context, const Arguments& arguments) {
  return setState(context, arguments, TenantState::active, "resume");
}

Result<Report> renameTenant(Context& context, const Arguments& arguments) {
  const auto slug = readSlug(arguments.text("SLUG"));
  if (!slug) return pass(slug);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto name = platformName(context, *platform);
  if (!name) return pass(name);
  const auto renamed = readTenant({arguments.text("NEW"), "", "", ""}, *name);
  if (!renamed) return pass(renamed);
  bool changed = false;
  std::optional<TenantView> tenant;
  const auto done = context.change([&]() -> Result<void> {
    const auto before = tenantView(context, *platform, *slug);
    if (!before) return pass(before);
    if (!*before && *slug != renamed->slug) {
      // The same rename again: the tenant has the new slug, and the old one is nobody's.
      auto after = tenantView(context, *platform, renamed->slug);
      if (!after) return pass(after);
      if (!*after) return tl::unexpected<Error>(noSuchTenant(*slug));
      return fail(
          Errc::notFound, *slug, fmt::format("is no tenant here; {} is one", renamed->slug),
          fmt::format("if it was renamed before, nothing is left to do: see mailzone tenant show {}", renamed->slug));
    }
    if (!*before) return tl::unexpected<Error>(noSuchTenant(*slug));
    if (*slug != renamed->slug) {
      const auto written = (*context.store())->renameTenant(*platform, *slug, renamed->slug);
      if (!written) return written;
      changed = true;
    }
    auto view = tenantView(context, *platform, renamed->slug);
    if (!view) return pass(view);
    tenant = std::move(*view);
    return {};
  });
  if (!done) return pass(done);
  if (!tenant) return tl::unexpected<Error>(noSuchTenant(renamed->slug));
  Report report;
  report.document =
      changeDocument(context, "tenant-rename", changed).set("from", *slug).set("tenant", documentOfTenant(*tenant));
  report.text = changeText(context, changed,
                           fmt::format("renamed {0} to {1}: {2}\nnext: {0}.{3} answers until its draining time is "
                                       "over; {2} gets new keys from mailzone-rotate",
                                       *slug, renamed->slug, tenant->domain.name, name->textNoDot()),
                           fmt::format("the tenant is named {}", *slug));
  return report;
}

Result<Report> removeTenant(Context& context, const Arguments& arguments) {
  const auto slug = readSlug(arguments.text("SLUG"));
  if (!slug) return pass(slug);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  bool changed = false;
  const auto done = context.change([&]() -> Result<void> {
    const auto removed = (*context.store())->removeTenant(*platform, *slug);
    if (!removed) return pass(removed);
    changed = *removed;
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "tenant-remove", changed).set("tenant", *slug);
  report.text = changeText(context, changed,
                           fmt::format("removed {}: its names answer until their draining time is over, and go to "
                                       "nobody else",
                                       *slug),
                           "there is no tenant " + *slug);
  return report;
}

}  // namespace

Result<std::optional<TenantView>> tenantView(Context& context, PlatformId platform, const std::string& slug) {
  const auto store = context.store();
  if (!store) return pass(store);
  auto row = (*store)->tenant(platform, slug);
  if (!row) return pass(row);
  if (!*row) return std::optional<TenantView>();
  const auto platformIs = platformName(context, platform);
  if (!platformIs) return pass(platformIs);
  const auto name = DnsName::parse(slug + "." + platformIs->textNoDot());
  if (!name) return pass(name);
  auto domain = (*store)->domain(*name);
  if (!domain) return pass(domain);
  if (!*domain) {
    return fail(Errc::corrupt, name->textNoDot(), "the tenant's subdomain has no row", "see mailzone db check");
  }
  return std::optional(TenantView{std::move(**row), std::move(**domain)});
}

Document documentOfTenant(const TenantView& tenant) {
  return Document::object()
      .set("id", raw(tenant.row.id))
      .set("slug", tenant.row.slug)
      .set("external_id", Document::orNull(tenant.row.externalId))
      .set("state", tenant.row.state)
      .set("domain", tenant.domain.name)
      .set("domain_id", raw(tenant.domain.id))
      .set("signing", tenant.domain.signing)
      .set("dmarc_policy", Document::orNull(tenant.domain.dmarcPolicy))
      .set("active_selector", Document::orNull(tenant.domain.activeSelector))
      .set("domains", tenant.row.domains)
      .set("logins", tenant.row.logins)
      .set("created_at", tenant.row.createdAt);
}

Result<tenantdb::PlatformRow> platformRow(Context& context, PlatformId platform) {
  const auto store = context.store();
  if (!store) return pass(store);
  auto rows = (*store)->platforms();
  if (!rows) return pass(rows);
  for (tenantdb::PlatformRow& row : *rows) {
    if (row.id == platform) return std::move(row);
  }
  return fail(Errc::notFound, "", "the platform is gone", "somebody removed it just now");
}

Result<DnsName> platformName(Context& context, PlatformId platform) {
  const auto row = platformRow(context, platform);
  if (!row) return pass(row);
  return DnsName::parse(row->name);
}

Result<tenantdb::NewTenant> readTenant(const TenantFields& fields, const DnsName& platform) {
  tenantdb::NewTenant tenant;
  auto slug = readSlug(fields.slug);
  if (!slug) return pass(slug);
  if (auto room = tenantDomain(*slug, platform); !room) return pass(room);
  tenant.slug = *slug;
  if (!fields.externalId.empty()) {
    auto id = readExternalId(fields.externalId);
    if (!id) return pass(id);
    tenant.externalId = *id;
  }
  if (!fields.signing.empty()) {
    const auto signing = parseWord<Signing>(fields.signing);
    if (!signing) return pass(signing);
    tenant.signing = *signing;
  }
  if (!fields.dmarcPolicy.empty()) {
    const auto policy = parseWord<DmarcPolicy>(fields.dmarcPolicy);
    if (!policy) return pass(policy);
    tenant.dmarcPolicy = *policy;
  }
  return tenant;
}

std::string differencesOf(const TenantView& present, const tenantdb::NewTenant& wanted,
                          const std::string& platformPolicy) {
  if (present.row.externalId != wanted.externalId.value_or("")) return "another external id";
  if (present.domain.signing != word(wanted.signing.value_or(Signing::own))) return "another way of signing";
  const std::string policy = wanted.dmarcPolicy ? std::string(word(*wanted.dmarcPolicy)) : platformPolicy;
  if (present.domain.dmarcPolicy != policy) return "another DMARC policy";
  return "";
}

std::vector<Verb> tenantVerbs() {
  const Arg slug = positional("SLUG", "The tenant's label below the platform's name.");
  Arg optionalSlug = slug;
  optionalSlug.required = false;
  return {
      {"tenant",
       "add",
       "A tenant: SLUG.PLATFORM sends and authenticates.",
       {optionalSlug, option("--external-id", "ID", "The application's own id of it."),
        option("--signing", "HOW", "own (default) or common: signed with the platform's common key alone."),
        option("--dmarc-policy", "POLICY", "none, quarantine or reject; else the platform's."),
        option("--from", "FILE", "Many tenants from FILE.csv or FILE.jsonl: all or nothing."),
        flag("--if-not-exists", "Leave an existing tenant as it is, whatever it says."),
        option("--wait", "[SECONDS]",
               "Wait until its mail would authenticate; 60 seconds by default. Exit 3 when they ran out.")},
       true,
       addTenant,
       "The file has the columns (CSV, with a heading) or members (one JSON object a line) slug, external_id, signing\n"
       "and dmarc_policy; all but slug may be left out. Limits: 100,000 tenants, 64 MiB, 4,096 octets a line."},
      {"tenant", "list", "All tenants.", {}, false, listTenants, ""},
      {"tenant", "show", "One tenant with its domains.", {slug}, false, showTenant, ""},
      {"tenant", "suspend", "Its mail is no longer taken or signed; DNS stays.", {slug}, true, suspendTenant, ""},
      {"tenant", "resume", "The opposite of suspend.", {slug}, true, resumeTenant, ""},
      {"tenant",
       "rename",
       "Another slug: a new name with new keys; the old name answers until its draining time is over.",
       {slug, positional("NEW", "The new slug.")},
       true,
       renameTenant,
       ""},
      {"tenant",
       "remove",
       "Removes a tenant with its domains and logins; its names answer until their draining time is over.",
       {slug},
       true,
       removeTenant,
       ""}};
}

}  // namespace mailzone::cli
