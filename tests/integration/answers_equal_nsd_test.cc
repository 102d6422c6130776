// What PowerDNS answers with our backend is what NSD answers from the golden zones: another implementation of the rules
// of DNS (empty non-terminals, wildcards, denials, delegations, CNAMEs), over the same records.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "backend/follower.h"
#include "backend/replica.h"
#include "backend/unix_server.h"
#include "tests/support/model_fixture.h"
#include "tests/support/nsd_server.h"
#include "tests/support/pdns_server.h"
#include "zonegen/master_file.h"

namespace mailzone {
namespace {

using backend::SourceId;
using backend::TenantSource;
using test::DnsRecord;
using test::DnsReply;
using test::name;

constexpr RecordType kHinfo{13};
constexpr RecordType kTypes[] = {rrtype::A,    rrtype::NS,  rrtype::CNAME, rrtype::SOA, rrtype::PTR,
                                 rrtype::MX,   rrtype::TXT, rrtype::AAAA,  rrtype::SRV, rrtype::DS,
                                 rrtype::TLSA, rrtype::CAA, kHinfo,        rrtype::ANY};

/// The fixture as a tenant database that never changes.
class FixtureSource final : public TenantSource {
 public:
  explicit FixtureSource(const test::Model& model) : model_(model) {}

  Result<std::optional<std::int64_t>> dataVersion() override { return std::optional<std::int64_t>(1); }
  Result<std::int64_t> advance(std::int64_t) override { return 0; }
  Result<std::vector<tenantdb::Change>> changesAfter(std::int64_t, std::int64_t) override {
    return std::vector<tenantdb::Change>();
  }
  Result<std::optional<std::string>> nonceAt(std::int64_t) override { return std::optional<std::string>(); }
  Result<std::vector<PlatformId>> platforms() override { return std::vector{model_.context.platform.id}; }
  Result<std::optional<PlatformContext>> context(PlatformId, std::vector<tenantdb::BadPart>*) override {
    return std::optional(model_.context);
  }
  Result<std::optional<RowOf<DomainId, Domain>>> domain(DomainId id) override { return find(model_.domains, id); }
  Result<void> eachDomain(PlatformId, const OnRow<DomainId, Domain>& onRow) override {
    return each(model_.domains, onRow);
  }
  Result<std::optional<RowOf<DepartedId, Departed>>> departed(DepartedId id) override {
    return find(model_.departed, id);
  }
  Result<void> eachDeparted(PlatformId, const OnRow<DepartedId, Departed>& onRow) override {
    return each(model_.departed, onRow);
  }
  Result<std::optional<RowOf<StaticRecordId, StaticRecord>>> staticRecord(StaticRecordId id) override {
    return find(model_.staticRecords, id);
  }
  Result<void> eachStaticRecord(const OnRow<StaticRecordId, StaticRecord>& onRow) override {
    return each(model_.staticRecords, onRow);
  }
  Result<std::vector<RowOf<ZoneId, Zone>>> zones() override {
    std::vector<RowOf<ZoneId, Zone>> out;
    for (const auto& zone : model_.context.zones) out.push_back({zone.id, zone});
    return out;
  }
  Result<std::vector<tenantdb::PublicStore::Metadata>> zoneMetadata() override {
    return std::vector<tenantdb::PublicStore::Metadata>();
  }
  Result<std::vector<DnsName>> namesOf(SourceId) override { return std::vector<DnsName>(); }

 private:
  template <class Id, class T>
  static Result<std::optional<RowOf<Id, T>>> find(const std::vector<T>& rows, Id id) {
    for (const auto& row : rows) {
      if (row.id == id) return std::optional(RowOf<Id, T>{id, row});
    }
    return std::optional<RowOf<Id, T>>();
  }
  template <class Id, class T>
  static Result<void> each(const std::vector<T>& rows, const OnRow<Id, T>& onRow) {
    for (const auto& row : rows) onRow({row.id, row});
    return {};
  }
  const test::Model& model_;
};

std::string goldenText(const Zone& zone) {
  std::ifstream in(std::string(MAILZONE_SOURCE_DIR) + "/tests/golden/zonegen/" + zone.name.textNoDot() + ".zone");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<test::NsdZone> goldenZones(const test::Model& model) {
  std::vector<test::NsdZone> zones;
  for (const auto& zone : model.context.zones) zones.push_back({zone.name, goldenText(zone)});
  return zones;
}

/// Both servers over the one model.
class Servers {
 public:
  Servers() : model_(test::modelFixture()), nsd_(goldenZones(model_)) {
    auto replica = backend::Replica::open(folder_.path() + "/replica", {std::size_t{1} << 30, false});
    if (!replica) throw std::runtime_error(describe(replica.error()));
    slot_ = std::make_unique<backend::ReplicaSlot>(std::move(*replica));
    backend::Follower follower(
        *slot_, [this]() -> Result<std::unique_ptr<TenantSource>> { return std::make_unique<FixtureSource>(model_); },
        {});
    static_cast<void>(follower.step());
    if (!slot_->get()->ready()) throw std::runtime_error("the replica is not filled");
    backend::UnixServer::Options options;
    options.path = folder_.path() + "/backend.sock";
    server_ = std::make_unique<backend::UnixServer>(*slot_, options);
    if (const auto listening = server_->listen(); !listening) throw std::runtime_error(describe(listening.error()));
    thread_ = std::thread([this] { server_->run([] {}); });
    pdns_ = std::make_unique<test::PdnsServer>(options.path);
  }
  ~Servers() {
    pdns_.reset();
    server_->stop();
    thread_.join();
  }
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;

  [[nodiscard]] const test::Model& model() const noexcept { return model_; }
  [[nodiscard]] test::DnsServer nsd() const { return nsd_.server(); }
  [[nodiscard]] test::DnsServer pdns() const { return pdns_->server(); }

 private:
  test::Model model_;
  test::NsdServer nsd_;
  test::TemporaryFolder folder_;
  std::unique_ptr<backend::ReplicaSlot> slot_;
  std::unique_ptr<backend::UnixServer> server_;
  std::thread thread_;
  std::unique_ptr<test::PdnsServer> pdns_;
};

std::string print(std::vector<DnsRecord> records) {
  std::sort(records.begin(), records.end());
  std::string text;
  for (const auto& record : records) {
    text += fmt::format("  {} {} {} {}\n", record.owner.text(), record.ttl, record.type.text(), record.content);
  }
  return text;
}

/// What of a reply must be the same. Not compared: what a server adds of its own accord (RFC 1034 section 4.3.2 step 6,
/// and the NS of the zone with a positive answer).
std::string essence(const DnsReply& reply, RecordType asked) {
  auto text = fmt::format("rcode {}{}\nanswer\n{}", reply.rcode, reply.authoritative ? ", authoritative" : "",
                          print(reply.answer));
  const bool referral = !reply.authoritative && reply.rcode == 0;
  if (reply.contents(asked).empty() || referral) text += "authority\n" + print(reply.authority);
  if (referral) text += "additional\n" + print(reply.additional);
  return text;
}

/// The golden zones' owners.
std::set<DnsName> ownersOf(const test::Model& model) {
  std::set<DnsName> owners;
  for (const auto& zone : model.context.zones) {
    const auto file = zonegen::readMasterFile(goldenText(zone), zone.name, zone.id);
    if (!file) throw std::runtime_error(describe(file.error()));
    owners.insert(zone.name);
    for (const auto& record : file->records) owners.insert(record.owner);
  }
  return owners;
}

/// Every name that is there, those between them and the apex, and for each of them one below and one beside it that are
/// not; and the odd ones.
std::set<DnsName> namesToAsk(const test::Model& model) {
  const auto owners = ownersOf(model);
  std::set<DnsName> names = owners;
  for (const auto& owner : owners) {
    for (const auto& zone : model.context.zones) {
      if (!owner.isAtOrBelow(zone.name)) continue;
      for (auto at = owner; at.isAtOrBelow(zone.name); at = at.parent()) names.insert(at);
    }
  }
  for (const auto& existing : std::set<DnsName>(names)) {
    for (const char* label : {"nobody", "_domainkey", "a"}) {
      if (const auto below = existing.child(label)) names.insert(*below);
    }
  }
  for (const char* odd : {"elsewhere.example",
                          "example",
                          "x.y.z.shop.example",
                          "any.preview.shop.example",
                          "a.b.preview.shop.example",
                          "*.preview.shop.example",
                          "*.any.preview.shop.example",
                          "a.static.preview.shop.example",
                          "*.shop.example",
                          "*.t1.shop.example",
                          "mail.eu.shop.example",
                          "deep.mail.eu.shop.example",
                          "mz3._domainkey.t1.shop.example",
                          "t10.shop.example",
                          "t.shop.example",
                          "shop.example.shop.example",
                          "1.25.2.0.192.in-addr.arpa",
                          "255.2.0.192.in-addr.arpa",
                          "127.128-26.113.0.203.in-addr.arpa",
                          "113.0.203.in-addr.arpa"}) {
    names.insert(name(odd));
  }
  return names;
}

/// Where the two differ by their own design, whatever the records.
struct Difference {
  const char* reason;
  bool (*concerns)(const DnsName& name, RecordType type, const DnsReply& nsd, const DnsReply& pdns);
  int seen = 0;
};

/// Both are positive and everything that NSD says PowerDNS says as well.
bool saysMore(const DnsReply& nsd, const DnsReply& pdns) {
  return nsd.rcode == 0 && pdns.rcode == 0 && nsd.authoritative && pdns.authoritative && !nsd.answer.empty() &&
         std::all_of(nsd.answer.begin(), nsd.answer.end(), [&](const DnsRecord& record) {
           return std::find(pdns.answer.begin(), pdns.answer.end(), record) != pdns.answer.end();
         });
}
bool isAlias(const DnsReply& reply) {
  return !reply.contents(rrtype::CNAME).empty();
}

std::vector<Difference> differences() {
  return {
      {"ANY: NSD with minimal-responses says one RRset, PowerDNS all of them (RFC 8482 section 4.1 allows either)",
       [](const DnsName& name, RecordType type, const DnsReply& nsd, const DnsReply& pdns) {
         return type == rrtype::ANY && saysMore(nsd, pdns) && !isAlias(nsd) &&
                std::all_of(pdns.answer.begin(), pdns.answer.end(),
                            [&](const DnsRecord& record) { return record.owner == name; });
       }},
      {"ANY at a CNAME: PowerDNS goes on to its target, NSD does not (RFC 1034 section 4.3.2 step 3a: QTYPE * matches)",
       [](const DnsName&, RecordType type, const DnsReply& nsd, const DnsReply& pdns) {
         return type == rrtype::ANY && saysMore(nsd, pdns) && isAlias(nsd) && isAlias(pdns);
       }},
  };
}

TEST(AnswersEqualNsd, ForEveryOwnerAndType) {
  const Servers servers;
  auto known = differences();
  std::size_t asked = 0;
  std::map<int, std::size_t> rcodes;
  for (const auto& each : namesToAsk(servers.model())) {
    for (const auto type : kTypes) {
      test::DnsQuestion question;
      question.name = each;
      question.type = type;
      question.mixedCase = ++asked % 2 == 0;
      question.tcp = asked % 7 == 0;
      const auto nsd = test::query(servers.nsd(), question);
      const auto pdns = test::query(servers.pdns(), question);
      ASSERT_TRUE(nsd) << each.text() << " " << type.text() << ": " << describe(nsd.error());
      ASSERT_TRUE(pdns) << each.text() << " " << type.text() << ": " << describe(pdns.error());
      ++rcodes[nsd->rcode];
      if (essence(*pdns, type) == essence(*nsd, type)) continue;
      const auto why = std::find_if(known.begin(), known.end(),
                                    [&](const Difference& one) { return one.concerns(each, type, *nsd, *pdns); });
      if (why != known.end()) {
        ++why->seen;
        continue;
      }
      ADD_FAILURE() << each.text() << " " << type.text() << "\nNSD: " << essence(*nsd, type)
                    << "\nPowerDNS: " << essence(*pdns, type);
    }
  }
  for (const auto& one : known) EXPECT_GT(one.seen, 0) << "is no difference any more: " << one.reason;
  EXPECT_GT(asked, 3000U);
  EXPECT_GT(rcodes[0], 500U);
  EXPECT_GT(rcodes[3], 500U);
  EXPECT_GT(rcodes[5], 0U) << "a zone that is not ours";
  fmt::print("{} questions: {} NOERROR, {} NXDOMAIN, {} REFUSED\n", asked, rcodes[0], rcodes[3], rcodes[5]);
}

}  // namespace
}  // namespace mailzone
