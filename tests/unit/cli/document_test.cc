#include "cli/document.h"

#include <gtest/gtest.h>

namespace mailzone::cli {
namespace {

TEST(Document, PrintsMembersInTheOrderTheyWereSet) {
  const Document document = Document::object()
                                .set("schema", "mailzone/x/1")
                                .set("n", 7)
                                .set("yes", true)
                                .set("nothing", Document::orNull(""))
                                .set("list", std::vector<std::string>{"b", "a"})
                                .set("n", 8);
  EXPECT_EQ(document.jsonLine(), R"({"schema":"mailzone/x/1","n":8,"yes":true,"nothing":null,"list":["b","a"]})");
}

TEST(Document, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(Document(std::string("a\xff"
                                 "b"))
                .jsonLine(),
            "\"a\xef\xbf\xbd"
            "b\"");
}

TEST(Document, ReadsWhatItPrints) {
  const std::string text = R"({"a":[1,-2,"x",null,true,{"b":[]}],"c":{}})";
  EXPECT_EQ(Document::parse(text, 1000).value().jsonLine(), text);
}

TEST(Document, RefusesWhatIsNotJsonOrOverALimit) {
  struct Row {
    const char* why;
    std::string text;
    Errc code;
  };
  const Row rows[] = {{"empty", "", Errc::invalidInput},
                      {"cut off", "{\"a\":", Errc::invalidInput},
                      {"two documents", "{} {}", Errc::invalidInput},
                      {"fraction", "{\"a\":1.5}", Errc::invalidInput},
                      {"above 64 bits", "{\"a\":9223372036854775808}", Errc::invalidInput},
                      {"over the octets", "\"" + std::string(1000, 'x') + "\"", Errc::limitExceeded},
                      {"65 levels", std::string(66, '[') + std::string(66, ']'), Errc::limitExceeded}};
  for (const Row& row : rows) {
    const auto document = Document::parse(row.text, 1000);
    ASSERT_FALSE(document.has_value()) << row.why;
    EXPECT_EQ(document.error().code, row.code) << row.why;
  }
  EXPECT_TRUE(Document::parse(std::string(60, '[') + std::string(60, ']'), 1000).has_value());
}

TEST(Document, CellsAreForPeople) {
  EXPECT_EQ(Document().cell(), "-");
  EXPECT_EQ(Document(true).cell(), "yes");
  EXPECT_EQ(Document(std::vector<std::string>{"a", "b"}).cell(), "a b");
}

}  // namespace
}  // namespace mailzone::cli
