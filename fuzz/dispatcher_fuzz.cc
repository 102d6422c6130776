// The dispatcher of PowerDNS's remote protocol: each line of the input is a request. Whatever it is, the reply is one
// line of JSON; `result` stands there only for a request that was understood, and a name that we do not serve is never
// answered with records.
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "backend/dispatcher.h"

using namespace mailzone;
using namespace mailzone::backend;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// A small filled replica; its folder goes with the process.
struct Served {
  Served() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mailzone-fuzz-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    replica = Replica::open(folder, {std::size_t{1} << 26, false}).value();
    auto writer = Replica::Writer::beginFill(*replica).value();
    ServedZone zone;
    zone.id = 1;
    zone.name = DnsName::parse("shop.example").value();
    zone.metadata["KIND"] = {"value"};
    require(writer.setZones({&zone, 1}).has_value());
    const auto rrset = [](const char* owner, RecordType type, const char* content) {
      return zonegen::ZoneRRset{ZoneId{1}, RRset{DnsName::parse(owner).value(), type, Ttl::of(300).value(), {content}}};
    };
    const std::vector<zonegen::ZoneRRset> records = {
        rrset("shop.example", rrtype::SOA, "a. b. 1 2 3 4 5"), rrset("t1.shop.example", rrtype::TXT, "\"v=spf1 -all\""),
        rrset("mz1._domainkey.t1.shop.example", rrtype::TXT, "\"v=DKIM1; p=\""),
        rrset("*.w.shop.example", rrtype::A, "192.0.2.1")};
    require(writer.apply({SourceKind::zone, 1}, records).has_value());
    require(writer.commitFill().has_value());
    slot = std::make_unique<ReplicaSlot>(replica);
    access = std::make_unique<ReplicaAccess>(*slot);
  }
  ~Served() {
    access.reset();
    slot.reset();
    replica.reset();
    std::filesystem::remove_all(folder);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::string folder;
  std::shared_ptr<Replica> replica;
  std::unique_ptr<ReplicaSlot> slot;
  std::unique_ptr<ReplicaAccess> access;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Served served;
  Dispatcher dispatcher(*served.access);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::string reply = dispatcher.onLine(line);
    require(reply.size() > 2 && reply.find('\n') == reply.size() - 1);
    const auto parsed = nlohmann::json::parse(reply);
    require(parsed.is_object());
    if (!parsed.contains("result")) {
      require(parsed["log"].is_array());
      continue;
    }
    const auto request = nlohmann::json::parse(line, nullptr, false);
    require(request.is_object() && request["method"].is_string());
    require(!parsed["result"].is_null());
    if (request["method"] != "lookup") continue;
    for (const auto& row : parsed["result"]) {
      // The same name, whatever its case and its escapes.
      require(*DnsName::parse(row["qname"].get<std::string>()) ==
              *DnsName::parse(request["parameters"]["qname"].get<std::string>()));
    }
  }
  return 0;
}
