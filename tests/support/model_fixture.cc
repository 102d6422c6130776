#include "tests/support/model_fixture.h"

#include <stdexcept>
#include <utility>

namespace mailzone::test {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::logic_error(describe(result.error()));
  return std::move(*result);
}

std::string base64(std::string_view octets) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < octets.size(); at += 3) {
    const auto part = octets.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8) | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) out += i <= part.size() ? kAlphabet[(bits >> (18 - 6 * i)) & 0x3f] : '=';
  }
  return out;
}

Zone zone(int id, std::string_view zoneName, ZoneKind kind) {
  Zone zone;
  zone.id = ZoneId{id};
  zone.platform = PlatformId{1};
  zone.name = name(zoneName);
  zone.kind = kind;
  zone.primaryServer = name("ns1.shop.example");
  zone.hostmaster = name("hostmaster.shop.example");
  zone.refresh = 10800;
  zone.retry = 3600;
  zone.expire = 604800;
  zone.minimum = 60;
  zone.ttl = must(Ttl::of(300));
  zone.serial = 2026112500U + static_cast<std::uint32_t>(id);
  return zone;
}

PoolAddress address(int id, std::string_view text, std::string_view host) {
  return {AddressId{id}, must(IpAddress::parse(text)), name(host)};
}

Stream byPool(int id, std::string streamName, int pool) {
  return {StreamId{id}, std::move(streamName), PoolId{pool}, std::nullopt};
}
Stream byRelay(int id, std::string streamName, int relay) {
  return {StreamId{id}, std::move(streamName), std::nullopt, RelayId{relay}};
}

PlatformContext contextFixture() {
  PlatformContext context;
  auto& platform = context.platform;
  platform.id = PlatformId{1};
  platform.name = name("shop.example");
  platform.dmarcRua = "mailto:dmarc@reports.shop.example";
  platform.mailExchangers = {{10, name("mx1.shop.example")}, {20, name("mx2.shop.example")}};
  context.zones = {zone(1, "shop.example", ZoneKind::platform),
                   zone(2, "dkim.shop.example", ZoneKind::keyTarget),
                   zone(3, "rp.shop.example", ZoneKind::returnPath),
                   zone(4, "2.0.192.in-addr.arpa", ZoneKind::reverse),
                   zone(5, "8.b.d.0.1.0.0.2.ip6.arpa", ZoneKind::reverse),
                   zone(6, "128-26.113.0.203.in-addr.arpa", ZoneKind::reverse)};
  context.pools = {
      {PoolId{1},
       PlatformId{1},
       "main",
       PoolPurpose::sending,
       {address(1, "192.0.2.25", "mx1.shop.example"), address(2, "2001:db8::25", "mx1.shop.example"),
        address(3, "192.0.2.26", "mx2.shop.example"), address(4, "192.0.2.27", "mx3.shop.example")}},
      {PoolId{2},
       PlatformId{1},
       "warm",
       PoolPurpose::sending,
       {address(5, "203.0.113.130", "warm1.shop.example"), address(6, "198.51.100.9", "out.elsewhere.example")}},
      {PoolId{3},
       PlatformId{1},
       "forward",
       PoolPurpose::forwarding,
       {address(7, "192.0.2.40", "fwd1.shop.example"), address(8, "2001:db8::40", "fwd1.shop.example")}}};
  context.relays = {{RelayId{1}, PlatformId{1}, "newsletters", name("spf.newsletters.example"), RelayEnvelope::relay},
                    {RelayId{2}, PlatformId{1}, "partner", name("_spf.partner.example"), RelayEnvelope::own}};
  context.streams = {byPool(1, "mailbox", 1), byRelay(2, "marketing", 1), byPool(3, "webapp", 1)};
  return context;
}

Domain domain(int id, std::string_view domainName, DomainKind kind, char tokenDigit) {
  Domain domain;
  domain.id = DomainId{id};
  domain.platform = PlatformId{1};
  domain.name = name(domainName);
  domain.kind = kind;
  domain.token = token(tokenDigit);
  if (kind != DomainKind::platform && kind != DomainKind::common) domain.tenant = TenantId{id};
  const auto seed = static_cast<unsigned>(id) * 2;
  domain.slots = {{Slot::mz1, rsaKey(seed)}, {Slot::mz2, rsaKey(seed + 1)}};
  return domain;
}

std::vector<Domain> domainFixture() {
  std::vector<Domain> out;
  out.push_back(domain(1, "shop.example", DomainKind::platform, '1'));
  out.push_back(domain(2, "sig.shop.example", DomainKind::common, '2'));

  auto plain = domain(3, "t1.shop.example", DomainKind::subdomain, '3');
  plain.zone = ZoneId{1};
  out.push_back(plain);

  auto everything = domain(4, "t2.shop.example", DomainKind::subdomain, '4');
  everything.dmarcPolicy = DmarcPolicy::reject;
  everything.dmarcRua = "mailto:a@t2.shop.example,mailto:b@reports.shop.example,https://dmarc.elsewhere.example/in";
  everything.streams = {byPool(4, "mailbox", 2), byRelay(5, "partner", 2)};
  everything.slots[1].key.reset();
  out.push_back(everything);

  auto young = domain(5, "t3.shop.example", DomainKind::subdomain, '5');
  young.dmarcRua = "";
  young.signing = Signing::common;
  young.slots.clear();
  out.push_back(young);

  auto verified = domain(6, "custom.example", DomainKind::delegated, '6');
  verified.state = DomainState::verified;
  verified.bounceVerified = true;
  out.push_back(verified);

  out.push_back(domain(7, "second.example", DomainKind::delegated, '7'));
  return out;
}

std::vector<Departed> departedFixture() {
  const auto departed = [](int id, std::string_view departedName, DomainKind kind, char tokenDigit, unsigned seed) {
    Departed out;
    out.id = DepartedId{id};
    out.platform = PlatformId{1};
    out.name = name(departedName);
    out.kind = kind;
    out.token = token(tokenDigit);
    out.slots = {{Slot::mz1, rsaKey(seed)}};
    return out;
  };
  auto draining = departed(1, "t8.shop.example", DomainKind::subdomain, '8', 80);
  auto revoked = departed(2, "t9.shop.example", DomainKind::subdomain, '9', 90);
  revoked.revoked = true;
  auto takenBack = departed(3, "t1.shop.example", DomainKind::subdomain, 'a', 100);
  auto custom = departed(4, "gone.example", DomainKind::delegated, 'b', 110);
  custom.wasVerified = true;
  return {draining, revoked, takenBack, custom};
}

std::vector<StaticRecord> staticFixture() {
  struct Row {
    int zone;
    std::string_view owner;
    RecordType type;
    std::string_view content;
  };
  const std::vector<Row> rows = {
      {1, "shop.example", rrtype::NS, "ns1.shop.example."},
      {1, "shop.example", rrtype::NS, "ns2.shop.example."},
      {2, "dkim.shop.example", rrtype::NS, "ns1.shop.example."},
      {3, "rp.shop.example", rrtype::NS, "ns1.shop.example."},
      {4, "2.0.192.in-addr.arpa", rrtype::NS, "ns1.shop.example."},
      {5, "8.b.d.0.1.0.0.2.ip6.arpa", rrtype::NS, "ns1.shop.example."},
      {6, "128-26.113.0.203.in-addr.arpa", rrtype::NS, "ns1.shop.example."},
      {1, "ns1.shop.example", rrtype::A, "192.0.2.53"},
      {1, "ns1.shop.example", rrtype::AAAA, "2001:db8::53"},
      {1, "ns2.shop.example", rrtype::A, "192.0.2.54"},
      {1, "shop.example", rrtype::A, "192.0.2.80"},
      {1, "shop.example", rrtype::TXT, "\"google-site-verification=0123456789\""},
      {1, "shop.example", rrtype::CAA, "0 issue \"letsencrypt.org\""},
      {1, "shop.example", rrtype::CAA, "128 iodef \"mailto:security@shop.example\""},
      {1, "www.shop.example", rrtype::CNAME, "shop.example."},
      {1, "*.preview.shop.example", rrtype::A, "192.0.2.81"},
      {1, "static.preview.shop.example", rrtype::TXT, "\"a name beside the wildcard\""},
      {1, "_imaps._tcp.shop.example", rrtype::SRV, "0 1 993 imap.shop.example."},
      {1, "_pop3s._tcp.shop.example", rrtype::SRV, "0 0 0 ."},
      {1, "imap.shop.example", rrtype::A, "192.0.2.82"},
      {1, "reports.shop.example", rrtype::MX, "10 mx1.shop.example."},
      {1, "reports.shop.example", rrtype::TXT, "\"v=spf1 -all\""},
      {1, "eu.shop.example", rrtype::NS, "ns.eu.shop.example."},
      {1, "ns.eu.shop.example", rrtype::A, "198.51.100.53"},
      {1, "odd.shop.example", rrtype::TXT, "\"quote \\\" backslash \\\\ octet \\255\" \"\" \"; no comment\""},
  };
  std::vector<StaticRecord> out;
  int id = 0;
  for (const auto& row : rows) {
    out.push_back({StaticRecordId{++id}, ZoneId{row.zone}, name(row.owner), row.type, must(Ttl::of(300)),
                   std::string(row.content)});
  }
  return out;
}

/// Contributions by zone and name.
class Collector {
 public:
  Result<void> add(zonegen::Origin origin, const Result<std::vector<zonegen::ZoneRRset>>& records,
                   std::int64_t row = 0) {
    if (!records) return pass(records);
    for (const auto& each : *records) {
      names_[{each.zone, each.rrset.owner.canonicalKey()}].push_back({origin, each.rrset, row});
    }
    return {};
  }
  [[nodiscard]] std::map<ZoneId, std::vector<RRset>> merged() const {
    std::map<ZoneId, std::vector<RRset>> out;
    for (const auto& [key, contributions] : names_) {
      for (auto& rrset : zonegen::mergeName(contributions)) out[key.first].push_back(std::move(rrset));
    }
    return out;
  }

 private:
  std::map<std::pair<ZoneId, std::string>, std::vector<zonegen::Contribution>> names_;
};

}  // namespace

std::string token(char digit) {
  return std::string(32, digit);
}

DnsName name(std::string_view text) {
  return must(DnsName::parse(text));
}

PublicKey rsaKey(unsigned seed) {
  constexpr std::string_view kHeader(
      "\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a"
      "\x02\x82\x01\x01\x00",
      33);
  constexpr std::string_view kExponent("\x02\x03\x01\x00\x01", 5);
  std::string modulus;
  std::uint32_t state = 2654435761U * (seed + 1);
  for (int i = 0; i < 256; ++i) {
    state = state * 1664525U + 1013904223U;
    modulus += static_cast<char>(state >> 24);
  }
  modulus.front() = static_cast<char>(static_cast<unsigned char>(modulus.front()) | 0x80U);
  modulus.back() = static_cast<char>(static_cast<unsigned char>(modulus.back()) | 0x01U);
  return {KeyAlgorithm::rsaSha256, base64(std::string(kHeader) + modulus + std::string(kExponent))};
}

Model modelFixture() {
  return {contextFixture(), domainFixture(), departedFixture(), staticFixture()};
}

Result<std::map<ZoneId, std::vector<RRset>>> wholeZones(const Model& model) {
  using zonegen::Origin;
  const auto& context = model.context;
  Collector all;
  if (auto ok = all.add(Origin::generated, zonegen::recordsForPlatform(context)); !ok) return pass(ok);
  for (const auto& each : context.zones) {
    if (auto ok = all.add(Origin::generated, zonegen::recordsForZone(each)); !ok) return pass(ok);
  }
  for (const auto& each : context.pools) {
    if (auto ok = all.add(Origin::generated, zonegen::recordsForPool(context, each)); !ok) return pass(ok);
  }
  for (const auto& each : model.domains) {
    if (auto ok = all.add(Origin::generated, zonegen::recordsForDomain(context, each)); !ok) return pass(ok);
  }
  for (const auto& each : model.departed) {
    const auto records = zonegen::recordsForDeparted(context, each);
    if (auto ok = all.add(Origin::departed, records, raw(each.id)); !ok) return pass(ok);
  }
  for (const auto& each : model.staticRecords) {
    if (auto ok = all.add(Origin::written, zonegen::recordsForStatic(context, each)); !ok) return pass(ok);
  }
  return all.merged();
}

}  // namespace mailzone::test
