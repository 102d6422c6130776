#include "cli/change.h"

#include "cli/names.h"

namespace mailzone::cli {

Document changeDocument(const Context& context, std::string_view name, bool changed) {
  return documentOf(name).set("changed", changed).set("dry_run", context.globals().dryRun);
}

std::string changeText(const Context& context, bool changed, const std::string& done, const std::string& unchanged) {
  return withDryRunNote(context, changed ? done + "\n" : unchanged + ": nothing to do\n");
}

Result<void> sameOrConflict(const std::string& name, const std::string& differences, bool ifNotExists) {
  if (differences.empty() || ifNotExists) return {};
  return fail(Errc::conflict, name, "is there already, with " + differences,
              "give --if-not-exists to leave it as it is, or choose another name");
}

Result<std::vector<tenantdb::NameServer>> readNameServers(const std::vector<std::string>& texts) {
  std::vector<tenantdb::NameServer> servers;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    auto host = readHostName(std::string_view(text).substr(0, equals), "name server");
    if (!host) return pass(host);
    auto server = servers.begin();
    while (server != servers.end() && !(server->host == *host)) ++server;
    if (server == servers.end()) server = servers.insert(servers.end(), {*host, {}});
    if (equals == std::string::npos) continue;
    const auto address = IpAddress::parse(std::string_view(text).substr(equals + 1));
    if (!address) {
      return fail(Errc::invalidInput, text, "has no address after the =", "write HOST=ADDRESS, an address each time");
    }
    server->addresses.push_back(*address);
  }
  return servers;
}

}  // namespace mailzone::cli
