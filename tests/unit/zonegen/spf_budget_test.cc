#include "zonegen/spf_budget.h"

#include <gtest/gtest.h>

#include "tests/support/fake_resolver.h"
#include "tests/support/model_fixture.h"
#include "zonegen/spf.h"

namespace mailzone::zonegen {
namespace {

using test::name;

struct SpfBudget : ::testing::Test {
  PlatformContext context = test::modelFixture().context;
  mailzone::testing::FakeResolver resolver;
  std::vector<Stream> streams = {{StreamId{1}, "own", PoolId{1}, std::nullopt},
                                 {StreamId{2}, "partner", std::nullopt, RelayId{2}}};

  /// The partner's record with that many a terms.
  void partnerCosts(int lookups) {
    std::string text = "v=spf1";
    for (int i = 0; i < lookups; ++i) text += " a:h" + std::to_string(i) + ".partner.example";
    resolver.txtRecords[name("_spf.partner.example")] = {text + " -all"};
  }
};

TEST_F(SpfBudget, CountsPoolsWithoutAskingAndRelaysToTheirEnd) {
  partnerCosts(8);
  const auto lookups = spfLookups(context, streams, resolver);
  ASSERT_TRUE(lookups) << describe(lookups.error());
  EXPECT_EQ(*lookups, 10U) << "one pool, one include, eight within it";
  for (const auto& [asked, type] : resolver.asked) EXPECT_EQ(asked, name("_spf.partner.example"));
}

TEST_F(SpfBudget, NamesTheRelayThatBreaksIt) {
  partnerCosts(9);
  const auto lookups = spfLookups(context, streams, resolver);
  ASSERT_FALSE(lookups);
  EXPECT_EQ(lookups.error().code, Errc::limitExceeded);
  EXPECT_EQ(lookups.error().value, "_spf.partner.example");
}

TEST_F(SpfBudget, TellsCannotTellFromNo) {
  resolver.servfail.insert(name("_spf.partner.example"));
  EXPECT_EQ(spfLookups(context, streams, resolver).error().code, Errc::temporary);
  resolver.servfail.clear();
  EXPECT_EQ(spfLookups(context, streams, resolver).error().code, Errc::invalidInput) << "an include without a record";
  resolver.txtRecords[name("_spf.partner.example")] = {"v=spf1 -all", "v=spf1 ~all"};
  EXPECT_EQ(spfLookups(context, streams, resolver).error().code, Errc::invalidInput) << "two records";
}

TEST_F(SpfBudget, AsksNobodyAboutARelayWithItsOwnEnvelope) {
  streams[1].relay = RelayId{1};
  EXPECT_EQ(*spfLookups(context, streams, resolver), 1U);
  EXPECT_TRUE(resolver.asked.empty());
}

}  // namespace
}  // namespace mailzone::zonegen
