#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"
#include "mailauth/spf_record.h"

namespace mailzone::cli {
namespace {

Document documentOfRelay(const tenantdb::RelayRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("spf_include", Document::orNull(row.spfInclude))
      .set("envelope", row.envelope);
}

/// What including `name` costs of the ten lookups that a receiver makes (RFC 7208 section 4.6.4): one for the include
/// and what stands behind it. A tenant's record needs room for its own pools beside it.
Result<unsigned> lookupsOf(Context& context, const DnsName& name) {
  const auto resolver = context.freshResolver();
  if (!resolver) return pass(resolver);
  const auto record = mailauth::parseSpfRecord("v=spf1 include:" + name.textNoDot() + " ~all");
  if (!record) return pass(record);
  auto budget = mailauth::countLookups(*record, **resolver);
  if (!budget) {
    Error error = budget.error();
    if (error.value.empty()) error.value = name.textNoDot();
    if (error.remedy.empty()) {
      error.remedy = error.code == Errc::temporary ? "try again" : "correct the name, or have its owner correct it";
    }
    return tl::unexpected<Error>(error);
  }
  return budget->lookups;
}

constexpr unsigned kRoomForPools = 1;  // POOL._spf.PLATFORM, at least

Result<void> checkBudget(Context& context, const DnsName& include, RelayEnvelope envelope) {
  const auto lookups = lookupsOf(context, include);
  if (!lookups) return pass(lookups);
  const unsigned limit = mailauth::kSpfLookupLimit - (envelope == RelayEnvelope::own ? kRoomForPools : 0);
  if (*lookups <= limit) return {};
  return fail(Errc::limitExceeded, include.textNoDot(),
              fmt::format("costs {} of the {} DNS lookups that an SPF record may cause (RFC 7208 section 4.6.4), and a "
                          "tenant's record needs room for its pools",
                          *lookups, mailauth::kSpfLookupLimit),
              "ask the relay for a flatter record, or leave --spf-include out: with its own envelope it is not needed");
}

Result<Report> addRelay(Context& context, const Arguments& arguments) {
  const auto name = readWord(arguments.text("NAME"), "relay");
  if (!name) return pass(name);
  const auto word = readEnum<RelayEnvelope>(arguments, "--envelope");
  if (!word) return pass(word);
  const RelayEnvelope envelope = word->value_or(RelayEnvelope::relay);
  std::optional<DnsName> include;
  if (arguments.has("--spf-include")) {
    const auto read = readName(arguments.text("--spf-include"));
    if (!read) return pass(read);
    include = *read;
  }
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  if (include) {
    if (auto fits = checkBudget(context, *include, envelope); !fits) return pass(fits);
  }
  const auto store = context.store();
  if (!store) return pass(store);
  bool changed = false;
  std::optional<tenantdb::RelayRow> row;
  const auto done = context.change([&]() -> Result<void> {
    const auto written = (*store)->addRelay(*platform, *name, include, envelope);
    if (!written) return pass(written);
    changed = *written == tenantdb::Written::created;
    const auto rows = (*store)->relays(*platform);
    if (!rows) return pass(rows);
    for (const tenantdb::RelayRow& each : *rows) {
      if (each.name == *name) row = each;
    }
    return {};
  });
  if (!done) return pass(done);
  if (!row) return fail(Errc::internal, *name, "was written but is not listed", "see mailzone db check");
  Report report;
  report.document = changeDocument(context, "relay-add", changed).set("relay", documentOfRelay(*row));
  report.text = changeText(context, changed, "added relay " + *name, "relay " + *name + " is there already");
  return report;
}

Result<Report> listRelays(Context& context, const Arguments&) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->relays(*platform);
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::RelayRow& row : *rows) list.push(documentOfRelay(row));
  Report report;
  report.text =
      tableOf(list, {{"RELAY", "name"}, {"ENVELOPE", "envelope"}, {"SPF INCLUDE", "spf_include"}}, "no relays");
  report.document = documentOf("relay-list").set("relays", std::move(list));
  return report;
}

}  // namespace

std::vector<Verb> relayVerbs() {
  return {{"relay",
           "add",
           "An external relay that streams may leave by.",
           {positional("NAME", "Its name here."),
            option("--spf-include", "NAME",
                   "What an SPF record includes for it; it must resolve, and fit into the ten lookups."),
            option("--envelope", "WHOSE",
                   "relay (default): it sends with an envelope of its own; own: with the tenant's, and it checks who "
                   "uses it. Only then its include stands in tenants' SPF.")},
           true,
           addRelay,
           ""},
          {"relay", "list", "All relays.", {}, false, listRelays, ""}};
}

}  // namespace mailzone::cli
