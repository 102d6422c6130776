#include "harness/message_builder.h"

#include <gtest/gtest.h>

namespace mailzone::harness {
namespace {

constexpr TimePoint kNow{std::chrono::microseconds{1'795'601'303'000'000}};

MessagePlan plan(const char* stream) {
  MessagePlan plan;
  plan.stream = stream;
  plan.from = "orders@t1.shop.example";
  plan.fromName = "Shop \"One\"";
  plan.to = "b@receiver.example";
  plan.messageId = "<1@t1.shop.example>";
  return plan;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(MessageBuilder, MakesAWholeMailForEachStream) {
  for (const char* stream : {"webapp", "mailbox", "marketing"}) {
    const auto message = buildMessage(plan(stream), kNow);
    ASSERT_TRUE(message) << stream;
    EXPECT_TRUE(holds(*message, "Date: Wed, 25 Nov 2026 10:08:23 +0000\r\n")) << *message;
    EXPECT_TRUE(holds(*message, "From: \"Shop \\\"One\\\"\" <orders@t1.shop.example>\r\n")) << *message;
    EXPECT_TRUE(holds(*message, "\r\nMessage-ID: <1@t1.shop.example>\r\n")) << *message;
    EXPECT_EQ(message->substr(message->size() - 2), "\r\n");
    for (std::size_t i = 0; i < message->size(); ++i) {
      EXPECT_TRUE((*message)[i] != '\n' || (*message)[i - 1] == '\r') << stream;
    }
    const bool marketing = std::string_view(stream) == "marketing";
    EXPECT_EQ(holds(*message, "List-Unsubscribe: <https://"), marketing) << stream;
    EXPECT_EQ(holds(*message, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), marketing) << stream;
  }
}

TEST(MessageBuilder, MakesDeliberateFaults) {
  MessagePlan faulty = plan("webapp");
  faulty.messageId = "";
  faulty.withoutHeaders = {"DATE"};
  faulty.extraHeaders = {{"From", "second@t2.shop.example"}};
  const auto message = buildMessage(faulty, kNow);
  ASSERT_TRUE(message);
  EXPECT_FALSE(holds(*message, "Message-ID:"));
  EXPECT_FALSE(holds(*message, "Date:"));
  EXPECT_TRUE(holds(*message, "\r\nFrom: second@t2.shop.example\r\n"));
}

TEST(MessageBuilder, RefusesWhatWouldMakeAnotherHeader) {
  for (const std::string& bad :
       {std::string("x\r\nBcc: y"), std::string("x\ny"), std::string("x\ry"), std::string("x\0y", 3)}) {
    MessagePlan evil = plan("webapp");
    evil.subject = bad;
    EXPECT_EQ(buildMessage(evil, kNow).error().code, Errc::invalidInput);
  }
  MessagePlan longer = plan("webapp");
  longer.subject = std::string(990, 'x');
  EXPECT_EQ(buildMessage(longer, kNow).error().code, Errc::limitExceeded);
  EXPECT_EQ(buildMessage(plan("smoke"), kNow).error().value, "smoke");
}

TEST(MessageBuilder, NeverMakesTheSameMessageIdTwice) {
  const std::string id = newMessageId("webapp", "t1.shop.example");
  EXPECT_EQ(id.rfind("<webapp.", 0), 0U);
  EXPECT_NE(id, newMessageId("webapp", "t1.shop.example"));
}

}  // namespace
}  // namespace mailzone::harness
