#include "mailauth/tag_list.h"

#include <gtest/gtest.h>

#include "mailauth/text.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {
namespace {

TEST(TagList, KeepsOrderAndFolding) {
  const auto list = TagList::parse("v=1; a = x\r\n y ;empty=; Case=A=b=;");
  ASSERT_TRUE(list) << describe(list.error());
  const std::vector<Tag> expected = {{"v", "1"}, {"a", "x\r\n y"}, {"empty", ""}, {"Case", "A=b="}};
  EXPECT_EQ(list->tags(), expected);
  EXPECT_EQ(list->find("empty"), "");
  EXPECT_FALSE(list->find("case")) << "names are case-sensitive";
}

TEST(TagList, RefusesWhatRfc6376Section32DoesNotAllow) {
  for (const auto* bad : {"", ";", "a", "a=1;;b=2", "=1", "1a=1", "a b=1", "a=1; a=2", "a=\x01", "a=\x7f", "a=1;;"}) {
    EXPECT_FALSE(TagList::parse(bad)) << escapeForDisplay(bad);
  }
}

TEST(TagList, HasLimits) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a" + std::to_string(i) + "=1;";
  EXPECT_TRUE(TagList::parse(many));
  EXPECT_EQ(TagList::parse(many + "b=1").error().code, Errc::limitExceeded);
  EXPECT_TRUE(TagList::parse("a=" + std::string(65534, 'x')));
  EXPECT_EQ(TagList::parse("a=" + std::string(65535, 'x')).error().code, Errc::limitExceeded);
}

TEST(Base64, ReadsBackEveryLength) {
  std::string octets;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(*decodeBase64(encodeBase64(octets)), octets) << i;
    octets += static_cast<char>(i * 7);
  }
  EXPECT_EQ(encodeBase64("foob"), "Zm9vYg==");  // RFC 4648 section 10
  for (const auto* bad : {"Zg", "Zg=", "Z===", "====", "Zm9v Zm9v", "Zm9=Zm9v", "Zm-v", "Zm9vYg==Zm9v"}) {
    EXPECT_FALSE(decodeBase64(bad)) << bad;
  }
}

TEST(NameFromRaw, TakesEveryOctetForItself) {
  EXPECT_EQ(nameFromRaw("a\\.b.example")->labels(), (std::vector<std::string>{"a\\", "b", "example"}));
  EXPECT_EQ(rawText(*nameFromRaw("a b.example.")), "a b.example");
  for (const auto& bad : {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string(64, 'a'),
                          std::string(254, 'a'), "a." + std::string(300, '.')}) {
    EXPECT_FALSE(nameFromRaw(bad)) << bad;
  }
  const std::string label = std::string(63, 'a') + '.';
  EXPECT_TRUE(nameFromRaw(label + label + label + std::string(61, 'a')));
  EXPECT_FALSE(nameFromRaw(label + label + label + std::string(62, 'a')));
}

TEST(Verdict, WordsReadBack) {
  for (const auto verdict : {Verdict::none, Verdict::neutral, Verdict::pass, Verdict::fail, Verdict::softfail,
                             Verdict::temperror, Verdict::permerror, Verdict::policy}) {
    EXPECT_EQ(verdictFromWord(word(verdict)), verdict);
  }
  EXPECT_FALSE(verdictFromWord("hardfail"));
}

}  // namespace
}  // namespace mailzone::mailauth
