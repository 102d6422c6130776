#include "zonegen/merge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/model_fixture.h"

namespace mailzone::zonegen {
namespace {

using test::name;

Contribution says(Origin origin, RecordType type, std::vector<std::string> contents, std::int64_t row = 0,
                  int ttl = 300, std::string_view owner = "t1.shop.example") {
  return {origin, {name(owner), type, *Ttl::of(ttl), std::move(contents)}, row};
}

struct MergeRow {
  const char* why;
  std::vector<Contribution> contributions;
  std::vector<std::string> expected;  ///< "TYPE content"
};

TEST(MergeName, LetsTheRightSourceSpeak) {
  constexpr auto G = Origin::generated, D = Origin::departed, W = Origin::written;
  const std::string spf = "\"v=spf1 ~all\"", otherSpf = "\"v=spf1 -all\"", token = "\"site-verification=1\"";
  const std::vector<MergeRow> rows = {
      {"nothing said", {}, {}},
      {"an RRset without records says nothing", {says(G, rrtype::A, {})}, {}},
      {"a live domain silences the departed one, type by type",
       {says(G, rrtype::TXT, {spf}), says(D, rrtype::TXT, {otherSpf}, 7), says(D, rrtype::MX, {"10 old."}, 7)},
       {"MX 10 old.", "TXT " + spf}},
      {"of two that departed the younger speaks",
       {says(D, rrtype::TXT, {spf}, 3), says(D, rrtype::TXT, {otherSpf}, 9)},
       {"TXT " + otherSpf}},
      {"a written SPF replaces ours and stands beside other texts",
       {says(G, rrtype::TXT, {spf, token}), says(W, rrtype::TXT, {otherSpf})},
       {"TXT " + token, "TXT " + otherSpf}},
      {"a written text of no kind stands beside our SPF",
       {says(G, rrtype::TXT, {spf}), says(W, rrtype::TXT, {token})},
       {"TXT " + token, "TXT " + spf}},
      {"a written SPF in capitals is one",
       {says(G, rrtype::TXT, {spf}), says(W, rrtype::TXT, {"\"V=SPF1 -all\""})},
       {"TXT \"V=SPF1 -all\""}},
      {"v=spf10 is no SPF (RFC 7208 section 4.5)",
       {says(G, rrtype::TXT, {spf}), says(W, rrtype::TXT, {"\"v=spf10\""})},
       {"TXT " + spf, "TXT \"v=spf10\""}},
      {"a written MX replaces ours", {says(G, rrtype::MX, {"10 a."}), says(W, rrtype::MX, {"5 b."})}, {"MX 5 b."}},
      {"addresses are joined, the same one once",
       {says(G, rrtype::A, {"192.0.2.1"}), says(W, rrtype::A, {"192.0.2.1", "192.0.2.2"})},
       {"A 192.0.2.1", "A 192.0.2.2"}},
      {"a CNAME beside other data goes", {says(G, rrtype::TXT, {spf}), says(W, rrtype::CNAME, {"x."})}, {"TXT " + spf}},
      {"a second CNAME goes", {says(W, rrtype::CNAME, {"y."}), says(W, rrtype::CNAME, {"x."})}, {"CNAME x."}}};
  for (const auto& row : rows) {
    auto contributions = row.contributions;
    for (int turn = 0; turn < 2; ++turn, std::reverse(contributions.begin(), contributions.end())) {
      std::vector<std::string> got;
      for (const auto& rrset : mergeName(contributions)) {
        for (const auto& content : rrset.contents) got.push_back(rrset.type.text() + ' ' + content);
      }
      EXPECT_EQ(got, row.expected) << row.why;
    }
  }
}

TEST(MergeName, ReplacesAKeyWhateverItsTextLooksLike) {
  const auto owner = "mz1._domainkey.shop.example";
  const auto merged = mergeName({says(Origin::generated, rrtype::TXT, {"\"v=DKIM1; p=\""}, 0, 300, owner),
                                 says(Origin::written, rrtype::TXT, {"\"k=rsa; p=\""}, 0, 300, owner)});
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged.front().contents, std::vector<std::string>{"\"k=rsa; p=\""});
}

TEST(MergeName, TakesTheLowestTtl) {
  const auto merged = mergeName({says(Origin::generated, rrtype::A, {"192.0.2.1"}, 0, 300),
                                 says(Origin::written, rrtype::A, {"192.0.2.2"}, 0, 60)});
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged.front().ttl.seconds(), 60U);
}

TEST(Standing, KeepsTtlsAndAliasesForTheCheck) {
  const auto left = standing({says(Origin::generated, rrtype::TXT, {"\"v=spf1 ~all\"", "\"x\""}, 0, 300),
                              says(Origin::written, rrtype::TXT, {"\"v=spf1 -all\""}, 0, 60),
                              says(Origin::written, rrtype::CNAME, {"x."})});
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].contents, std::vector<std::string>{"\"x\""}) << "our SPF is superseded";
  EXPECT_EQ(left[0].ttl.seconds(), 300U);
  EXPECT_EQ(left[1].ttl.seconds(), 60U);
  EXPECT_EQ(left[2].type, rrtype::CNAME);
}

TEST(Judge, TellsWhyARecordDoesNotStand) {
  const std::vector<Claim> claims = {{Origin::generated, 0, rrtype::MX, "10 a."},
                                     {Origin::written, 0, rrtype::MX, "5 b."},
                                     {Origin::departed, 4, rrtype::TXT, "\"old\""},
                                     {Origin::departed, 5, rrtype::TXT, "\"young\""},
                                     {Origin::written, 0, rrtype::CNAME, "x."}};
  EXPECT_EQ(judge(name("t1.shop.example"), claims),
            (std::vector<Fate>{Fate::superseded, Fate::stands, Fate::superseded, Fate::stands, Fate::alias}));
  EXPECT_TRUE(judge(name("t1.shop.example"), {}).empty());
}

}  // namespace
}  // namespace mailzone::zonegen
