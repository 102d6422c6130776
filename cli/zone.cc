#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "cli/change.h"
#include "cli/derive.h"
#include "cli/names.h"
#include "cli/table.h"
#include "zonegen/master_file.h"

namespace mailzone::cli {
namespace {

Document documentOfZone(const tenantdb::ZoneRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("kind", row.kind)
      .set("platform", Document::orNull(row.platform))
      .set("primary_server", row.primaryServer)
      .set("hostmaster", row.hostmaster)
      .set("ttl", row.ttl)
      .set("serial", row.serial)
      .set("static_records", row.staticRecords);
}

Result<tenantdb::ZoneRow> zoneRow(Context& context, const DnsName& name) {
  const auto store = context.store();
  if (!store) return pass(store);
  auto row = (*store)->zone(name);
  if (!row) return pass(row);
  if (!*row) return fail(Errc::notFound, name.textNoDot(), "is no zone here", "see mailzone zone list");
  return std::move(**row);
}

/// "192.0.2.0/24" and "2001:db8::/32" name a reverse zone as well as its name does.
Result<DnsName> readZoneName(const std::string& text) {
  if (text.find('/') == std::string::npos) {
    auto name = readName(text);
    if (name && name->isRoot()) return fail(Errc::invalidInput, text, "is the root", "name a zone of yours");
    return name;
  }
  const auto network = IpNetwork::parse(text);
  if (!network) return pass(network);
  const unsigned step = network->address().isV4() ? 8 : 4;
  if (network->prefixLength() == 0 || network->prefixLength() % step != 0) {
    return fail(Errc::invalidInput, text,
                fmt::format("does not end at a label: prefixes of reverse zones are multiples of {}", step),
                "name the zone itself, as its parent delegates it");
  }
  const DnsName whole = network->address().reverseName();
  return whole.rightmost(network->prefixLength() / step + 2);  // and in-addr.arpa or ip6.arpa
}

/// The name servers of the platform's own zone, for zones that name none.
Result<std::vector<tenantdb::NameServer>> serversOfPlatform(Context& context, const tenantdb::ZoneRow& zone) {
  const auto records = (*context.store())->staticRecords(zone.id);
  if (!records) return pass(records);
  std::vector<tenantdb::NameServer> servers;
  for (const StaticRecord& record : *records) {
    if (!(record.type == rrtype::NS) || record.owner.textNoDot() != zone.name) continue;
    const auto host = DnsName::parse(record.content);
    if (host) servers.push_back({*host, {}});
  }
  return servers;
}

Result<std::optional<tenantdb::ZoneRow>> platformZone(Context& context, PlatformId platform) {
  const auto rows = (*context.store())->platforms();
  if (!rows) return pass(rows);
  for (const tenantdb::PlatformRow& row : *rows) {
    if (!(row.id == platform)) continue;
    const auto name = DnsName::parse(row.name);
    if (!name) return pass(name);
    return (*context.store())->zone(*name);
  }
  return std::optional<tenantdb::ZoneRow>();
}

struct ZoneInput {
  tenantdb::NewZone zone;
  std::vector<tenantdb::NameServer> servers;
};
Result<ZoneInput> readZone(Context& context, const Arguments& arguments, PlatformId platform) {
  ZoneInput input;
  const auto name = readZoneName(arguments.text("NAME"));
  if (!name) return pass(name);
  input.zone.name = *name;
  if (arguments.textOr("--kind", "reverse") != mailzone::word(ZoneKind::reverse)) {
    return fail(Errc::invalidInput, arguments.text("--kind"), "is no kind that is added by hand", "write reverse");
  }
  auto servers = readNameServers(arguments.all("--ns"));
  if (!servers) return pass(servers);
  input.servers = std::move(*servers);
  const auto own = platformZone(context, platform);
  if (!own) return pass(own);
  if (input.servers.empty() && *own) {
    auto its = serversOfPlatform(context, **own);
    if (!its) return pass(its);
    input.servers = std::move(*its);
  }
  if (input.servers.empty()) {
    return fail(Errc::invalidInput, name->textNoDot(), "a zone needs a name server", "give --ns HOST[=ADDRESS]");
  }
  input.zone.primaryServer = input.servers.front().host;
  const auto hostmaster =
      readName(arguments.textOr("--hostmaster", *own ? (*own)->hostmaster : "hostmaster." + name->textNoDot()));
  if (!hostmaster) return pass(hostmaster);
  input.zone.hostmaster = *hostmaster;
  if (*own) input.zone.ttl = static_cast<std::uint32_t>((*own)->ttl);
  return input;
}

Result<Report> addZone(Context& context, const Arguments& arguments) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto input = readZone(context, arguments, *platform);
  if (!input) return pass(input);
  bool changed = false;
  std::optional<tenantdb::ZoneRow> row;
  const auto done = context.change([&]() -> Result<void> {
    const auto present = (*context.store())->zone(input->zone.name);
    if (!present) return pass(present);
    if (*present) {
      const std::string differences =
          (*present)->kind == mailzone::word(input->zone.kind) ? "" : "another kind, " + (*present)->kind;
      const auto same = sameOrConflict(input->zone.name.textNoDot(), differences, arguments.has("--if-not-exists"));
      if (!same) return same;
    } else {
      const auto added = (*context.store())->addZone(*platform, input->zone, input->servers);
      if (!added) return pass(added);
      changed = true;
    }
    auto now = zoneRow(context, input->zone.name);
    if (!now) return pass(now);
    row = std::move(*now);
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "zone-add", changed).set("zone", documentOfZone(*row));
  report.text = changeText(context, changed, "added zone " + row->name, "zone " + row->name + " is there already");
  return report;
}

Result<Report> listZones(Context& context, const Arguments&) {
  const auto store = context.store();
  if (!store) return pass(store);
  const auto rows = (*store)->zones();
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::ZoneRow& row : *rows) list.push(documentOfZone(row));
  Report report;
  report.text = tableOf(list,
                        {{"ZONE", "name"},
                         {"KIND", "kind"},
                         {"PLATFORM", "platform"},
                         {"SERIAL", "serial"},
                         {"STATIC RECORDS", "static_records"}},
                        "no zones");
  report.document = documentOf("zone-list").set("zones", std::move(list));
  return report;
}

Result<Report> showZone(Context& context, const Arguments& arguments) {
  const auto name = readZoneName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto row = zoneRow(context, *name);
  if (!row) return pass(row);
  const auto derived = derive(**context.database());
  if (!derived) return pass(derived);
  Document records{Document::Array{}};
  std::vector<RRset> sets;
  if (const auto its = derived->sets.find(row->id); its != derived->sets.end()) {
    for (const auto& [key, set] : its->second) sets.push_back(set);
  }
  // The SOA leads, as loaders want it.
  std::stable_partition(sets.begin(), sets.end(), [](const RRset& set) { return set.type == rrtype::SOA; });
  for (const RRset& set : sets) {
    records.push(Document::object()
                     .set("name", set.owner.text())
                     .set("type", set.type.text())
                     .set("ttl", std::int64_t{set.ttl.seconds()})
                     .set("contents", set.contents));
  }
  Report report;
  report.text = zonegen::writeMasterFile(*name, sets);
  report.document = documentOf("zone-show").set("zone", documentOfZone(*row)).set("records", std::move(records));
  return report;
}

Result<std::string> readFile(const std::string& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::io, path, "cannot be read", "name a file");
  std::string text;
  std::array<char, 65536> block{};
  while (file.read(block.data(), block.size()) || file.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > limit) {
      return fail(Errc::limitExceeded, path, fmt::format("is longer than {} octets", limit), "split it");
    }
  }
  if (file.bad()) return fail(Errc::io, path, "cannot be read to its end", "check the file");
  return text;
}

Result<Report> importZone(Context& context, const Arguments& arguments) {
  const auto name = readZoneName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto row = zoneRow(context, *name);
  if (!row) return pass(row);
  const auto text = readFile(arguments.text("FILE"), zonegen::MasterFileLimits{}.octets);
  if (!text) return pass(text);
  const auto file = zonegen::readMasterFile(*text, *name, row->id);
  if (!file) return pass(file);
  std::vector<tenantdb::NewStaticRecord> records;
  for (const StaticRecord& record : file->records) {
    records.push_back({record.owner, record.type, record.ttl, record.content});
  }
  tenantdb::AdminStore::ImportCount count;
  const auto done = context.change([&]() -> Result<void> {
    const auto imported = (*context.store())->importStaticRecords(row->id, records);
    if (!imported) return pass(imported);
    count = *imported;
    if (!file->soa) return {};
    return (*context.store())->raiseSerial(row->id, file->soa->serial);
  });
  if (!done) return pass(done);
  const bool changed = count.inserted + count.deleted > 0;
  Report report;
  report.document = changeDocument(context, "zone-import", changed)
                        .set("zone", row->name)
                        .set("records", static_cast<std::int64_t>(records.size()))
                        .set("inserted", count.inserted)
                        .set("deleted", count.deleted)
                        .set("serial", file->soa ? Document(std::int64_t{file->soa->serial}) : Document());
  report.text = changeText(
      context, changed,
      fmt::format("imported {}: {} records, {} new, {} gone", row->name, records.size(), count.inserted, count.deleted),
      row->name + " has these records");
  return report;
}

}  // namespace

std::vector<Verb> zoneVerbs() {
  const Arg name = positional("NAME", "The zone; a reverse zone also as 192.0.2.0/24.");
  return {{"zone",
           "add",
           "A reverse zone; a platform's other zones come with it.",
           {name, option("--kind", "KIND", "reverse."),
            option("--ns", "HOST[=ADDRESS]", "A name server; default: those of the platform's zone.").many(),
            option("--hostmaster", "NAME", "RNAME of the SOA; default: that of the platform's zone."),
            flag("--if-not-exists", "Leave an existing zone as it is.")},
           true,
           addZone,
           ""},
          {"zone", "list", "All zones with their serials.", {}, false, listZones, ""},
          {"zone", "show", "All records of a zone by the database, as a master file.", {name}, false, showZone, ""},
          {"zone",
           "import",
           "Replaces a zone's static records by those of a master file; all or nothing.",
           {name, positional("FILE", "The master file (RFC 1035 section 5): A AAAA MX TXT CNAME NS CAA SRV.")},
           true,
           importZone,
           "The SOA's serial is kept below the next one of ours. A static SPF or DMARC record wins over the one that\n"
           "would be made at that name."}};
}

}  // namespace mailzone::cli
