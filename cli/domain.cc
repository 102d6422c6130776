#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/derive.h"
#include "cli/live_records.h"
#include "cli/names.h"
#include "cli/table.h"
#include "cli/tenant.h"
#include "rotation/keeper.h"

namespace mailzone::cli {
namespace {

Document documentOfDomain(const tenantdb::DomainRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("kind", row.kind)
      .set("tenant", Document::orNull(row.tenant))
      .set("external_id", Document::orNull(row.externalId))
      .set("token", row.token)
      .set("state", row.state)
      .set("signing", row.signing)
      .set("dmarc_policy", Document::orNull(row.dmarcPolicy))
      .set("active_selector", Document::orNull(row.activeSelector))
      .set("verified_at", row.verifiedAt)
      .set("bounce_verified_at", row.bounceVerifiedAt)
      .set("created_at", row.createdAt);
}

Error noSuchDomain(const DnsName& name) {
  return {Errc::notFound, name.textNoDot(), "is no domain here", "see mailzone domain list"};
}

Result<tenantdb::DomainRow> domainRow(Context& context, const DnsName& name) {
  const auto store = context.store();
  if (!store) return pass(store);
  auto row = (*store)->domain(name);
  if (!row) return pass(row);
  if (!*row) return tl::unexpected<Error>(noSuchDomain(name));
  return std::move(**row);
}

/// The records that a delegated domain's owner sets; empty for other kinds.
Result<std::vector<WantedRecord>> recordsToSet(Context& context, PlatformId platform,
                                               const tenantdb::DomainRow& domain) {
  if (domain.kind != mailzone::word(DomainKind::delegated)) return std::vector<WantedRecord>{};
  const auto connection = context.database();
  if (!connection) return pass(connection);
  const auto published = recordsOfDomain(**connection, platform, domain.id);
  if (!published) return pass(published);
  const auto its = platformRow(context, platform);
  if (!its) return pass(its);
  const auto name = DnsName::parse(its->name);
  if (!name) return pass(name);
  return wantedRecords(domain, *name, domain.dmarcPolicy.empty() ? its->dmarcPolicy : domain.dmarcPolicy,
                       domain.dmarcRua.empty() ? its->dmarcRua : domain.dmarcRua, *published);
}

Result<void> lookAtEach(Context& context, const DnsName& domain, std::vector<WantedRecord>& records) {
  const auto resolver = context.freshResolver();
  if (!resolver) return pass(resolver);
  for (WantedRecord& record : records) record.live = lookAt(**resolver, record, domain);
  return {};
}

std::string differencesOf(const tenantdb::DomainRow& row, const tenantdb::NewDomain& wanted,
                          const std::string& platformPolicy) {
  if (row.tenant != wanted.tenantSlug) return "another owner";
  if (row.kind != mailzone::word(wanted.kind)) return "another kind, " + row.kind;
  if (row.externalId != wanted.externalId.value_or("")) return "another external id";
  const std::string policy = wanted.dmarcPolicy ? std::string(mailzone::word(*wanted.dmarcPolicy)) : platformPolicy;
  if (row.dmarcPolicy != policy) return "another DMARC policy";
  return "";
}

Result<tenantdb::NewDomain> readDomain(const Arguments& arguments) {
  tenantdb::NewDomain domain;
  const auto name = readCustomDomain(arguments.text("NAME"));
  if (!name) return pass(name);
  domain.name = *name;
  const auto slug = readSlug(arguments.text("--tenant"));
  if (!slug) return pass(slug);
  domain.tenantSlug = *slug;
  if (arguments.has("--external-id")) {
    const auto id = readExternalId(arguments.text("--external-id"));
    if (!id) return pass(id);
    domain.externalId = *id;
  }
  const auto policy = readEnum<DmarcPolicy>(arguments, "--dmarc-policy");
  if (!policy) return pass(policy);
  domain.dmarcPolicy = *policy;
  return domain;
}

Result<Report> addDomain(Context& context, const Arguments& arguments) {
  const auto wanted = readDomain(arguments);
  if (!wanted) return pass(wanted);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto store = context.store();
  if (!store) return pass(store);
  bool changed = false;
  std::optional<tenantdb::DomainRow> row;
  std::vector<WantedRecord> records;
  const auto done = context.change([&]() -> Result<void> {
    auto present = (*store)->domain(wanted->name);
    if (!present) return pass(present);
    if (*present) {
      // Another tenant's domain is never "there already", whatever is asked for.
      const bool own = (*present)->tenant == wanted->tenantSlug;
      const auto its = platformRow(context, *platform);
      if (!its) return pass(its);
      const auto same = sameOrConflict(wanted->name.textNoDot(), differencesOf(**present, *wanted, its->dmarcPolicy),
                                       own && arguments.has("--if-not-exists"));
      if (!same) return same;
    } else {
      if (const auto added = (*store)->addDomain(*platform, *wanted); !added) return pass(added);
      changed = true;
      present = (*store)->domain(wanted->name);
      if (!present) return pass(present);
      if (!*present) return tl::unexpected<Error>(noSuchDomain(wanted->name));
    }
    row = std::move(**present);
    auto its = recordsToSet(context, *platform, *row);
    if (!its) return pass(its);
    records = std::move(*its);
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "domain-add", changed)
                        .set("domain", documentOfDomain(*row))
                        .set("records", documentOfRecords(records));
  report.text = changeText(context, changed, fmt::format("added domain {} of {}", row->name, row->tenant),
                           fmt::format("domain {} of {} is there already", row->name, row->tenant));
  if (row->state == mailzone::word(DomainState::unverified) && !records.empty()) {
    report.text +=
        fmt::format("next: set these records at the DNS provider of {0}, then mailzone domain verify {0}\n\n",
                    row->name) +
        tableOfRecords(records);
  }
  return report;
}

Result<Report> listDomains(Context& context, const Arguments& arguments) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->domains(*platform, arguments.optional("--tenant"));
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::DomainRow& row : *rows) list.push(documentOfDomain(row));
  Report report;
  report.text = tableOf(list,
                        {{"DOMAIN", "name"},
                         {"KIND", "kind"},
                         {"TENANT", "tenant"},
                         {"STATE", "state"},
                         {"SIGNING", "signing"},
                         {"ACTIVE KEY", "active_selector"}},
                        "no domains");
  report.document = documentOf("domain-list").set("domains", std::move(list));
  return report;
}

Result<Report> showDomain(Context& context, const Arguments& arguments) {
  const auto name = readName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto row = domainRow(context, *name);
  if (!row) return pass(row);
  auto records = recordsToSet(context, *platform, *row);
  if (!records) return pass(records);
  if (arguments.has("--check")) {
    if (auto looked = lookAtEach(context, *name, *records); !looked) return pass(looked);
  }
  Report report;
  Document domain = documentOfDomain(*row);
  report.text = linesOf(domain, {{"domain", "name"},
                                 {"id", "id"},
                                 {"kind", "kind"},
                                 {"tenant", "tenant"},
                                 {"external id", "external_id"},
                                 {"state", "state"},
                                 {"verified", "verified_at"},
                                 {"bounces verified", "bounce_verified_at"},
                                 {"signing", "signing"},
                                 {"active key", "active_selector"},
                                 {"DMARC policy", "dmarc_policy"},
                                 {"created", "created_at"}});
  if (!records->empty()) report.text += "\nTo set at its DNS provider:\n\n" + tableOfRecords(*records);
  report.document =
      documentOf("domain-show").set("domain", std::move(domain)).set("records", documentOfRecords(*records));
  return report;
}

/// What the look says as a whole.
struct Findings {
  bool verified = true;        ///< every needed record is valid
  bool cannotTell = false;     ///< a needed record could not be asked for
  std::string unknownDetail;   ///< the first that could not
  std::optional<bool> bounce;  ///< nullopt: cannot tell
};
Findings findingsOf(const std::vector<WantedRecord>& records) {
  Findings findings;
  for (const WantedRecord& record : records) {
    const LiveState state = record.live->state;
    if (record.required) {
      if (state != LiveState::valid) findings.verified = false;
      if (state == LiveState::unknown && !findings.cannotTell) {
        findings.cannotTell = true;
        findings.unknownDetail = record.name.textNoDot() + " " + record.live->detail;
      }
    } else if (record.type == rrtype::CNAME && state != LiveState::unknown) {
      findings.bounce = state == LiveState::valid;
    }
  }
  return findings;
}

Result<void> mayBeVerified(const tenantdb::DomainRow& row, const std::vector<WantedRecord>& records) {
  if (records.empty()) {
    return fail(Errc::invalidInput, row.name, fmt::format("needs no verification: it is a {}", row.kind),
                "only delegated domains are verified");
  }
  const bool keysThere = std::all_of(records.begin(), records.end(), [](const WantedRecord& record) {
    return !record.required || !record.keyText.empty();
  });
  if (!keysThere) {
    return fail(Errc::temporary, row.name, "has no keys yet that its records could lead to",
                "mailzone-rotate gives them within seconds: is it running? then try again");
  }
  return {};
}

/// Keys are proven through the records that were just found right, so this is the moment: without it the domain would
/// wait for mailzone-rotate's next look. True: it has an active key.
Result<bool> activateKey(Context& context, DomainId domain) {
  const auto connection = context.database();
  if (!connection) return pass(connection);
  const auto resolver = context.freshResolver();
  if (!resolver) return pass(resolver);
  rotation::DatabaseKeyStore keys(**connection);
  rotation::Prover prover(**resolver, 0);
  rotation::KeeperOptions options;
  options.policy.settle = std::chrono::milliseconds(0);  // the look above was the first question
  return rotation::Keeper(keys, context.clock(), prover, nullptr, options).tend(domain);
}

Result<Report> verifyDomain(Context& context, const Arguments& arguments) {
  const auto name = readName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  auto row = domainRow(context, *name);
  if (!row) return pass(row);
  auto records = recordsToSet(context, *platform, *row);
  if (!records) return pass(records);
  if (auto may = mayBeVerified(*row, *records); !may) return pass(may);
  if (auto looked = lookAtEach(context, *name, *records); !looked) return pass(looked);
  const Findings findings = findingsOf(*records);
  if (findings.cannotTell) {
    return fail(Errc::temporary, name->textNoDot(), "cannot tell, nothing was changed: " + findings.unknownDetail,
                "try again");
  }
  bool changed = false;
  if (findings.verified && row->activeSelector.empty()) {
    const auto active = context.globals().dryRun ? Result<bool>(true) : activateKey(context, row->id);
    if (!active) return pass(active);
    if (!*active) {
      return fail(Errc::temporary, name->textNoDot(), "its records are right, but its key is not active yet",
                  "is mailzone-rotate running? try again in some seconds");
    }
  }
  const bool writes = findings.verified && !(context.globals().dryRun && row->activeSelector.empty());
  if (writes) {
    tenantdb::Verification seen;
    seen.verified = true;
    seen.bounce = findings.bounce.value_or(row->bounceVerifiedAt.has_value());
    const auto done = context.change([&]() -> Result<void> {
      const auto written = (*context.store())->recordVerification(*name, seen, context.clock().now());
      if (!written) return pass(written);
      changed = *written == tenantdb::Written::created;
      auto now = domainRow(context, *name);
      if (!now) return pass(now);
      row = std::move(now);
      return {};
    });
    if (!done) return pass(done);
  }
  Report report;
  report.status = findings.verified ? 0 : 1;
  report.document = changeDocument(context, "domain-verify", changed)
                        .set("verified", findings.verified)
                        .set("domain", documentOfDomain(*row))
                        .set("records", documentOfRecords(*records));
  if (findings.verified) {
    report.text = changeText(context, changed,
                             fmt::format("{} is verified: its mail is signed with its own key{}", row->name,
                                         row->bounceVerifiedAt ? ", and SPF aligns by bounce." + row->name : ""),
                             fmt::format("{} is verified already", row->name));
  } else {
    report.text = fmt::format("{} is not verified{}: these records are missing or wrong\n\n", row->name,
                              row->state == mailzone::word(DomainState::unverified)
                                  ? ""
                                  : fmt::format(" by this look, it stays {}", row->state)) +
                  tableOfRecords(*records);
  }
  return report;
}

Result<Report> removeDomain(Context& context, const Arguments& arguments) {
  const auto name = readName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto store = context.store();
  if (!store) return pass(store);
  bool changed = false;
  const auto done = context.change([&]() -> Result<void> {
    const auto removed = (*store)->removeDomain(*name);
    if (!removed) return pass(removed);
    changed = *removed;
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "domain-remove", changed).set("domain", name->textNoDot());
  report.text = changeText(context, changed,
                           fmt::format("removed {0}: what its records lead to answers until its draining time is over; "
                                       "then its owner may delete them",
                                       name->textNoDot()),
                           name->textNoDot() + " is no domain here");
  return report;
}

}  // namespace

std::vector<Verb> domainVerbs() {
  const Arg name = positional("NAME", "The domain: custom.example.");
  return {
      {"domain",
       "add",
       "A customer's own domain, whose DNS stays where it is; prints the records to set there.",
       {name, option("--tenant", "SLUG", "Whose it is.").needed(),
        option("--external-id", "ID", "The application's own id of it."),
        option("--dmarc-policy", "POLICY", "none, quarantine or reject; else the platform's."),
        flag("--if-not-exists", "Leave an existing domain of this tenant as it is.")},
       true,
       addDomain,
       ""},
      {"domain",
       "list",
       "All domains, or one tenant's.",
       {option("--tenant", "SLUG", "Of this tenant alone.")},
       false,
       listDomains,
       ""},
      {"domain",
       "show",
       "One domain; of a delegated one the records to set.",
       {name, flag("--check", "Look at each record through the configured resolver.")},
       false,
       showDomain,
       ""},
      {"domain",
       "verify",
       "Looks once through the configured resolver; a domain whose records are right signs with its own key.",
       {name},
       true,
       verifyDomain,
       "Exit 1: a record is missing or wrong. Exit 75: cannot tell, nothing was changed. A domain that is verified\n"
       "stays so, whatever one look says."},
      {"domain",
       "remove",
       "Removes a domain; what its records lead to answers until its draining time is over.",
       {name},
       true,
       removeDomain,
       ""}};
}

}  // namespace mailzone::cli
