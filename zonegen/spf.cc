#include "zonegen/spf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "mailauth/spf_record.h"
#include "zonegen/names.h"

namespace mailzone::zonegen {
namespace {

/// One include, and the row that asks for it.
struct Include {
  DnsName name;
  std::string row;
};

/// RFC 7208 section 7.1, domain-spec without macros: what we print needs no escaping and is no macro. A `%{i}` in an
/// include would make every miss a permerror (section 5.2).
Result<void> requireDomainSpec(const Include& include) {
  const auto labels = include.name.labels();
  const bool plain = std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return std::all_of(label.begin(), label.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
  });
  if (labels.size() >= 2 && plain && include.name.rightmost(1).isHostName()) return {};
  return fail(Errc::invalidInput, include.name.textNoDot(),
              fmt::format("the SPF include of {} is a domain name without macros (RFC 7208 section 7.1)", include.row),
              "correct relay.spf_include");
}

/// The includes and "~all".
Result<std::string> spfOfIncludes(const std::vector<Include>& includes) {
  mailauth::SpfRecord record;
  record.mechanisms.push_back(mailauth::SpfMechanism::all(mailauth::Verdict::softfail));
  for (const auto& include : includes) {
    if (auto ok = requireDomainSpec(include); !ok) return pass(ok);
    if (record.mechanisms.size() > mailauth::kSpfLookupLimit) {
      return fail(Errc::limitExceeded, include.row,
                  fmt::format("an SPF record may cause at most {} lookups (RFC 7208 section 4.6.4), and this is one "
                              "include more",
                              mailauth::kSpfLookupLimit),
                  "send by fewer pools and relays");
    }
    record.mechanisms.insert(std::prev(record.mechanisms.end()), mailauth::SpfMechanism::include(include.name));
    if (printSpfRecord(record).size() > kMaxSpfOctets) {
      return fail(Errc::limitExceeded, include.row,
                  fmt::format("with it, the SPF record has more than {} octets (RFC 7208 section 3.4)", kMaxSpfOctets),
                  "send by fewer pools and relays, or give them shorter names");
    }
  }
  return printSpfRecord(record);
}

const Pool* poolById(const PlatformContext& context, PoolId id) {
  const auto it = std::find_if(context.pools.begin(), context.pools.end(), [&](const Pool& p) { return p.id == id; });
  return it == context.pools.end() ? nullptr : &*it;
}

const Relay* relayById(const PlatformContext& context, RelayId id) {
  const auto it =
      std::find_if(context.relays.begin(), context.relays.end(), [&](const Relay& r) { return r.id == id; });
  return it == context.relays.end() ? nullptr : &*it;
}

tl::unexpected<Error> unknownWay(const Stream& stream, std::string_view what) {
  return fail(Errc::invalidInput, stream.name, fmt::format("the stream leaves by {}", what),
              "point the stream at a pool or a relay of its own platform");
}

/// The include of a sending pool.
Result<Include> includeOf(const PlatformContext& context, const Pool& pool) {
  auto name = poolSpfName(context.platform, pool);
  if (!name) return pass(name);
  return Include{*name, "pool " + pool.name};
}

}  // namespace

std::vector<Stream> effectiveStreams(const PlatformContext& context, const std::vector<Stream>& own) {
  std::map<std::string, Stream> byName;
  for (const auto& stream : context.streams) byName[stream.name] = stream;
  for (const auto& stream : own) byName[stream.name] = stream;
  std::vector<Stream> out;
  for (auto& [name, stream] : byName) out.push_back(std::move(stream));
  return out;
}

Result<std::string> spfOfSender(const PlatformContext& context, const std::vector<Stream>& streams) {
  std::map<PoolId, const Pool*> pools;
  std::map<RelayId, const Relay*> relays;
  for (const auto& stream : streams) {
    if (stream.pool.has_value() == stream.relay.has_value()) {
      return unknownWay(stream, "exactly one of a pool and a relay, and this one does not");
    }
    if (stream.pool) {
      const auto* pool = poolById(context, *stream.pool);
      if (pool == nullptr) return unknownWay(stream, fmt::format("pool {}, which is not there", raw(*stream.pool)));
      if (pool->purpose != PoolPurpose::sending) {
        // Anybody's forged mail can leave by a forwarding pool: in a tenant's SPF it would pass as the tenant's.
        return fail(Errc::invalidInput, stream.name,
                    fmt::format("the stream leaves by pool \"{}\", whose purpose is forwarding",
                                escapeForDisplay(pool->name, 63)),
                    "point the stream at a sending pool");
      }
      pools[pool->id] = pool;
    } else {
      const auto* relay = relayById(context, *stream.relay);
      if (relay == nullptr) return unknownWay(stream, fmt::format("relay {}, which is not there", raw(*stream.relay)));
      if (relay->envelope == RelayEnvelope::own && relay->spfInclude) relays[relay->id] = relay;
    }
  }
  std::vector<Include> includes;
  for (const auto& [id, pool] : pools) {
    auto include = includeOf(context, *pool);
    if (!include) return pass(include);
    includes.push_back(std::move(*include));
  }
  std::set<DnsName> seen;
  for (const auto& [id, relay] : relays) {
    if (seen.insert(*relay->spfInclude).second) includes.push_back({*relay->spfInclude, "relay " + relay->name});
  }
  return spfOfIncludes(includes);
}

Result<std::string> spfOfForwarder(const PlatformContext& context) {
  std::vector<Include> includes;
  for (const auto& pool : context.pools) {
    if (pool.purpose != PoolPurpose::forwarding) continue;
    auto include = includeOf(context, pool);
    if (!include) return pass(include);
    includes.push_back(std::move(*include));
  }
  return spfOfIncludes(includes);
}

Result<std::string> spfOfPool(const Pool& pool) {
  std::vector<IpNetwork> networks;
  for (const auto& each : pool.addresses) networks.push_back(*IpNetwork::of(each.address, each.address.bits()));
  networks = mailauth::mergeNetworks(std::move(networks));
  std::stable_partition(networks.begin(), networks.end(), [](const IpNetwork& n) { return n.address().isV4(); });
  mailauth::SpfRecord record;
  for (const auto& network : networks) record.mechanisms.push_back(mailauth::SpfMechanism::ip(network));
  record.mechanisms.push_back(mailauth::SpfMechanism::all(mailauth::Verdict::softfail));
  auto text = printSpfRecord(record);
  if (text.size() <= kMaxSpfOctets) return text;
  return fail(Errc::limitExceeded, pool.name,
              fmt::format("with its {} addresses, the pool's SPF record has more than {} octets (RFC 7208 section 3.4)",
                          pool.addresses.size(), kMaxSpfOctets),
              "divide the pool into two, or use adjoining addresses, which are merged");
}

}  // namespace mailzone::zonegen
