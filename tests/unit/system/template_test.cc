#include "system/template.h"

#include <gtest/gtest.h>

namespace mailzone {
namespace {

TEST(Template, ReplacesEachPlaceholderOnceAndLeavesTheRest) {
  const struct {
    const char* why;
    std::string text;
    std::string filled;
  } rows[] = {
      {"plain text stays", "a = b\n", "a = b\n"},
      {"one placeholder", "host = @HOST@\n", "host = mx1.shop.example\n"},
      {"two, side by side", "@HOST@@PORT_1@", "mx1.shop.example25"},
      {"an address is no placeholder", "x@t1.shop.example y@Z", "x@t1.shop.example y@Z"},
      {"lower case is no placeholder", "@host@", "@host@"},
      {"a regexp of Postfix", "regexp:{{/@.*[^ -~]/ REJECT}}", "regexp:{{/@.*[^ -~]/ REJECT}}"},
      {"a value is not looked at again", "@SELF@", "@HOST@"},
      {"an @ at the end", "user@", "user@"},
      {"@@ before a name", "@@HOST@", "@mx1.shop.example"},
  };
  const TemplateValues values = {{"HOST", "mx1.shop.example"}, {"PORT_1", "25"}, {"SELF", "@HOST@"}, {"UNUSED", ""}};
  for (const auto& row : rows) {
    const auto filled = fillTemplate(row.text, values);
    ASSERT_TRUE(filled.has_value()) << row.why;
    EXPECT_EQ(*filled, row.filled) << row.why;
  }
}

TEST(Template, NamesAPlaceholderThatHasNoValue) {
  const auto filled = fillTemplate("a = @A@\nb = @MISSING@\n", {{"A", "1"}});
  ASSERT_FALSE(filled.has_value());
  EXPECT_EQ(filled.error().code, Errc::notFound);
  EXPECT_EQ(filled.error().value, "@MISSING@");
}

TEST(Template, RefusesAValueThatWouldAddALine) {
  for (const auto& value : {std::string("x\nsmtpd_milters ="), std::string("x\r"), std::string("x\0y", 3)}) {
    const auto filled = fillTemplate("a = @A@\n", {{"A", value}});
    ASSERT_FALSE(filled.has_value());
    EXPECT_EQ(filled.error().code, Errc::invalidInput);
  }
}

TEST(Template, ListsThePlaceholdersOfAText) {
  EXPECT_EQ(placeholdersOf("@B@ x@y.example @A@ @B@ @lower@"), (std::vector<std::string>{"A", "B"}));
}

}  // namespace
}  // namespace mailzone
