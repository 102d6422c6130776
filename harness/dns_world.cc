#include "harness/dns_world.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <string_view>

#include "harness/topology.h"
#include "system/units.h"

namespace mailzone::harness {
namespace {

constexpr const char* kZones = "/var/lib/nsd/zones";
constexpr std::string_view kTtl = "$TTL 2\n";
/// The customers' own domains, and the tenants' that are not customers of ours but strangers.
constexpr std::array<std::string_view, 5> kDomains{"custom.example", "second.example", "brand.example", "relay.example",
                                                   "receiver.example"};

std::string apex(std::string_view zone) {
  return fmt::format(
      "{1}{0} SOA ns1.nic.example. hostmaster.nic.example. 1 3600 600 86400 1\n{0} NS ns1.nic.example.\n",
      zone.empty() ? "." : std::string(zone) + ".", kTtl);
}

std::string fileName(const std::string& zone) {
  return zone.empty() ? "root" : zone;
}

}  // namespace

std::map<std::string, std::string> worldZones(const std::vector<CustomerRecord>& records, const WorldFaults& faults) {
  const std::string customers = addressText("customer-dns");
  const std::string platform = addressText("platform-dns");
  std::map<std::string, std::string> zones;
  std::string& root = zones[""] = apex("");
  root += fmt::format("example. NS ns1.nic.example.\nns1.nic.example. A {}\n", customers);
  root += fmt::format("ns1.{}. A {}\n", kPlatform, platform);
  if (!faults.platformReverseZoneLost) {
    root += fmt::format("2.0.192.in-addr.arpa. NS ns1.{}.\n", kPlatform);
    root += fmt::format("8.b.d.0.1.0.0.2.ip6.arpa. NS ns1.{}.\n", kPlatform);
  }
  for (const char* reverse : {"100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa"}) {
    root += fmt::format("{}. NS ns1.nic.example.\n", reverse);
    zones[reverse] = apex(reverse);
  }
  std::string& top = zones["example"] = apex("example");
  top += fmt::format("ns1.nic.example. A {}\n{}. NS ns1.{}.\nns1.{}. A {}\n", customers, kPlatform, kPlatform,
                     kPlatform, platform);
  for (const std::string_view domain : kDomains) {
    top += fmt::format("{}. NS ns1.nic.example.\n", domain);
    zones[std::string(domain)] = apex(domain);
  }
  zones["100.51.198.in-addr.arpa"] += fmt::format(
      "25.100.51.198.in-addr.arpa. PTR mail.relay.example.\n"
      // The provider of the second rented machine has set a PTR, that of the third has not.
      "81.100.51.198.in-addr.arpa. PTR mx2.{}.\n",
      kPlatform);
  zones["113.0.203.in-addr.arpa"] += "25.113.0.203.in-addr.arpa. PTR mx.receiver.example.\n";
  zones["relay.example"] += fmt::format(
      "mail.relay.example. A {0}\nrelay.example. MX 10 mail.relay.example.\n"
      "relay.example. TXT \"v=spf1 ip4:{0} -all\"\nmail.relay.example. TXT \"v=spf1 a -all\"\n"
      "_dmarc.relay.example. TXT \"v=DMARC1; p=reject\"\n",
      addressText("relay"));
  zones["receiver.example"] +=
      fmt::format("receiver.example. MX 10 mx.receiver.example.\nmx.receiver.example. A {}\n", addressText("receiver"));
  for (const CustomerRecord& record : records) {
    if (faults.customerWithoutDmarc && record.owner == "_dmarc.custom.example") continue;
    for (const std::string_view domain : kDomains)
      if (record.owner == domain || record.owner.ends_with("." + std::string(domain)))
        zones[std::string(domain)] += fmt::format("{}. {} {}\n", record.owner, record.type, record.content);
  }
  return zones;
}

Result<void> publishAtCustomers(Stage& stage, const std::vector<CustomerRecord>& records, const WorldFaults& faults) {
  for (const auto& [zone, text] : worldZones(records, faults))
    if (auto done = writeFile(std::string(kZones) + "/" + fileName(zone), text); !done) return done;
  return stage.supervisor->signal("nsd", SIGHUP);
}

Result<void> startCustomerDns(Stage& stage, const WorldFaults& faults) {
  if (auto made = makeFolder("/var/lib/nsd", 0755, {"nsd", "nsd"}); !made) return made;
  if (auto made = makeFolder(kZones); !made) return made;
  std::string config = fmt::format(
      "server:\n  ip-address: {}\n  username: nsd\n  zonesdir: \"{}\"\n  database: \"\"\n"
      "  xfrdfile: \"/var/lib/nsd/xfrd.state\"\n  zonelistfile: \"/var/lib/nsd/zone.list\"\n  pidfile: \"\"\n"
      "  server-count: 1\n  zonefiles-check: yes\nremote-control:\n  control-enable: no\n",
      addressText("customer-dns"), kZones);
  for (const auto& [zone, text] : worldZones({}, faults)) {
    if (auto done = writeFile(std::string(kZones) + "/" + fileName(zone), text); !done) return done;
    config += fmt::format("zone:\n  name: \"{}\"\n  zonefile: \"{}\"\n", zone.empty() ? "." : zone, fileName(zone));
  }
  if (auto done = writeFile("/etc/nsd/mailzone-harness.conf", config); !done) return done;
  const auto unit = loadUnit({"/lib/systemd/system/nsd.service"});
  if (!unit) return pass(unit);
  if (auto done =
          startByUnit(stage, "nsd", *unit, {"/usr/sbin/nsd", "-d", "-P", "", "-c", "/etc/nsd/mailzone-harness.conf"});
      !done)
    return done;
  return stage.supervisor->waitReady("nsd", kStartDeadline);
}

Result<void> startResolver(Stage& stage) {
  if (auto made = makeFolder("/var/lib/unbound", 0755, {"unbound", "unbound"}); !made) return made;
  const std::string hints =
      fmt::format(". 3600000 NS ns1.nic.example.\nns1.nic.example. 3600000 A {}\n", addressText("customer-dns"));
  if (auto done = writeFile("/var/lib/unbound/root.hints", hints); !done) return done;
  std::string config = fmt::format(
      "server:\n  interface: {0}\n  outgoing-interface: {0}\n  access-control: 0.0.0.0/0 allow\n  do-ip6: no\n"
      "  username: unbound\n  chroot: \"\"\n  directory: \"/var/lib/unbound\"\n  pidfile: \"\"\n  use-syslog: no\n"
      "  root-hints: \"/var/lib/unbound/root.hints\"\n  module-config: \"validator iterator\"\n"
      "  do-not-query-localhost: no\n"
      // Time is compressed: what the DNS says may change from one mail to the next.
      "  cache-max-ttl: {1}\n  cache-max-negative-ttl: 1\n  infra-host-ttl: {1}\n",
      addressText("resolver"), kResolverMaxTtl.count());
  // Documentation networks are answered with NXDOMAIN unless they are named here.
  for (const char* zone :
       {"2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."})
    config += fmt::format("  local-zone: \"{}\" nodefault\n", zone);
  config += "remote-control:\n  control-enable: no\n";
  if (auto done = writeFile("/etc/unbound/mailzone-harness.conf", config); !done) return done;
  const auto unit = loadUnit({"/lib/systemd/system/unbound.service"});
  if (!unit) return pass(unit);
  if (auto done = startByUnit(stage, "unbound", *unit,
                              {"/usr/sbin/unbound", "-d", "-p", "-c", "/etc/unbound/mailzone-harness.conf"});
      !done)
    return done;
  return stage.supervisor->waitReady("unbound", kStartDeadline);
}

}  // namespace mailzone::harness
