// The zones of the model fixture, whole, as master files under tests/golden/zonegen. UPDATE_GOLDEN=1 rewrites them; the
// difference is reviewed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/model_fixture.h"
#include "zonegen/check.h"
#include "zonegen/master_file.h"

namespace mailzone {
namespace {

std::string goldenPath(const Zone& zone) {
  return std::string(MAILZONE_SOURCE_DIR) + "/tests/golden/zonegen/" + zone.name.textNoDot() + ".zone";
}

std::string readFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(GoldenZones, AreWhatTheModelSays) {
  const auto model = test::modelFixture();
  const auto zones = test::wholeZones(model);
  ASSERT_TRUE(zones) << describe(zones.error());
  ASSERT_EQ(zones->size(), model.context.zones.size());
  for (const auto& zone : model.context.zones) {
    const auto text = zonegen::writeMasterFile(zone.name, zones->at(zone.id));
    if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(goldenPath(zone)) << text;
    EXPECT_EQ(text, readFile(goldenPath(zone))) << zone.name.text();
  }
}

TEST(GoldenZones, ReadBackAsTheRecordsThatWereWritten) {
  const auto model = test::modelFixture();
  const auto zones = *test::wholeZones(model);
  for (const auto& zone : model.context.zones) {
    const auto& rrsets = zones.at(zone.id);
    const auto file = zonegen::readMasterFile(zonegen::writeMasterFile(zone.name, rrsets), zone.name, zone.id);
    ASSERT_TRUE(file) << zone.name.text() << describe(file.error());
    ASSERT_TRUE(file->soa) << zone.name.text();
    EXPECT_EQ(file->soa->serial, zone.serial);
    EXPECT_EQ(file->soa->primaryServer, zone.primaryServer);
    std::vector<RRset> read;
    for (const auto& record : file->records) {
      if (read.empty() || read.back().owner != record.owner || read.back().type != record.type) {
        read.push_back({record.owner, record.type, record.ttl, {}});
      }
      read.back().contents.push_back(record.content);
    }
    std::vector<RRset> expected;
    for (const auto& rrset : rrsets) {
      if (rrset.type != rrtype::SOA) expected.push_back(rrset);
    }
    EXPECT_EQ(read, expected) << zone.name.text();
  }
}

TEST(GoldenZones, DoNotDependOnTheOrderOfRows) {
  auto model = test::modelFixture();
  const auto zones = test::wholeZones(model);
  for (auto& pool : model.context.pools) std::reverse(pool.addresses.begin(), pool.addresses.end());
  std::reverse(model.context.pools.begin(), model.context.pools.end());
  std::reverse(model.context.relays.begin(), model.context.relays.end());
  std::reverse(model.context.streams.begin(), model.context.streams.end());
  std::reverse(model.context.zones.begin(), model.context.zones.end());
  std::reverse(model.context.platform.mailExchangers.begin(), model.context.platform.mailExchangers.end());
  std::reverse(model.domains.begin(), model.domains.end());
  std::reverse(model.departed.begin(), model.departed.end());
  std::reverse(model.staticRecords.begin(), model.staticRecords.end());
  EXPECT_EQ(test::wholeZones(model), zones);
}

TEST(GoldenZones, AreConsistent) {
  const auto model = test::modelFixture();
  const auto zones = *test::wholeZones(model);
  std::vector<zonegen::ZoneRRset> all;
  for (const auto& [id, rrsets] : zones) {
    for (const auto& rrset : rrsets) all.push_back({id, rrset});
  }
  for (const auto& finding : zonegen::check(model.context.zones, all)) {
    ADD_FAILURE() << finding.owner.text() << ' ' << finding.type.text() << ' ' << describe(finding.error);
  }
}

}  // namespace
}  // namespace mailzone
