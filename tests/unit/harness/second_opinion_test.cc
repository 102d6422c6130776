#include "harness/second_opinion.h"

#include <gtest/gtest.h>

#include <functional>

namespace mailzone::harness {
namespace {

TEST(SecondOpinion, DiffersWhereAnyOfTheProgramsSaysOtherwise) {
  Verdict verdict;
  verdict.spf = "pass";
  verdict.signatures = {{"pass", "t1.shop.example", "mz1", ""}, {"permerror", "sig.shop.example", "mz1", "no key"}};
  verdict.dmarc = "pass";
  const SecondOpinion same{"pass", verdict.signatures, verdict.signatures, "pass"};
  EXPECT_TRUE(differences(verdict, same).empty());

  struct Row {
    const char* why;
    std::function<void(SecondOpinion&)> change;
    std::size_t differences;
  };
  const std::vector<Row> rows = {
      {"SPF", [](SecondOpinion& o) { o.spf = "softfail"; }, 1},
      {"DMARC", [](SecondOpinion& o) { o.dmarc = "fail"; }, 1},
      {"a signature for dkimpy", [](SecondOpinion& o) { o.signatures[0].result = "fail"; }, 1},
      {"a signature for opendkim", [](SecondOpinion& o) { o.opendkim[0].result = "fail"; }, 1},
      {"another way of not passing", [](SecondOpinion& o) { o.opendkim[1].result = "fail"; }, 0},
      {"not passing is not temporary", [](SecondOpinion& o) { o.opendkim[1].result = "temperror"; }, 1},
      {"not passing is not passing", [](SecondOpinion& o) { o.signatures[1].result = "pass"; }, 1},
      {"another domain", [](SecondOpinion& o) { o.signatures[0].domain = "t2.shop.example"; }, 1},
      {"another selector", [](SecondOpinion& o) { o.opendkim[0].selector = "mz2"; }, 1},
      {"a signature less", [](SecondOpinion& o) { o.signatures.pop_back(); }, 1},
      {"all at once",
       [](SecondOpinion& o) {
         o = {"none", {}, {}, "none"};
       },
       4},
  };
  for (const Row& row : rows) {
    SecondOpinion opinion = same;
    row.change(opinion);
    EXPECT_EQ(differences(verdict, opinion).size(), row.differences) << row.why;
  }
}

TEST(SecondOpinion, KnowsTheWordsThatOnlyWeHave) {
  Verdict verdict;
  verdict.spf = "none";
  verdict.signatures = {{"policy", "t1.shop.example", "mz1", "the key is in testing mode"}};
  verdict.dmarc = "permerror";
  const std::vector<SignatureVerdict> theirs = {{"pass", "t1.shop.example", "mz1", ""}};
  EXPECT_TRUE(differences(verdict, {"none", theirs, theirs, "none"}).empty());
}

}  // namespace
}  // namespace mailzone::harness
