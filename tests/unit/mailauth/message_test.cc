#include "mailauth/message.h"

#include <gtest/gtest.h>

namespace mailzone::mailauth {
namespace {

TEST(SplitMessage, KeepsEveryOctet) {
  const std::string text = "From: a@b.example\r\nSubject :  x\r\n\ty\r\nX-Empty:\r\n\r\nbody\r\n\r\n";
  const auto message = splitMessage(text);
  ASSERT_TRUE(message);
  ASSERT_EQ(message->fields.size(), 3U);
  EXPECT_EQ(message->fields[1].raw, "Subject :  x\r\n\ty\r\n");
  EXPECT_EQ(message->fields[1].name, "Subject");
  EXPECT_EQ(message->fields[1].value, "  x\r\n\ty");
  EXPECT_EQ(message->fields[2].value, "");
  EXPECT_EQ(message->body, "body\r\n\r\n");
  EXPECT_EQ(message->named("subject").size(), 1U);
}

TEST(SplitMessage, TakesMessagesWithoutBodyOrHeader) {
  EXPECT_EQ(splitMessage("From: a@b.example\r\n")->fields.size(), 1U);
  EXPECT_EQ(splitMessage("")->fields.size(), 0U);
  EXPECT_EQ(splitMessage("\r\nbody")->body, "body");
}

TEST(SplitMessage, RefusesWhatCanBeReadInTwoWays) {
  using namespace std::string_view_literals;
  for (const auto text : {"From: a@b.example\nTo: c\r\n\r\n"sv, "From: a@b.example\rTo: c\r\n\r\n"sv,
                          "From: a\0b\r\n\r\n"sv, " From: a@b.example\r\n\r\n"sv, "no colon\r\n\r\n"sv,
                          "Fr om: a@b.example\r\n\r\n"sv, ": empty name\r\n\r\n"sv, "From: cut"sv, "From: cut\r"sv,
                          "From\xc3\xa4: x\r\n\r\n"sv, "From: a@b.example\r\r\n\r\n"sv, "A: b\r\n\n\r\n"sv}) {
    EXPECT_FALSE(splitMessage(text)) << text;
  }
  EXPECT_TRUE(splitMessage("From: a@b.example\r\n\r\nbare\nLF \r and \0 in the body"sv))
      << "the body may hold anything";
}

TEST(SplitMessage, HasLimits) {
  MessageLimits limits;
  limits.headerBytes = 30;
  limits.fields = 2;
  EXPECT_TRUE(splitMessage("A: 1\r\nB: 2\r\n\r\n" + std::string(1000, 'x'), limits));
  EXPECT_EQ(splitMessage("A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits).error().code, Errc::limitExceeded);
  EXPECT_EQ(splitMessage("A: 1\r\nB: " + std::string(30, 'x') + "\r\n\r\n", limits).error().code, Errc::limitExceeded);
}

struct AuthorRow {
  const char* why;
  const char* from;
  const char* author;  // "local|domain", or "" when it is refused
};

TEST(SoleAuthor, ReadsOneMailboxOrRefuses) {
  const AuthorRow rows[] = {
      {"bare", "a@b.example", "a|b.example."},
      {"with a name", "Shop One <a@b.example>", "a|b.example."},
      {"a quoted name with another address in it", "\"ceo@victim.example\" <a@b.example>", "a|b.example."},
      {"an escaped quote in the name", "\"x\\\" <v@victim.example>\" <a@b.example>", "a|b.example."},
      {"a name with dots", "J. R. Hacker <a@b.example>", "a|b.example."},
      {"an encoded word", "=?utf-8?q?Caf=C3=A9?= <a@b.example>", "a|b.example."},
      {"comments everywhere", "(x) a (y) @ (z) b . example (w)", "a|b.example."},
      {"a nested comment with an address", "(evil (v@victim.example)) a@b.example", "a|b.example."},
      {"a quoted local part", "\"a b\"@b.example", "a b|b.example."},
      {"mixed case", "A@B.Example", "A|b.example."},
      {"folded", "Shop\r\n <a@b.example>", "a|b.example."},
      {"a U-label",
       "a@b\xc3\xbc"
       "cher.example",
       "a|xn--bcher-kva.example."},
      {"empty elements of a list (obsolete)", ", a@b.example,", "a|b.example."},
      {"two authors", "a@b.example, c@d.example", ""},
      {"two addresses without a comma", "a@b.example c@d.example", ""},
      {"two angle addresses", "<a@b.example> <c@d.example>", ""},
      {"an address behind the angle address", "<a@b.example> c@d.example", ""},
      {"an address before it", "v@victim.example <a@b.example>", ""},
      {"a group", "friends: a@b.example;", ""},
      {"an empty group", "undisclosed:;", ""},
      {"a source route", "<@relay.example:a@b.example>", ""},
      {"an address literal", "a@[192.0.2.1]", ""},
      {"no domain", "a", ""},
      {"an empty domain", "a@", ""},
      {"an empty local part", "@b.example", ""},
      {"two @", "a@b@c.example", ""},
      {"a single label", "a@localhost", ""},
      {"an empty label", "a@b..example", ""},
      {"a final dot", "a@b.example.", ""},
      {"a dot at the start of the local part", ".a@b.example", ""},
      {"two dots in the local part", "a..b@c.example", ""},
      {"an open quote", "\"a@b.example", ""},
      {"an open comment", "a@b.example (", ""},
      {"an open bracket", "<a@b.example", ""},
      {"the null sender", "<>", ""},
      {"nothing", "", ""},
      {"a label of 64 octets", "a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", ""},
  };
  for (const auto& row : rows) {
    const std::string text = std::string("From: ") + row.from + "\r\n\r\n";
    const auto message = splitMessage(text);
    ASSERT_TRUE(message) << row.why;
    const auto author = soleAuthor(*message);
    EXPECT_EQ(author ? author->local + '|' + author->domain.text() : "", row.author) << row.why;
  }
}

TEST(SoleAuthor, WantsExactlyOneField) {
  for (const std::string text : {"To: a@b.example\r\n\r\n", "From: a@b.example\r\nfrom : a@b.example\r\n\r\n"}) {
    EXPECT_FALSE(soleAuthor(*splitMessage(text))) << text;
  }
}

TEST(MailboxList, HasLimits) {
  std::string many = "a@b.example";
  for (int i = 0; i < 99; ++i) many += ",a@b.example";
  EXPECT_EQ(parseMailboxList(many)->size(), 100U);
  EXPECT_EQ(parseMailboxList(many + ",a@b.example").error().code, Errc::limitExceeded);
  EXPECT_EQ(parseMailboxList(std::string(70000, ' ') + "a@b.example").error().code, Errc::limitExceeded);
  const std::string deep = std::string(21, '(') + std::string(21, ')') + "a@b.example";
  EXPECT_FALSE(parseMailboxList(deep));
}

TEST(WithCrlf, LeavesWhatIsRight) {
  EXPECT_EQ(withCrlf("a\nb\r\nc\rd\n"), "a\r\nb\r\nc\rd\r\n");
}

}  // namespace
}  // namespace mailzone::mailauth
