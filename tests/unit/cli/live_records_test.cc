#include "cli/live_records.h"

#include <gtest/gtest.h>

#include "tests/support/fake_resolver.h"

namespace mailzone::cli {
namespace {

using testing::FakeResolver;

const DnsName kDomain = DnsName::parse("custom.example").value();
const DnsName kName = DnsName::parse("mz1._domainkey.custom.example").value();
const DnsName kTarget = DnsName::parse("mz1.0123.dkim.shop.example").value();
const std::string kKey = "v=DKIM1; k=rsa; p=AAAA";

WantedRecord wantedKey() {
  return {"signing key mz1", true, kName, rrtype::CNAME, kTarget.textNoDot(), kKey, std::nullopt};
}
WantedRecord wantedPolicy() {
  return {"policy", false, FakeResolver::name("_dmarc.custom.example"), rrtype::TXT, "v=DMARC1; p=quarantine", "", {}};
}

TEST(LiveRecords, OfAKeyAreValidWhenTheyLeadToOurTargetAndTheKeyIsThere) {
  FakeResolver dns;
  dns.cnameRecords[kName] = kTarget;
  dns.txtRecords[kTarget] = {kKey};
  EXPECT_EQ(lookAt(dns, wantedKey(), kDomain).state, LiveState::valid);

  FakeResolver chain;
  const DnsName between = FakeResolver::name("alias.provider.example");
  chain.cnameRecords[kName] = between;
  chain.cnameRecords[between] = kTarget;
  chain.txtRecords[kTarget] = {kKey};
  EXPECT_EQ(lookAt(chain, wantedKey(), kDomain).state, LiveState::valid) << "by way of another alias";
}

TEST(LiveRecords, OfAKeySayWhatIsWrong) {
  struct Row {
    const char* why;
    void (*make)(FakeResolver&);
    LiveState state;
    const char* part;
  };
  const Row rows[] = {
      {"nothing there", [](FakeResolver&) {}, LiveState::missing, "no such record"},
      {"the provider added the domain",
       [](FakeResolver& dns) {
         dns.cnameRecords[FakeResolver::name("mz1._domainkey.custom.example.custom.example")] = kTarget;
       },
       LiveState::missing, "enter only mz1._domainkey"},
      {"leads elsewhere",
       [](FakeResolver& dns) { dns.cnameRecords[kName] = FakeResolver::name("mz2.0123.dkim.shop.example"); },
       LiveState::mismatch, "leads to mz2.0123.dkim.shop.example"},
      {"the key copied as TXT", [](FakeResolver& dns) { dns.txtRecords[kName] = {kKey}; }, LiveState::mismatch,
       "stays behind when keys change"},
      {"target without a record", [](FakeResolver& dns) { dns.cnameRecords[kName] = kTarget; }, LiveState::missing,
       "no such record"},
      {"another key at the target",
       [](FakeResolver& dns) {
         dns.cnameRecords[kName] = kTarget;
         dns.txtRecords[kTarget] = {"v=DKIM1; p="};
       },
       LiveState::mismatch, "says v=DKIM1; p="},
      {"the customer's DNS does not answer", [](FakeResolver& dns) { dns.servfail.insert(kName); }, LiveState::unknown,
       "no action is needed"},
      {"our target does not answer",
       [](FakeResolver& dns) {
         dns.cnameRecords[kName] = kTarget;
         dns.servfail.insert(kTarget);
       },
       LiveState::unknown, "could not be asked"},
      {"aliases in a circle", [](FakeResolver& dns) { dns.cnameRecords[kName] = kName; }, LiveState::mismatch,
       "leads to"},
  };
  for (const Row& row : rows) {
    FakeResolver dns;
    row.make(dns);
    const Live live = lookAt(dns, wantedKey(), kDomain);
    EXPECT_EQ(word(live.state), word(row.state)) << row.why << ": " << live.detail;
    EXPECT_NE(live.detail.find(row.part), std::string::npos) << row.why << ": " << live.detail;
  }
}

TEST(LiveRecords, OfAPolicyAreTheOwnersChoice) {
  FakeResolver dns;
  EXPECT_EQ(lookAt(dns, wantedPolicy(), kDomain).state, LiveState::missing);
  const DnsName at = wantedPolicy().name;
  dns.txtRecords[at] = {"v=DMARC1; p=reject"};
  const Live own = lookAt(dns, wantedPolicy(), kDomain);
  EXPECT_EQ(own.state, LiveState::valid);
  EXPECT_EQ(own.detail, "a policy of its own: v=DMARC1; p=reject");
  dns.txtRecords[at] = {"v=DMARC1; p=reject", "v=DMARC1; p=none"};
  EXPECT_EQ(lookAt(dns, wantedPolicy(), kDomain).state, LiveState::mismatch);
  dns.servfail.insert(at);
  EXPECT_EQ(lookAt(dns, wantedPolicy(), kDomain).state, LiveState::unknown);
}

}  // namespace
}  // namespace mailzone::cli
