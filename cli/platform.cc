#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

Document documentOfPlatform(const tenantdb::PlatformRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("dmarc_policy", row.dmarcPolicy)
      .set("dmarc_rua", Document::orNull(row.dmarcRua))
      .set("drain_seconds", row.drainSeconds)
      .set("revoke_seconds", row.revokeSeconds)
      .set("mail_exchangers", row.mailExchangers)
      .set("created_at", row.createdAt);
}

Result<std::vector<MailExchanger>> readMailExchangers(const std::vector<std::string>& texts) {
  std::vector<MailExchanger> exchangers;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    auto host = readHostName(std::string_view(text).substr(0, equals), "mail exchanger");
    if (!host) return pass(host);
    std::int64_t preference = 10;
    if (equals != std::string::npos) {
      const auto number = readNumber(std::string_view(text).substr(equals + 1), "MX preference", 0, 65535);
      if (!number) return pass(number);
      preference = *number;
    }
    exchangers.push_back({static_cast<std::uint16_t>(preference), *host});
  }
  return exchangers;
}

Result<tenantdb::NewPlatform> readPlatform(const Arguments& arguments) {
  tenantdb::NewPlatform platform;
  auto name = readCustomDomain(arguments.text("NAME"));
  if (!name) return pass(name);
  platform.name = *name;
  auto servers = readNameServers(arguments.all("--ns"));
  if (!servers) return pass(servers);
  platform.nameServers = std::move(*servers);
  auto exchangers = readMailExchangers(arguments.all("--mx"));
  if (!exchangers) return pass(exchangers);
  platform.mailExchangers = std::move(*exchangers);
  auto hostmaster = readName(arguments.textOr("--hostmaster", "hostmaster." + name->textNoDot()));
  if (!hostmaster) return pass(hostmaster);
  platform.hostmaster = *hostmaster;
  const auto policy = readEnum<DmarcPolicy>(arguments, "--dmarc-policy");
  if (!policy) return pass(policy);
  platform.dmarcPolicy = policy->value_or(DmarcPolicy::quarantine);
  auto rua = readRua(arguments.textOr("--rua", ""));
  if (!rua) return pass(rua);
  platform.dmarcRua = *rua;
  return platform;
}

Result<std::optional<tenantdb::PlatformRow>> platformNamed(tenantdb::AdminStore& store, const std::string& name) {
  const auto rows = store.platforms();
  if (!rows) return pass(rows);
  for (const tenantdb::PlatformRow& row : *rows) {
    if (row.name == name) return std::optional(row);
  }
  return std::optional<tenantdb::PlatformRow>();
}

std::string differencesOf(const tenantdb::PlatformRow& row, const tenantdb::NewPlatform& wanted) {
  std::vector<std::string> exchangers;
  for (const MailExchanger& each : wanted.mailExchangers) {
    exchangers.push_back(fmt::format("{} {}", each.preference, each.host.textNoDot()));
  }
  std::vector<std::string> present = row.mailExchangers;
  std::sort(present.begin(), present.end());
  std::sort(exchangers.begin(), exchangers.end());
  std::string differences;
  if (present != exchangers) differences = "other mail exchangers";
  if (row.dmarcPolicy != word(wanted.dmarcPolicy)) differences = "another DMARC policy";
  if (row.dmarcRua != wanted.dmarcRua) differences = "other report addresses";
  return differences;
}

Result<Report> addPlatform(Context& context, const Arguments& arguments) {
  const auto wanted = readPlatform(arguments);
  if (!wanted) return pass(wanted);
  const auto store = context.store();
  if (!store) return pass(store);
  const std::string name = wanted->name.textNoDot();
  bool changed = false;
  std::optional<tenantdb::PlatformRow> row;
  const auto done = context.change([&]() -> Result<void> {
    const auto present = platformNamed(**store, name);
    if (!present) return pass(present);
    if (*present) {
      if (auto same = sameOrConflict(name, differencesOf(**present, *wanted), arguments.has("--if-not-exists"));
          !same) {
        return same;
      }
    } else {
      if (const auto added = (*store)->addPlatform(*wanted); !added) return pass(added);
      changed = true;
    }
    auto now = platformNamed(**store, name);
    if (!now) return pass(now);
    row = std::move(*now);
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "platform-add", changed).set("platform", documentOfPlatform(*row));
  report.text = changeText(context, changed,
                           fmt::format("added platform {0} with the zones {0}, dkim.{0} and rp.{0}\n"
                                       "next: delegate {0} to its name servers at your registrar; mailzone ip add, for "
                                       "the addresses that send; mailzone stream add, for what is sent",
                                       name),
                           fmt::format("platform {} is there already", name));
  return report;
}

Result<Report> showPlatform(Context& context, const Arguments& arguments) {
  const auto store = context.store();
  if (!store) return pass(store);
  const auto id = (*store)->platformNamed(arguments.textOr("NAME", context.globals().platform));
  if (!id) return pass(id);
  const auto rows = (*store)->platforms();
  if (!rows) return pass(rows);
  const auto row = std::find_if(rows->begin(), rows->end(), [&](const auto& each) { return each.id == *id; });
  if (row == rows->end()) return fail(Errc::notFound, "", "the platform is gone", "somebody removed it just now");
  const auto zones = (*store)->zones();
  if (!zones) return pass(zones);
  std::vector<std::string> names;
  for (const tenantdb::ZoneRow& zone : *zones) {
    if (zone.platform == row->name) names.push_back(zone.name);
  }
  Document platform = documentOfPlatform(*row).set("zones", names);
  Report report;
  report.text = linesOf(platform, {{"platform", "name"},
                                   {"id", "id"},
                                   {"mail exchangers", "mail_exchangers"},
                                   {"DMARC policy", "dmarc_policy"},
                                   {"DMARC reports to", "dmarc_rua"},
                                   {"departed names drain", "drain_seconds"},
                                   {"then empty keys", "revoke_seconds"},
                                   {"zones", "zones"},
                                   {"created", "created_at"}});
  report.document = documentOf("platform-show").set("platform", std::move(platform));
  return report;
}

}  // namespace

std::vector<Verb> platformVerbs() {
  return {
      {"platform",
       "add",
       "A platform with its zones NAME, dkim.NAME and rp.NAME.",
       {positional("NAME", "The platform's domain, below which tenants live: shop.example."),
        option("--ns", "HOST=ADDRESS", "A name server; the first is the primary of the SOA.").needed().many(),
        option("--mx", "HOST[=PREFERENCE]", "Where tenants' mail comes in; preference 10 by default.").needed().many(),
        option("--hostmaster", "NAME", "RNAME of the SOA, as a name; default hostmaster.NAME."),
        option("--dmarc-policy", "POLICY", "none, quarantine or reject: the default of tenants; else quarantine."),
        option("--rua", "URIS", "Where receivers send aggregate reports: mailto:a@b,mailto:c@d."),
        flag("--if-not-exists", "Leave an existing platform as it is, whatever it says.")},
       true,
       addPlatform,
       ""},
      {"platform",
       "show",
       "One platform.",
       {{"NAME", "", "Which, where there are several.", false, false}},
       false,
       showPlatform,
       ""}};
}

}  // namespace mailzone::cli
