#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/model_fixture.h"
#include "zonegen/zonegen.h"

namespace mailzone::zonegen {
namespace {

using test::name;

std::string textAt(const std::vector<ZoneRRset>& records, const std::string& owner) {
  for (const auto& each : records) {
    if (each.rrset.type == rrtype::TXT && each.rrset.owner.text() == owner)
      return *txtText(each.rrset.contents.front());
  }
  return "(none)";
}

std::vector<std::string> owners(const std::vector<ZoneRRset>& records) {
  std::vector<std::string> out;
  for (const auto& each : records) out.push_back(each.rrset.owner.text() + ' ' + each.rrset.type.text());
  return out;
}

/// The fixture's domain of that name.
Domain domainOf(const test::Model& model, std::string_view text) {
  return *std::find_if(model.domains.begin(), model.domains.end(),
                       [&](const Domain& d) { return d.name == name(text); });
}

TEST(DomainRecords, OfASubdomainAreStrictAndItsOwn) {
  const auto model = test::modelFixture();
  const auto records = *recordsForDomain(model.context, domainOf(model, "t1.shop.example"));
  EXPECT_EQ(textAt(records, "t1.shop.example."), "v=spf1 include:main._spf.shop.example ~all");
  EXPECT_EQ(textAt(records, "_dmarc.t1.shop.example."),
            "v=DMARC1; p=quarantine; adkim=s; aspf=s; psd=n; rua=mailto:dmarc@reports.shop.example");
  EXPECT_EQ(textAt(records, "t1.shop.example._report._dmarc.reports.shop.example."), "v=DMARC1;");
  EXPECT_EQ(textAt(records, "mz1._domainkey.t1.shop.example."), "v=DKIM1; k=rsa; p=" + test::rsaKey(6).base64);
}

TEST(DomainRecords, OfACustomersDomainLieAtItsToken) {
  const auto model = test::modelFixture();
  const auto k = test::token('6');
  EXPECT_EQ(owners(*recordsForDomain(model.context, domainOf(model, "custom.example"))),
            (std::vector<std::string>{"custom.example._report._dmarc.reports.shop.example. TXT",
                                      "mz1." + k + ".dkim.shop.example. TXT", "mz2." + k + ".dkim.shop.example. TXT",
                                      k + ".rp.shop.example. MX", k + ".rp.shop.example. TXT"}));
}

TEST(DomainRecords, AuthoriseReportsOnlyForProvenNames) {
  const auto model = test::modelFixture();
  auto domain = domainOf(model, "custom.example");
  const std::string owner = "custom.example._report._dmarc.reports.shop.example.";
  EXPECT_EQ(textAt(*recordsForDomain(model.context, domain), owner), "v=DMARC1;");
  domain.dmarcRua = "mailto:x@elsewhere.example";
  EXPECT_EQ(textAt(*recordsForDomain(model.context, domain), owner), "(none)") << "not our address";
  domain.dmarcRua.reset();
  for (const auto state : {DomainState::unverified, DomainState::degraded}) {
    domain.state = state;
    EXPECT_EQ(textAt(*recordsForDomain(model.context, domain), owner), "(none)") << word(state);
  }
}

TEST(DomainRecords, OfARevokedSlotHaveAnEmptyKey) {
  const auto model = test::modelFixture();
  const auto records = *recordsForDomain(model.context, domainOf(model, "t2.shop.example"));
  EXPECT_EQ(textAt(records, "mz2._domainkey.t2.shop.example."), "v=DKIM1; p=");
  EXPECT_EQ(textAt(records, "_dmarc.t2.shop.example."),
            "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n; "
            "rua=mailto:a@t2.shop.example,mailto:b@reports.shop.example,https://dmarc.elsewhere.example/in");
}

TEST(DomainRecords, OfThePlatformAndTheCommonDomainAreClosed) {
  const auto model = test::modelFixture();
  const auto own = *recordsForDomain(model.context, domainOf(model, "shop.example"));
  EXPECT_EQ(textAt(own, "_dmarc.shop.example."),
            "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@reports.shop.example");
  const auto common = *recordsForDomain(model.context, domainOf(model, "sig.shop.example"));
  EXPECT_EQ(textAt(common, "sig.shop.example."), "v=spf1 -all");
  EXPECT_EQ(textAt(common, "_dmarc.sig.shop.example."), "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n");
  EXPECT_EQ(std::count_if(common.begin(), common.end(), [](const ZoneRRset& r) { return r.rrset.type == rrtype::MX; }),
            0);
}

TEST(DepartedRecords, StayAsTheyWereAndThenRevokeTheKeys) {
  const auto model = test::modelFixture();
  auto departed = model.departed[0];
  auto before = domainOf(model, "t1.shop.example");
  before.name = departed.name;
  before.slots = departed.slots;
  EXPECT_EQ(*recordsForDeparted(model.context, departed), *recordsForDomain(model.context, before));
  departed.revoked = true;
  const auto revoked = *recordsForDeparted(model.context, departed);
  ASSERT_EQ(revoked.size(), 1U) << "only the key is left";
  EXPECT_EQ(textAt(revoked, "mz1._domainkey.t8.shop.example."), "v=DKIM1; p=");

  auto custom = model.departed[3];
  custom.revoked = true;
  EXPECT_EQ(owners(*recordsForDeparted(model.context, custom)),
            std::vector<std::string>{"mz1." + test::token('b') + ".dkim.shop.example. TXT"});
}

TEST(PlatformRecords, AreForwardingTargetApexesAndDelegations) {
  const auto records = *recordsForPlatform(test::modelFixture().context);
  EXPECT_EQ(textAt(records, "srs.shop.example."), "v=spf1 include:forward._spf.shop.example ~all");
  EXPECT_EQ(textAt(records, "_dmarc.srs.shop.example."), "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n");
  EXPECT_EQ(textAt(records, "rp.shop.example."), "v=spf1 -all");
  EXPECT_EQ(textAt(records, "_dmarc.dkim.shop.example."),
            "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; psd=n");
  const ZoneRRset delegation = {ZoneId{1}, {name("rp.shop.example"), rrtype::NS, *Ttl::of(300), {"ns1.shop.example."}}};
  EXPECT_NE(std::find(records.begin(), records.end(), delegation), records.end()) << "in the parent zone";
}

TEST(ZoneRecords, AreTheSoa) {
  const auto zone = test::modelFixture().context.zones[0];
  const auto records = *recordsForZone(zone);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].rrset.contents.front(),
            "ns1.shop.example. hostmaster.shop.example. 2026112501 10800 3600 604800 60");
}

TEST(ZoneRecords, RefuseWhatIsNoSoa) {
  const auto good = test::modelFixture().context.zones[0];
  const struct {
    const char* why;
    void (*spoil)(Zone&);
  } rows[] = {{"the root as primary server", [](Zone& z) { z.primaryServer = DnsName(); }},
              {"an underscore in it", [](Zone& z) { z.primaryServer = name("_ns.shop.example"); }},
              {"one label as hostmaster", [](Zone& z) { z.hostmaster = name("hostmaster"); }},
              {"refresh above 2^31-1", [](Zone& z) { z.refresh = 0x80000000U; }},
              {"minimum above 2^31-1", [](Zone& z) { z.minimum = 0xffffffffU; }}};
  for (const auto& row : rows) {
    auto zone = good;
    row.spoil(zone);
    EXPECT_FALSE(recordsForZone(zone)) << row.why;
  }
}

struct BadRow {
  const char* why;
  const char* domain;
  void (*spoil)(Domain&, PlatformContext&);
  const char* value;  ///< nullptr: not compared
};

TEST(DomainRecords, RefuseRowsThatCannotBeRecordsAndNameThem) {
  const std::vector<BadRow> rows = {
      {"a quote in rua", "t1.shop.example", [](Domain& d, PlatformContext&) { d.dmarcRua = "mailto:a\"@b.example"; },
       "mailto:a\"@b.example"},
      {"another tag in rua", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.dmarcRua = "mailto:a@b.example; p=none"; }, "mailto:a@b.example; p=none"},
      {"a control character in the platform's rua", "t1.shop.example",
       [](Domain&, PlatformContext& c) { c.platform.dmarcRua = "mailto:a\n@b.example"; }, "mailto:a\n@b.example"},
      {"p= is not base64", "t1.shop.example", [](Domain& d, PlatformContext&) { d.slots[0].key->base64 = "abc\"; x"; },
       nullptr},
      {"p= with white space", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->base64.insert(64, "\n"); }, nullptr},
      {"p= is a PEM file", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->base64 = "-----BEGIN PUBLIC KEY-----"; },
       "-----BEGIN PUBLIC KEY-----"},
      {"p= is empty but not revoked", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->base64 = ""; }, ""},
      {"p= is base64 of no key", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->base64 = "c2VjcmV0"; }, "c2VjcmV0"},
      {"an RSA key is cut", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->base64.resize(d.slots[0].key->base64.size() - 4); }, nullptr},
      {"an RSA key as Ed25519", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.slots[0].key->algorithm = KeyAlgorithm::ed25519Sha256; }, nullptr},
      {"an Ed25519 SubjectPublicKeyInfo", "t1.shop.example",
       [](Domain& d, PlatformContext&) {
         d.slots[0].key =
             PublicKey{KeyAlgorithm::ed25519Sha256, "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="};
       },
       nullptr},
      {"one slot twice", "t1.shop.example", [](Domain& d, PlatformContext&) { d.slots[1].slot = Slot::mz1; },
       "t1.shop.example"},
      {"a reserved label", "t1.shop.example", [](Domain& d, PlatformContext&) { d.name = name("sig.shop.example"); },
       "sig.shop.example"},
      {"two labels below the platform", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.name = name("a.t1.shop.example"); }, "a.t1.shop.example"},
      {"an underscore label", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.name = name("_dmarc.shop.example"); }, "_dmarc.shop.example"},
      {"a wildcard", "t1.shop.example", [](Domain& d, PlatformContext&) { d.name = name("*.shop.example"); },
       "*.shop.example"},
      {"another platform's name", "t1.shop.example",
       [](Domain& d, PlatformContext&) { d.name = name("t1.other.example"); }, "t1.other.example"},
      {"the root", "t1.shop.example", [](Domain& d, PlatformContext&) { d.name = DnsName(); }, ""},
      {"a zone that does not hold the name", "t1.shop.example", [](Domain& d, PlatformContext&) { d.zone = ZoneId{4}; },
       "t1.shop.example"},
      {"a zone that is not there", "t1.shop.example", [](Domain& d, PlatformContext&) { d.zone = ZoneId{99}; },
       "t1.shop.example"},
      {"no zone at all", "t1.shop.example",
       [](Domain& d, PlatformContext& c) {
         d.zone.reset();
         c.zones.clear();
       },
       nullptr},
      {"a null MX for senders", "t1.shop.example",
       [](Domain&, PlatformContext& c) {
         c.platform.mailExchangers = {{0, DnsName()}};
       },
       ""},
      {"an MX that is no host", "t1.shop.example",
       [](Domain&, PlatformContext& c) { c.platform.mailExchangers[0].host = name("mx_1.shop.example"); },
       "mx_1.shop.example"},
      {"the kind hosted", "t1.shop.example", [](Domain& d, PlatformContext&) { d.kind = DomainKind::hosted; },
       "t1.shop.example"},
      {"a custom domain below the platform", "custom.example",
       [](Domain& d, PlatformContext&) { d.name = name("x.shop.example"); }, "x.shop.example"},
      {"a custom domain above the platform", "custom.example",
       [](Domain& d, PlatformContext&) { d.name = name("example"); }, "example"},
      {"a custom domain that is no host name", "custom.example",
       [](Domain& d, PlatformContext&) { d.name = name("a\\\"b.example"); }, nullptr},
      {"a short token", "custom.example", [](Domain& d, PlatformContext&) { d.token = "6666"; }, "6666"},
      {"a token with dots", "custom.example",
       [](Domain& d, PlatformContext&) { d.token = std::string(30, 'a') + ".b"; }, nullptr},
      {"a token in capitals", "custom.example", [](Domain& d, PlatformContext&) { d.token = std::string(32, 'A'); },
       nullptr},
      {"a platform domain of another name", "shop.example",
       [](Domain& d, PlatformContext&) { d.name = name("other.example"); }, "other.example"},
      {"a common domain of another name", "sig.shop.example",
       [](Domain& d, PlatformContext&) { d.name = name("sign.shop.example"); }, "sign.shop.example"}};
  const auto model = test::modelFixture();
  for (const auto& row : rows) {
    auto context = model.context;
    auto domain = domainOf(model, row.domain);
    row.spoil(domain, context);
    const auto got = recordsForDomain(context, domain);
    ASSERT_FALSE(got) << row.why;
    if (row.value != nullptr) {
      EXPECT_EQ(got.error().value, escapeForDisplay(row.value)) << row.why;
    }
    EXPECT_FALSE(got.error().rule.empty()) << row.why;
    EXPECT_FALSE(got.error().remedy.empty()) << row.why;
  }
}

TEST(DomainRecords, RefuseNamesThatOverflowWhenPrefixed) {
  const auto model = test::modelFixture();
  auto context = model.context;
  // 238 octets on the wire: "t1" and "_dmarc" still fit in front (10 more), "mz1._domainkey" (15 more) does not.
  const std::string label(63, 'p');
  context.platform.name = name(label + '.' + label + '.' + label + '.' + std::string(44, 'p'));
  ASSERT_EQ(context.platform.name.wire().size(), 238U);
  context.zones[0].name = context.platform.name;
  auto domain = domainOf(model, "t1.shop.example");
  domain.dmarcRua = "";
  domain.name = *context.platform.name.child("t1");
  context.streams.clear();
  const auto tooLong = recordsForDomain(context, domain);
  ASSERT_FALSE(tooLong);
  EXPECT_EQ(tooLong.error().code, Errc::limitExceeded);
  EXPECT_EQ(tooLong.error().value, escapeForDisplay(domain.name.textNoDot()));
  domain.slots.clear();
  EXPECT_TRUE(recordsForDomain(context, domain)) << "without keys it fits";

  auto custom = domainOf(model, "custom.example");
  custom.name = name(label + '.' + label + '.' + label + '.' + std::string(30, 'c'));
  const auto report = recordsForDomain(model.context, custom);
  ASSERT_FALSE(report) << "NAME._report._dmarc.reports.shop.example";
  EXPECT_EQ(report.error().code, Errc::limitExceeded);
  EXPECT_EQ(report.error().value, escapeForDisplay(custom.name.textNoDot()));
  custom.dmarcRua = "";
  EXPECT_TRUE(recordsForDomain(model.context, custom)) << "without the report address it fits";
}

TEST(DomainRecords, TakeAnEd25519KeyOf32Octets) {
  const auto model = test::modelFixture();
  auto domain = domainOf(model, "t1.shop.example");
  // RFC 8463 appendix A.2.
  domain.slots[0].key = PublicKey{KeyAlgorithm::ed25519Sha256, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="};
  const auto records = recordsForDomain(model.context, domain);
  ASSERT_TRUE(records) << describe(records.error());
  EXPECT_EQ(textAt(*records, "mz1._domainkey.t1.shop.example."),
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

}  // namespace
}  // namespace mailzone::zonegen
