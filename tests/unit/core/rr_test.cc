#include "core/rr.h"

#include <gtest/gtest.h>

#include "core/model.h"
#include "core/secret.h"

namespace mailzone {
namespace {

TEST(TxtContent, SplitsAt255OctetsAndJoinsWithoutBlanks) {
  const std::string key(600, 'k');
  const auto content = txtContent(key);
  EXPECT_EQ(content,
            '"' + std::string(255, 'k') + "\" \"" + std::string(255, 'k') + "\" \"" + std::string(90, 'k') + '"');
  EXPECT_EQ(*txtText(content), key);
}

TEST(TxtContent, EscapesAndReadsBackEveryOctet) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(*txtText(txtContent(all)), all);
  EXPECT_EQ(txtContent(""), "\"\"");
  for (const auto* bad : {"", "\"a", "\\", "\"\\999\""}) EXPECT_FALSE(txtText(bad)) << bad;
}

TEST(RecordType, PrintsWhatItReads) {
  for (const auto* text : {"A", "TXT", "CAA", "TYPE65534", "ANY"}) EXPECT_EQ(RecordType::parse(text)->text(), text);
  EXPECT_EQ(RecordType::parse("type16")->text(), "TXT");
  for (const auto* bad : {"", "TXTT", "TYPE", "TYPE65536", "TYPE1x"}) EXPECT_FALSE(RecordType::parse(bad)) << bad;
}

TEST(Ttl, IsBounded) {
  EXPECT_EQ(Ttl::of(2147483647)->seconds(), 2147483647U);
  EXPECT_FALSE(Ttl::of(-1));
  EXPECT_FALSE(Ttl::of(2147483648));
}

TEST(Words, ReadBackAndNameTheChoices) {
  EXPECT_EQ(*parseWord<DomainKind>("delegated"), DomainKind::delegated);
  const auto bad = parseWord<DomainState>("verifed");
  ASSERT_FALSE(bad);
  EXPECT_EQ(describe(bad.error()),
            "\"verifed\": not one of the words of this column; write one of unverified, verified, degraded");
}

TEST(Secret, WipesWhatItTookOver) {
  std::string source = "not a real key";
  Secret secret(std::move(source));
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): that it is wiped is the point
  Secret moved = std::move(secret);
  EXPECT_EQ(moved.reveal(), "not a real key");
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move)
}

}  // namespace
}  // namespace mailzone
