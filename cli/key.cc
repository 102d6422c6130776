#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

Document documentOfKey(const tenantdb::KeyRow& row) {
  return Document::object()
      .set("domain", row.domain)
      .set("slot", row.slot)
      .set("algorithm", row.algorithm)
      .set("bits", row.bits)
      .set("fingerprint", row.fingerprint)
      .set("state", row.state)
      .set("active", row.active)
      .set("published_at", row.publishedAt)
      .set("proven_at", row.provenAt)
      .set("activated_at", row.activatedAt)
      .set("revoked_at", row.revokedAt);
}

Result<Report> listKeys(Context& context, const Arguments& arguments) {
  std::optional<DnsName> domain;
  if (arguments.has("--domain")) {
    const auto name = readName(arguments.text("--domain"));
    if (!name) return pass(name);
    domain = *name;
  }
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto store = context.store();
  if (!store) return pass(store);
  if (domain) {
    const auto row = (*store)->domain(*domain);
    if (!row) return pass(row);
    if (!*row) return fail(Errc::notFound, domain->textNoDot(), "is no domain here", "see mailzone domain list");
  }
  const auto rows = (*store)->keys(*platform, domain);
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::KeyRow& row : *rows) list.push(documentOfKey(row));
  Report report;
  report.text = tableOf(list,
                        {{"DOMAIN", "domain"},
                         {"SLOT", "slot"},
                         {"STATE", "state"},
                         {"ALGORITHM", "algorithm"},
                         {"BITS", "bits"},
                         {"ACTIVATED", "activated_at"},
                         {"FINGERPRINT", "fingerprint"}},
                        "no keys: mailzone-rotate makes them, is it running?");
  report.document = documentOf("key-list").set("keys", std::move(list));
  return report;
}

}  // namespace

std::vector<Verb> keyVerbs() {
  return {{"key",
           "list",
           "DKIM keys by domain and slot; public facts only.",
           {option("--domain", "NAME", "Of this domain alone.")},
           false,
           listKeys,
           ""}};
}

}  // namespace mailzone::cli
