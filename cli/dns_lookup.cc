// `dns lookup`: what the database, the backend's replica and a DNS server say of one name, and where they differ.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "cli/change.h"
#include "cli/derive.h"
#include "cli/dns_query.h"
#include "cli/names.h"
#include "cli/remote_client.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

constexpr std::chrono::milliseconds kTimeout{5000};

/// What one source says; an Error is "cannot tell", and never equal to anything.
struct Said {
  std::string source;
  Result<std::vector<RRset>> sets;
};

/// All sets of exactly one name, whatever their type.
using Exact = std::function<Result<std::vector<RRset>>(const DnsName&)>;
using Exists = std::function<Result<bool>(const DnsName&)>;

/// What a server answers from such data: the name's own records, or those of the wildcard at its closest encloser
/// (RFC 4592 section 3.3.1).
Result<std::vector<RRset>> answerFrom(const DnsName& name, const DnsName& apex, const Exact& exact,
                                      const Exists& exists) {
  const auto there = exists(name);
  if (!there) return pass(there);
  if (*there) return exact(name);
  for (DnsName encloser = name.parent(); encloser.isAtOrBelow(apex); encloser = encloser.parent()) {
    const auto found = exists(encloser);
    if (!found) return pass(found);
    if (*found) {
      const auto wildcard = encloser.child("*");
      if (!wildcard) return std::vector<RRset>{};
      auto sets = exact(*wildcard);
      if (!sets) return sets;
      for (RRset& set : *sets) set.owner = name;
      return sets;
    }
    if (encloser == apex) break;
  }
  return std::vector<RRset>{};
}

/// Of the wanted type, or the CNAME that stands in its place.
std::vector<RRset> ofType(std::vector<RRset> sets, RecordType type) {
  if (type == rrtype::ANY) return sets;
  const auto isWanted = [&](const RRset& set) { return set.type == type; };
  const bool found = std::any_of(sets.begin(), sets.end(), isWanted);
  sets.erase(std::remove_if(sets.begin(), sets.end(),
                            [&](const RRset& set) { return found ? !isWanted(set) : !(set.type == rrtype::CNAME); }),
             sets.end());
  return sets;
}

Result<std::vector<RRset>> fromDatabase(Context& context, const DnsName& name) {
  const auto connection = context.database();
  if (!connection) return pass(connection);
  const auto derived = derive(**connection);
  if (!derived) return pass(derived);
  const Zone* zone = derived->zoneOf(name);
  if (zone == nullptr) return std::vector<RRset>{};
  const auto its = derived->sets.find(zone->id);
  if (its == derived->sets.end()) return std::vector<RRset>{};
  const auto& sets = its->second;
  const Exact exact = [&](const DnsName& at) -> Result<std::vector<RRset>> {
    std::vector<RRset> found;
    for (auto row = sets.lower_bound({at, RecordType(0)}); row != sets.end() && row->first.first == at; ++row) {
      found.push_back(row->second);
    }
    return found;
  };
  // In canonical order a name's descendants follow it at once.
  const Exists exists = [&](const DnsName& at) -> Result<bool> {
    const auto row = sets.lower_bound({at, RecordType(0)});
    return row != sets.end() && row->first.first.isAtOrBelow(at);
  };
  return answerFrom(name, zone->name, exact, exists);
}

Result<std::vector<RRset>> fromReplica(Context& context, const DnsName& name) {
  const auto settings = context.settings();
  if (!settings) return pass(settings);
  const auto client = RemoteClient::connect((*settings)->backend.socket, kTimeout);
  if (!client) return pass(client);
  auto sets = (*client)->lookup(name);
  if (!sets || !sets->empty()) return sets;
  // PowerDNS itself asks for the wildcards above; empty non-terminals stand in the replica without records, so an
  // encloser that gives none is passed over here.
  for (DnsName encloser = name.parent(); !encloser.isRoot(); encloser = encloser.parent()) {
    const auto wildcard = encloser.child("*");
    if (!wildcard) return sets;
    auto found = (*client)->lookup(*wildcard);
    if (!found) return found;
    if (!found->empty()) {
      for (RRset& set : *found) set.owner = name;
      return found;
    }
    const auto above = (*client)->lookup(encloser);
    if (!above || !above->empty()) return std::vector<RRset>{};
  }
  return sets;
}

Result<std::vector<RRset>> fromServer(const ServerAddress& server, const DnsName& name, RecordType type) {
  auto answer = askServer(server, name, type, kTimeout);
  if (!answer) return pass(answer);
  if (answer->rcode != "NOERROR" && answer->rcode != "NXDOMAIN") {
    return fail(Errc::temporary, name.textNoDot(), "the DNS server says " + answer->rcode, "see its log");
  }
  std::vector<RRset> own;
  for (RRset& set : answer->sets) {
    if (set.owner == name) own.push_back(std::move(set));
  }
  return own;
}

/// Order and TTL are no difference: servers rotate, caches count down.
std::set<std::string> comparable(const std::vector<RRset>& sets) {
  std::set<std::string> lines;
  for (const RRset& set : sets) {
    for (const std::string& content : set.contents) {
      std::string shown = content;
      if (set.type == rrtype::TXT) {
        // How a text is split into strings is no difference either.
        if (const auto text = txtText(content)) shown = txtContent(*text);
      }
      lines.insert(set.type.text() + " " + shown);
    }
  }
  return lines;
}

/// Records that not every source has, with those that have them.
std::vector<std::string> differencesOf(const std::vector<Said>& all) {
  std::map<std::string, std::vector<std::string>> has;
  std::vector<std::string> sources, differences;
  for (const Said& said : all) {
    sources.push_back(said.source);
    if (!said.sets) {
      differences.push_back(fmt::format("{} cannot tell: {}", said.source, describe(said.sets.error())));
      continue;
    }
    for (const std::string& line : comparable(*said.sets)) has[line].push_back(said.source);
  }
  for (const auto& [line, holders] : has) {
    std::vector<std::string> without;
    for (const Said& said : all) {
      if (said.sets && std::find(holders.begin(), holders.end(), said.source) == holders.end()) {
        without.push_back(said.source);
      }
    }
    if (!without.empty()) {
      differences.push_back(
          fmt::format("{} has, {} has not: {}", fmt::join(holders, ", "), fmt::join(without, ", "), line));
    }
  }
  return differences;
}

Document documentOfSaid(const Said& said) {
  Document document = Document::object().set("source", said.source);
  if (!said.sets) {
    return document.set("error", describe(said.sets.error())).set("records", Document());
  }
  Document records{Document::Array{}};
  for (const RRset& set : *said.sets) {
    records.push(Document::object()
                     .set("name", set.owner.text())
                     .set("type", set.type.text())
                     .set("ttl", std::int64_t{set.ttl.seconds()})
                     .set("contents", set.contents));
  }
  return document.set("error", Document()).set("records", std::move(records));
}

std::string textOfSaid(const Said& said) {
  if (!said.sets) return fmt::format("{}: cannot tell: {}\n", said.source, describe(said.sets.error()));
  if (said.sets->empty()) return said.source + ": no records\n";
  std::string text = said.source + ":\n";
  for (const RRset& set : *said.sets) {
    for (const std::string& content : set.contents) {
      text += fmt::format("  {} {} {} {}\n", set.owner.text(), set.ttl.seconds(), set.type.text(), content);
    }
  }
  return text;
}

Result<Report> lookup(Context& context, const Arguments& arguments) {
  const auto name = readName(arguments.text("NAME"));
  if (!name) return pass(name);
  const auto type = RecordType::parse(arguments.text("TYPE"));
  if (!type) return pass(type);
  const std::string from = arguments.textOr("--from", "all");
  if (from != "db" && from != "replica" && from != "server" && from != "all") {
    return usageError(from, "is no source", "write db, replica, server or all");
  }
  ServerAddress server;
  if (arguments.has("--server")) {
    const auto read = readServer(arguments.text("--server"));
    if (!read) return pass(read);
    server = *read;
  } else if (from == "server") {
    return usageError("--from server", "needs to know which", "give --server ADDRESS");
  }
  std::vector<Said> all;
  if (from == "db" || from == "all") all.push_back({"db", fromDatabase(context, *name)});
  if (from == "replica" || from == "all") all.push_back({"replica", fromReplica(context, *name)});
  if (arguments.has("--server") && (from == "server" || from == "all")) {
    all.push_back({"server", fromServer(server, *name, *type)});
  }
  // A single source that cannot tell is the failure of the verb.
  if (all.size() == 1 && !all.front().sets) return pass(all.front().sets);
  Report report;
  Document sources{Document::Array{}};
  for (Said& said : all) {
    if (said.sets) said.sets = ofType(std::move(*said.sets), *type);
    sources.push(documentOfSaid(said));
    report.text += textOfSaid(said);
  }
  const auto differences = all.size() > 1 ? differencesOf(all) : std::vector<std::string>{};
  for (const std::string& difference : differences) report.text += "difference: " + difference + "\n";
  if (all.size() > 1 && differences.empty()) report.text += "all say the same\n";
  report.status = differences.empty() ? 0 : 1;
  report.document = documentOf("dns-lookup")
                        .set("name", name->text())
                        .set("type", type->text())
                        .set("sources", std::move(sources))
                        .set("same", all.size() > 1 ? Document(differences.empty()) : Document())
                        .set("differences", differences);
  return report;
}

}  // namespace

std::vector<Verb> dnsVerbs() {
  return {{"dns",
           "lookup",
           "What is answered for a name, by each part of the chain; exit 1 when they differ.",
           {positional("NAME", "The name."), positional("TYPE", "The record type, or ANY."),
            option("--from", "SOURCE",
                   "db (derived from the rows now), replica (the backend, over its socket), server, or all (default)."),
            option("--server", "ADDRESS", "The DNS server: ADDRESS or ADDRESS@PORT.")},
           false,
           lookup,
           ""}};
}

}  // namespace mailzone::cli
