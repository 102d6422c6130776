// The golden zones before judges that we did not write: BIND's named-checkzone, and NSD, whose answers for every owner
// and type are the golden records.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "system/process.h"
#include "tests/support/dns_client.h"
#include "tests/support/model_fixture.h"
#include "tests/support/nsd_server.h"
#include "zonegen/master_file.h"
#include "zonegen/record_set.h"

namespace mailzone {
namespace {

constexpr RecordType kTypes[] = {rrtype::A,   rrtype::NS,   rrtype::CNAME, rrtype::SOA,  rrtype::PTR, rrtype::MX,
                                 rrtype::TXT, rrtype::AAAA, rrtype::SRV,   rrtype::TLSA, rrtype::CAA};

std::string goldenPath(const Zone& zone) {
  return std::string(MAILZONE_SOURCE_DIR) + "/tests/golden/zonegen/" + zone.name.textNoDot() + ".zone";
}

std::string readFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

using Contents = std::vector<std::string>;

/// What the golden files say, by zone, owner and type; contents sorted.
struct Golden {
  std::vector<Zone> zones;
  std::map<ZoneId, std::map<DnsName, std::map<RecordType, Contents>>> names;

  [[nodiscard]] Contents at(const DnsName& owner, RecordType type) const {
    const auto& zone = names.at(zonegen::zoneOf(zones, owner)->id);
    const auto name = zone.find(owner);
    if (name == zone.end()) return {};
    const auto found = name->second.find(type);
    return found == name->second.end() ? Contents() : found->second;
  }
};

Golden golden() {
  Golden out;
  out.zones = test::modelFixture().context.zones;
  for (const auto& zone : out.zones) {
    const auto file = zonegen::readMasterFile(readFile(goldenPath(zone)), zone.name, zone.id);
    if (!file || !file->soa) throw std::runtime_error(zone.name.text());
    auto& names = out.names[zone.id];
    for (const auto& record : file->records) names[record.owner][record.type].push_back(record.content);
    const auto& soa = *file->soa;
    std::ostringstream text;
    text << soa.primaryServer.text() << ' ' << soa.hostmaster.text() << ' ' << soa.serial << ' ' << soa.refresh << ' '
         << soa.retry << ' ' << soa.expire << ' ' << soa.minimum;
    names[zone.name][rrtype::SOA] = {text.str()};
    for (auto& [owner, types] : names) {
      for (auto& [type, contents] : types) std::sort(contents.begin(), contents.end());
    }
  }
  return out;
}

class ZonegenGolden : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::vector<test::NsdZone> zones;
    for (const auto& zone : test::modelFixture().context.zones)
      zones.push_back({zone.name, readFile(goldenPath(zone))});
    nsd_ = std::make_unique<test::NsdServer>(zones);
  }
  static void TearDownTestSuite() { nsd_.reset(); }

  static test::DnsReply ask(const DnsName& name, RecordType type, bool mixedCase = false, bool tcp = false) {
    test::DnsQuestion question;
    question.name = name;
    question.type = type;
    question.mixedCase = mixedCase;
    question.tcp = tcp;
    const auto reply = test::query(nsd_->server(), question);
    if (!reply) throw std::runtime_error(name.text() + ' ' + type.text() + ": " + describe(reply.error()));
    return *reply;
  }
  static test::DnsReply ask(std::string_view name, RecordType type) { return ask(test::name(name), type); }

  static std::unique_ptr<test::NsdServer> nsd_;
};
std::unique_ptr<test::NsdServer> ZonegenGolden::nsd_;

TEST_F(ZonegenGolden, PassNamedCheckzone) {
  for (const auto& zone : test::modelFixture().context.zones) {
    Command command;
    // -i local: what lies in other zones is not asked for. Names, MX and SRV targets are checked as errors.
    command.argv = {"named-checkzone",
                    "-i",
                    "local",
                    "-k",
                    "fail",
                    "-m",
                    "fail",
                    "-M",
                    "fail",
                    "-n",
                    "fail",
                    "-r",
                    "fail",
                    "-S",
                    "fail",
                    "-W",
                    "warn",
                    zone.name.text(),
                    goldenPath(zone)};
    const auto outcome = run(command, "", std::chrono::seconds(30));
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->exitStatus, 0) << zone.name.text() << '\n' << outcome->output << outcome->errors;
  }
}

TEST_F(ZonegenGolden, AreWhatNsdAnswersForEveryOwnerAndType) {
  const auto all = golden();
  std::size_t asked = 0;
  for (const auto& [zone, names] : all.names) {
    for (const auto& [owner, types] : names) {
      if (zonegen::zoneOf(all.zones, owner)->id != zone) continue;     // our own delegation: the child zone answers
      if (owner.isAtOrBelow(test::name("eu.shop.example"))) continue;  // somebody else's: below
      for (const auto type : kTypes) {
        ++asked;
        const auto reply = ask(owner, type, asked % 2 == 0, asked % 7 == 0);
        const auto trace = owner.text() + ' ' + type.text();
        EXPECT_EQ(reply.rcode, 0) << trace;
        EXPECT_TRUE(reply.authoritative) << trace;
        const auto alias = all.at(owner, rrtype::CNAME);
        EXPECT_EQ(reply.contents(rrtype::CNAME), alias) << trace;
        const auto end = alias.empty() || type == rrtype::CNAME ? owner : *DnsName::parse(alias.front());
        EXPECT_EQ(reply.contents(type), all.at(end, type)) << trace;
        if (reply.answer.empty()) {
          ASSERT_EQ(reply.authority.size(), 1U) << trace << ": a negative answer carries the SOA (RFC 2308 section 3)";
          EXPECT_EQ(reply.authority.front().type, rrtype::SOA) << trace;
        }
        for (const auto& record : reply.answer) EXPECT_EQ(record.ttl, 300U) << trace;
      }
    }
  }
  EXPECT_GT(asked, 900U);
}

TEST_F(ZonegenGolden, TellEmptyNamesFromMissingOnes) {
  const auto all = golden();
  std::set<DnsName> owners, empty;
  for (const auto& [zone, names] : all.names) {
    for (const auto& [owner, types] : names) owners.insert(owner);
  }
  for (const auto& owner : owners) {
    const auto* zone = zonegen::zoneOf(all.zones, owner);
    for (auto name = owner.parent(); name.isAtOrBelow(zone->name); name = name.parent()) {
      if (owners.count(name) == 0) empty.insert(name);
    }
  }
  for (const auto* text :
       {"_domainkey.t1.shop.example", "_spf.shop.example", "_tcp.shop.example", "_report._dmarc.reports.shop.example",
        "example._report._dmarc.reports.shop.example", "66666666666666666666666666666666.dkim.shop.example"}) {
    EXPECT_EQ(empty.count(test::name(text)), 1U) << text;
  }
  for (const auto& name : empty) {
    const auto reply = ask(name, rrtype::TXT);
    EXPECT_EQ(reply.rcode, 0) << name.text() << ": an empty non-terminal exists (RFC 8020 section 2)";
    EXPECT_TRUE(reply.answer.empty()) << name.text();
  }
  for (const auto* text : {"nobody.shop.example", "mz3._domainkey.t1.shop.example", "x.t1.shop.example",
                           "mz1.77.dkim.shop.example", "99.2.0.192.in-addr.arpa", "a.static.preview.shop.example"}) {
    EXPECT_EQ(ask(text, rrtype::TXT).rcode, 3) << text;
  }
}

TEST_F(ZonegenGolden, HaveWildcardsAndDelegations) {
  EXPECT_EQ(ask("any.preview.shop.example", rrtype::A).contents(rrtype::A), Contents{"192.0.2.81"});
  EXPECT_TRUE(ask("static.preview.shop.example", rrtype::A).answer.empty()) << "a name that exists hides the wildcard";
  const auto referral = ask("mail.eu.shop.example", rrtype::A);
  EXPECT_FALSE(referral.authoritative);
  ASSERT_EQ(referral.authority.size(), 1U);
  EXPECT_EQ(referral.authority.front().content, "ns.eu.shop.example.");
}

}  // namespace
}  // namespace mailzone
