#include "harness/verdict.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace mailzone::harness {
namespace {

Verdict goodVerdict() {
  Verdict verdict;
  verdict.scenario = "streams";
  verdict.stream = "webapp";
  verdict.from = "orders@t1.shop.example";
  verdict.envelopeFrom = "bounce@t1.shop.example";
  verdict.spf = "pass";
  verdict.dkim = "pass";
  verdict.dkimDomain = "t1.shop.example";
  verdict.selector = "mz1";
  verdict.signatures = {{"pass", "t1.shop.example", "mz1", ""}, {"pass", "sig.shop.example", "mz1", ""}};
  verdict.dmarc = "pass";
  verdict.alignment = "both";
  verdict.ptr = "pass";
  verdict.tls = "TLSv1.3";
  verdict.folder = "inbox";
  verdict.reply = "250 2.0.0 OK - gmail profile";
  verdict.messageId = "<webapp.1@t1.shop.example>";
  verdict.queueId = "4XyZ1";
  verdict.expected = {{"spf", "pass"}, {"dkim", "pass"}, {"dmarc", "pass"}, {"reply", "250"}};
  return verdict;
}

Verdict refusedVerdict() {
  Verdict verdict = goodVerdict();
  verdict.stream = "marketing";
  verdict.dkim = "fail";
  verdict.signatures = {{"fail", "t1.shop.example", "mz1", "the body hash differs"}};
  verdict.dmarc = "fail";
  verdict.alignment = "none";
  verdict.folder = "";
  verdict.reply = "550 5.7.30 Bulk senders must pass DKIM. DKIM = did not pass - gmail profile";
  verdict.expected = {{"dkim", "pass"}, {"reply", "550 5.7.30"}};
  verdict.findings = {"queue id 4XyZ1 stands in no log of this run"};
  return verdict;
}

TEST(Verdict, ComparesEachFieldThatIsExpected) {
  for (const std::string_view field : verdictFields()) {
    Verdict verdict = goodVerdict();
    verdict.expected = {{std::string(field), "something else"}};
    ASSERT_TRUE(checkExpected(verdict.expected)) << field;
    const auto found = mismatches(verdict);
    ASSERT_EQ(found.size(), 1U) << field;
    EXPECT_EQ(found[0].rfind(std::string(field) + ": expected \"something else\", got \"", 0), 0U) << found[0];
  }
}

TEST(Verdict, FulfilsWhatIsExpectedByTheRuleOfTheField) {
  struct Row {
    const char* why;
    std::string field;
    std::string expected;
    bool ok;
  };
  const std::vector<Row> rows = {
      {"the same", "from", "orders@t1.shop.example", true},
      {"another case", "from", "Orders@t1.shop.example", false},
      {"a beginning is not enough", "from", "orders@t1", false},
      {"a star for a run", "envelope_from", "*@t1.*.example", true},
      {"a star for nothing", "envelope_from", "bounce@t1.shop.example*", true},
      {"a star that does not reach", "envelope_from", "*@t2.*", false},
      {"empty is compared too", "folder", "", false},
      {"the reply's code", "reply", "250", true},
      {"code and enhanced code", "reply", "250 2.0.0", true},
      {"the whole reply", "reply", "250 2.0.0 OK - gmail profile", true},
      {"half a word of the reply", "reply", "250 2.0", false},
      {"an empty reply", "reply", "", false},
      {"no such field", "spff", "pass", false},
  };
  for (const Row& row : rows) {
    Verdict verdict = goodVerdict();
    verdict.expected = {{row.field, row.expected}};
    EXPECT_EQ(isOk(verdict), row.ok) << row.why;
  }
}

TEST(Verdict, IsNotOkWithoutExpectationsOrWithAFinding) {
  Verdict verdict = goodVerdict();
  EXPECT_TRUE(isOk(verdict));
  verdict.findings = {"spf: the receiver says pass, python3-spf says fail"};
  EXPECT_FALSE(isOk(verdict));
  verdict.findings.clear();
  verdict.expected.clear();
  EXPECT_FALSE(isOk(verdict));
}

TEST(Verdict, RefusesToExpectAFieldThatNoVerdictHas) {
  const auto checked = checkExpected({{"spf", "pass"}, {"spff", "pass"}});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().value, "spff");
}

TEST(Verdict, TopIsOkOnlyIfThereAreRowsAndAllAreOk) {
  const auto ok = [](const std::vector<Verdict>& verdicts) {
    return nlohmann::json::parse(verdictsJson(verdicts)).at("ok").get<bool>();
  };
  EXPECT_FALSE(ok({})) << "a run that judged nothing proved nothing";
  EXPECT_TRUE(ok({goodVerdict()}));
  EXPECT_FALSE(ok({goodVerdict(), refusedVerdict()}));
}

TEST(Verdict, WritesJsonWhateverAPeerWrote) {
  Verdict verdict = goodVerdict();
  verdict.from = "\xff\xfe\"\n@t1.shop.example";
  const std::string line = verdictJson(verdict);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

/// UPDATE_GOLDEN=1 rewrites the files; the difference is then reviewed.
void expectGolden(const std::string& name, const std::string& actual) {
  const std::string path = MAILZONE_SOURCE_DIR "/tests/unit/harness/golden/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  std::ostringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(actual, expected.str()) << path;
}

TEST(Verdict, PrintsTheDocumentAsTheGoldenFileHasIt) {
  const std::vector<Verdict> verdicts{goodVerdict(), refusedVerdict()};
  expectGolden("verdicts.json", nlohmann::ordered_json::parse(verdictsJson(verdicts)).dump(2) + '\n');
}

TEST(Verdict, PrintsTheTableAsTheGoldenFileHasIt) {
  Verdict odd = goodVerdict();
  odd.from = "\xc3\xa4\x1b[31m@t1.shop.example";  // a terminal must not obey it
  odd.folder = "spam";
  const std::vector<Verdict> verdicts{goodVerdict(), refusedVerdict(), odd};
  expectGolden("verdicts.txt", verdictTable(verdicts));
}

}  // namespace
}  // namespace mailzone::harness
