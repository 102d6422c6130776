#include "harness/smtp_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mailzone::harness {
namespace {

SmtpSession newSession(const SmtpLimits& limits = {}) {
  return SmtpSession("mx.receiver.example", limits, true, {"receiver.example"});
}

/// "250-a\r\n250 b\r\n354 c\r\n" -> "250 354": one code per reply.
std::string codes(std::string_view replies) {
  std::string out;
  while (!replies.empty()) {
    const std::size_t end = replies.find("\r\n");
    const std::string_view line = replies.substr(0, end);
    if (line.size() < 4 || line[3] != '-') out += (out.empty() ? "" : " ") + std::string(line.substr(0, 3));
    if (end == std::string_view::npos) break;
    replies.remove_prefix(end + 2);
  }
  return out;
}

/// Feeds everything, answers each message with 250, and notes what was seen.
struct Dialogue {
  explicit Dialogue(const SmtpLimits& limits = {}) : session(newSession(limits)) {}

  void feed(std::string_view bytes) {
    SmtpStep step = session.feed(bytes);
    while (true) {
      replies += step.reply;
      last = step.action;
      if (step.action == SmtpAction::judge) {
        messages.push_back(session.message());
        envelopes.push_back(session.envelope());
        step = session.answer("250 2.0.0 judged\r\n");
      } else if (step.action == SmtpAction::startTls) {
        session.tlsStarted();
        return;
      } else {
        return;
      }
    }
  }

  SmtpSession session;
  std::string replies;
  SmtpAction last = SmtpAction::read;
  std::vector<std::string> messages;
  std::vector<SmtpEnvelope> envelopes;
};

constexpr std::string_view kUpToData =
    "EHLO client.example\r\nMAIL FROM:<a@t1.shop.example>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\n";

TEST(SmtpSession, AnswersEachCommandAsRfc5321Says) {
  struct Row {
    const char* why;
    std::string input;
    std::string codes;
  };
  const std::string hello = "EHLO client.example\r\n";
  const std::string mail = hello + "MAIL FROM:<a@t1.shop.example>\r\n";
  const std::string rcpt = mail + "RCPT TO:<b@receiver.example>\r\n";
  const std::vector<Row> rows = {
      {"a greeting", hello, "250"},
      {"HELO", "HELO client.example\r\n", "250"},
      {"commands in any case", "ehlo client.example\r\nmail from:<a@b.example>\r\nrcpt to:<b@receiver.example>\r\n",
       "250 250 250"},
      {"an address literal", "EHLO [192.0.2.25]\r\n", "250"},
      {"EHLO without argument", "EHLO\r\n", "501"},
      {"EHLO with two arguments", "EHLO a b\r\n", "501"},
      {"EHLO with a name over 255 octets", "EHLO " + std::string(256, 'a') + "\r\n", "501"},
      {"MAIL before EHLO", "MAIL FROM:<a@b.example>\r\n", "503"},
      {"a null sender", hello + "MAIL FROM:<>\r\n", "250 250"},
      {"a blank before the path", hello + "MAIL FROM: <a@b.example>\r\n", "250 250"},
      {"a sender without brackets", hello + "MAIL FROM:a@b.example\r\n", "250 501"},
      {"a sender without domain", hello + "MAIL FROM:<a>\r\n", "250 553"},
      {"a sender with an empty domain", hello + "MAIL FROM:<a@>\r\n", "250 553"},
      {"a local part of 65 octets", hello + "MAIL FROM:<" + std::string(65, 'a') + "@b.example>\r\n", "250 553"},
      {"a source route", hello + "MAIL FROM:<@c.example:a@b.example>\r\n", "250 553"},
      {"a blank in the path", hello + "MAIL FROM:<a @b.example>\r\n", "250 501"},
      {"a quoted local part with >", hello + "MAIL FROM:<\"a>b\"@b.example>\r\n", "250 250"},
      {"something glued to the path", hello + "MAIL FROM:<a@b.example>x\r\n", "250 501"},
      {"MAIL twice", mail + "MAIL FROM:<c@d.example>\r\n", "250 250 503"},
      {"MAIL after RSET", mail + "RSET\r\nMAIL FROM:<c@d.example>\r\n", "250 250 250 250"},
      {"parameters that we offered", hello + "MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8\r\n", "250 250"},
      {"a size over the limit", hello + "MAIL FROM:<a@b.example> SIZE=26214401\r\n", "250 552"},
      {"a size over any number", hello + "MAIL FROM:<a@b.example> SIZE=99999999999999999999999\r\n", "250 552"},
      {"a size that is none", hello + "MAIL FROM:<a@b.example> SIZE=1x\r\n", "250 501"},
      {"BODY=BINARYMIME was not offered", hello + "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "250 501"},
      {"an unknown parameter", hello + "MAIL FROM:<a@b.example> AUTH=<>\r\n", "250 555"},
      {"a non-ASCII sender without SMTPUTF8", hello + "MAIL FROM:<\xc3\xa4@b.example>\r\n", "250 553"},
      {"a non-ASCII sender with it", hello + "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n", "250 250"},
      {"RCPT before MAIL", hello + "RCPT TO:<b@receiver.example>\r\n", "250 503"},
      {"a recipient elsewhere", mail + "RCPT TO:<b@other.example>\r\n", "250 250 550"},
      {"a recipient in other case", mail + "RCPT TO:<b@Receiver.EXAMPLE>\r\n", "250 250 250"},
      {"an empty recipient", mail + "RCPT TO:<>\r\n", "250 250 553"},
      {"a parameter of RCPT", mail + "RCPT TO:<b@receiver.example> NOTIFY=NEVER\r\n", "250 250 555"},
      {"DATA before RCPT", mail + "DATA\r\n", "250 250 503"},
      {"DATA with argument", rcpt + "DATA now\r\n", "250 250 250 501"},
      {"a whole mail, pipelined", rcpt + "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221"},
      {"a second mail", rcpt + "DATA\r\nx\r\n.\r\nMAIL FROM:<c@d.example>\r\n", "250 250 250 354 250 250"},
      {"recipients do not outlive their mail", rcpt + "DATA\r\nx\r\n.\r\nMAIL FROM:<c@d.example>\r\nDATA\r\n",
       "250 250 250 354 250 250 503"},
      {"EHLO begins anew", rcpt + hello + "DATA\r\n", "250 250 250 250 503"},
      {"NOOP, VRFY", "NOOP\r\nVRFY b\r\n", "250 252"},
      {"what we have not", "AUTH PLAIN\r\nBDAT 1\r\nEXPN x\r\nHELP\r\n", "502 502 502 502"},
      {"what nobody has", "XYZZY\r\n\r\n", "500 500"},
      {"a NUL in a command", std::string("NOOP\0\r\n", 7), "500"},
      {"QUIT", "QUIT\r\nNOOP\r\n", "221"},
      {"STARTTLS with argument", "STARTTLS now\r\n", "501"},
  };
  for (const Row& row : rows) {
    Dialogue whole;
    whole.feed(row.input);
    EXPECT_EQ(codes(whole.replies), row.codes) << row.why;
    Dialogue octets;
    for (const char c : row.input) octets.feed(std::string_view(&c, 1));
    EXPECT_EQ(octets.replies, whole.replies) << row.why << ", octet by octet";
  }
}

TEST(SmtpSession, HandsOverTheMessageWithoutTheStuffedDots) {
  Dialogue dialogue;
  dialogue.feed(kUpToData);
  dialogue.feed("Subject: x\r\n\r\n..\r\n.a\r\n...\r\n \r\n\r\n.\r\n");
  ASSERT_EQ(dialogue.messages.size(), 1U);
  EXPECT_EQ(dialogue.messages[0], "Subject: x\r\n\r\n.\r\na\r\n..\r\n \r\n\r\n");
  EXPECT_EQ(dialogue.envelopes[0].helo, "client.example");
  EXPECT_EQ(dialogue.envelopes[0].mailFrom, "a@t1.shop.example");
  EXPECT_EQ(dialogue.envelopes[0].recipients, std::vector<std::string>{"b@receiver.example"});
}

TEST(SmtpSession, EndsADialogueThatHoldsABareNewline) {
  struct Row {
    const char* why;
    std::string input;
  };
  const std::string data(kUpToData);
  const std::vector<Row> rows = {
      {"a command ended by LF", "EHLO client.example\n"},
      {"a command with a CR inside", "EHLO client\rexample\r\n"},
      {"a CR that no LF follows", "EHLO client.example\rX"},
      {"CR CR LF", "EHLO client.example\r\r\n"},
      {"a text line ended by LF", data + "Subject: x\nFrom: y\r\n.\r\n"},
      {"LF dot LF, as smugglers write it", data + "x\n.\nMAIL FROM:<c@d.example>\r\n"},
      {"LF dot CRLF", data + "x\n.\r\nMAIL FROM:<c@d.example>\r\n"},
      {"CRLF dot LF", data + "x\r\n.\nMAIL FROM:<c@d.example>\r\n"},
      {"CR dot CR", data + "x\r.\rMAIL FROM:<c@d.example>\r\n"},
      {"CRLF dot CR", data + "x\r\n.\r\r\n"},
  };
  for (const Row& row : rows) {
    for (const bool slowly : {false, true}) {
      Dialogue dialogue;
      if (slowly) {
        for (const char c : row.input) dialogue.feed(std::string_view(&c, 1));
      } else {
        dialogue.feed(row.input);
      }
      EXPECT_EQ(dialogue.last, SmtpAction::close) << row.why << (slowly ? ", octet by octet" : "");
      EXPECT_TRUE(dialogue.messages.empty()) << row.why;
      EXPECT_NE(dialogue.replies.find("521 5.5.2"), std::string::npos) << row.why << dialogue.replies;
      const std::string before = dialogue.replies;
      dialogue.feed("NOOP\r\n");
      EXPECT_EQ(dialogue.replies, before) << row.why << ": nothing is answered any more";
    }
  }
}

TEST(SmtpSession, ForgetsEverythingAtStartTls) {
  SmtpSession session = newSession();
  static_cast<void>(session.feed("EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n"));
  // The tail came in clear text: an attacker between client and server wrote it.
  const SmtpStep step = session.feed("STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@b.example>\r\n");
  EXPECT_EQ(step.action, SmtpAction::startTls);
  EXPECT_EQ(codes(step.reply), "220");
  session.tlsStarted();
  EXPECT_EQ(session.feed("").reply, "") << "the clear text behind STARTTLS is answered";
  EXPECT_EQ(codes(session.feed("RCPT TO:<b@receiver.example>\r\n").reply), "503") << "MAIL outlives STARTTLS";
  EXPECT_EQ(codes(session.feed("MAIL FROM:<a@b.example>\r\n").reply), "503") << "EHLO outlives STARTTLS";
  const std::string hello = session.feed("EHLO client.example\r\n").reply;
  EXPECT_EQ(hello.find("STARTTLS"), std::string::npos);
  EXPECT_EQ(codes(session.feed("STARTTLS\r\n").reply), "503");
}

TEST(SmtpSession, OffersStartTlsOnlyWhereItCanDoIt) {
  SmtpSession session("mx.receiver.example", {}, false);
  EXPECT_EQ(session.feed("EHLO client.example\r\n").reply.find("STARTTLS"), std::string::npos);
  EXPECT_EQ(codes(session.feed("STARTTLS\r\n").reply), "502");
}

TEST(SmtpSession, EachLimitBites) {
  struct Row {
    const char* why;
    std::function<void(SmtpLimits&)> limit;
    std::string within;
    std::string over;
    std::string code;
    bool closes;
  };
  const std::string data(kUpToData);
  const std::string hello = "EHLO client.example\r\n";
  const std::string mail = hello + "MAIL FROM:<a@b.example>\r\n";
  const std::string oneMail = "MAIL FROM:<a@b.example>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\nx\r\n.\r\n";
  const std::vector<Row> rows = {
      {"a command line", [](SmtpLimits& l) { l.commandLine = 30; }, "NOOP " + std::string(23, 'x') + "\r\n",
       "NOOP " + std::string(24, 'x') + "\r\n", "500", true},
      {"a command line without end", [](SmtpLimits& l) { l.commandLine = 30; }, std::string(29, 'x'),
       std::string(30, 'x'), "500", true},
      {"a text line", [](SmtpLimits& l) { l.textLine = 50; }, data + std::string(48, 'x') + "\r\n.\r\n",
       data + std::string(49, 'x') + "\r\n.\r\n", "554", false},
      {"the message", [](SmtpLimits& l) { l.message = 50; }, data + std::string(48, 'x') + "\r\n.\r\n",
       data + std::string(40, 'x') + "\r\n" + std::string(7, 'x') + "\r\n.\r\n", "552", false},
      {"the announced size", [](SmtpLimits& l) { l.message = 50; }, hello + "MAIL FROM:<a@b.example> SIZE=50\r\n",
       hello + "MAIL FROM:<a@b.example> SIZE=51\r\n", "552", false},
      {"a message that goes on for ever", [](SmtpLimits& l) { l.message = 50; },
       data + std::string(90, 'x') + "\r\n.\r\n", data + std::string(90, 'x') + "\r\n" + std::string(90, 'x') + "\r\n",
       "421", true},
      {"a line that goes on for ever", [](SmtpLimits& l) { l.message = 50, l.textLine = 20; },
       data + std::string(90, 'x') + "\r\n.\r\n", data + std::string(200, 'x'), "421", true},
      {"the header section", [](SmtpLimits& l) { l.headerSection = 50; },
       data + std::string(48, 'x') + "\r\n\r\nbody\r\n.\r\n",
       data + std::string(40, 'x') + "\r\n" + std::string(40, 'x') + "\r\n\r\nbody\r\n.\r\n", "552", false},
      {"recipients", [](SmtpLimits& l) { l.recipients = 1; }, mail + "RCPT TO:<b@receiver.example>\r\n",
       mail + "RCPT TO:<b@receiver.example>\r\nRCPT TO:<c@receiver.example>\r\n", "452", false},
      {"mails", [](SmtpLimits& l) { l.mails = 1; }, hello + oneMail, hello + oneMail + oneMail, "421", true},
      {"commands", [](SmtpLimits& l) { l.commands = 2; }, "NOOP\r\nNOOP\r\n", "NOOP\r\nNOOP\r\nNOOP\r\n", "421", true},
      {"errors", [](SmtpLimits& l) { l.errors = 2; }, "X\r\nX\r\n", "X\r\nX\r\nX\r\n", "421", true},
  };
  for (const Row& row : rows) {
    SmtpLimits limits;
    row.limit(limits);
    for (const bool slowly : {false, true}) {
      const auto run = [&](const std::string& input) {
        Dialogue dialogue(limits);
        if (!slowly) dialogue.feed(input);
        for (std::size_t i = 0; slowly && i < input.size(); ++i) dialogue.feed(std::string_view(input).substr(i, 1));
        return dialogue;
      };
      const Dialogue within = run(row.within);
      EXPECT_EQ(within.last, SmtpAction::read) << row.why << within.replies;
      EXPECT_EQ(codes(within.replies).find(row.code), std::string::npos) << row.why << within.replies;
      const Dialogue over = run(row.over);
      const std::string seen = codes(over.replies);
      EXPECT_NE(seen.find(row.code), std::string::npos) << row.why << ": " << seen;
      EXPECT_EQ(over.last == SmtpAction::close, row.closes) << row.why << ": " << seen;
    }
  }
}

TEST(SmtpSession, RefusesAnOverlongLineEvenWhenItsTailLooksLikeTheFinalDot) {
  SmtpLimits limits;
  limits.textLine = 20;
  for (const std::size_t split : {22U, 23U, 24U, 40U}) {
    Dialogue dialogue(limits);
    dialogue.feed(kUpToData);
    const std::string line = std::string(39, 'x') + ".";
    dialogue.feed(line.substr(0, split));
    dialogue.feed(line.substr(split));
    dialogue.feed("\r\nmore\r\n");
    EXPECT_TRUE(dialogue.session.inData()) << split;
    dialogue.feed(".\r\n");
    EXPECT_EQ(codes(dialogue.replies), "250 250 250 354 554") << split;
    EXPECT_TRUE(dialogue.messages.empty()) << split;
  }
}

TEST(SmtpSession, GoesOnAfterARefusedMessage) {
  SmtpLimits limits;
  limits.textLine = 20;
  Dialogue dialogue(limits);
  dialogue.feed(std::string(kUpToData) + std::string(30, 'x') + "\r\n.\r\n");
  dialogue.feed("MAIL FROM:<c@d.example>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\nok\r\n.\r\n");
  EXPECT_EQ(codes(dialogue.replies), "250 250 250 354 554 250 250 354 250");
  EXPECT_EQ(dialogue.messages, std::vector<std::string>{"ok\r\n"});
}

}  // namespace
}  // namespace mailzone::harness
