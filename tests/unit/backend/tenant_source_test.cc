#include "backend/tenant_source.h"

#include <fstream>

#include "backend/follower.h"
#include "replica_fixture.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::backend {
namespace {

class DamagedDatabase : public ReplicaFixture {
 protected:
  void SetUp() override {
    ReplicaFixture::SetUp();
    const auto connection = database.connect();
    test::seedPlatform(*connection);
    settings.database.engine = "sqlite";
    settings.database.path = database.path();
    for (int i = 0; i < 5; ++i) (void)follower.step();
    ASSERT_TRUE(answers());
  }
  /// The zone's SOA, from the replica in use.
  bool answers() {
    replica = slot.get();
    return ask(1, "shop.example").find("SOA") != std::string::npos;
  }

  test::TemporarySqlite database;
  Settings settings;
  ReplicaSlot slot{Replica::open(folder.path() + "/followed", kOptions).value()};
  Follower follower{slot, [this] { return openTenantSource(settings); }, {}};
};

// A database that is damaged must not take the answers along: the replica is all that is left of it.
TEST_F(DamagedDatabase, LeavesTheReplicaAsItIs) {
  test::must(*database.connect(), "DELETE FROM feed_head");
  for (int i = 0; i < 3; ++i) (void)follower.step();
  ASSERT_TRUE(follower.status().lastError);
  EXPECT_TRUE(answers());
}

TEST_F(DamagedDatabase, LeavesTheReplicaAsItIsWhenItIsNoDatabaseAnyMore) {
  std::ofstream(database.path() + ".new") << std::string(65536, 'x');
  std::filesystem::rename(database.path() + ".new", database.path());
  for (int i = 0; i < 3; ++i) (void)follower.step();
  ASSERT_TRUE(follower.status().lastError);
  EXPECT_TRUE(answers());
}

}  // namespace
}  // namespace mailzone::backend
