// The server's sockets, deadlines and TLS, spoken to by our client, by a bare socket, and by `openssl s_client`.
#include "harness/smtp_server.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "core/clock.h"
#include "harness/smtp_client.h"
#include "system/process.h"

namespace mailzone::harness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Delivered {
  std::string client, tls, mailFrom, message;
};

class Fixture : public testing::Test {
 protected:
  void start(const SmtpLimits& limits = {}, SmtpHandler handler = {}) {
    SmtpServerOptions options;
    options.port = 0;
    options.hostName = "mx.receiver.example";
    options.limits = limits;
    if (!handler) {
      handler = [this](const SmtpDelivery& delivery) {
        const std::lock_guard lock(mutex_);
        delivered_.push_back(
            {delivery.client.text(), delivery.tlsVersion, delivery.envelope.mailFrom, delivery.message});
        return std::string("250-2.0.0 first\r\n250 2.0.0 judged\r\n");
      };
    }
    auto server = SmtpServer::start(options, std::move(handler), SystemClock().now());
    ASSERT_TRUE(server) << describe(server.error());
    server_ = std::move(*server);
    endpoint_.port = server_->port();
  }

  SmtpClient connect() {
    auto client = SmtpClient::connect(endpoint_);
    if (!client) throw std::runtime_error(describe(client.error()));
    return std::move(*client);
  }

  /// Bytes in, then replies until the server hangs up or the last expected code came.
  std::string dialogue(SmtpClient& client, std::string_view bytes, int replies) {
    std::string codes;
    if (!client.sendRaw(bytes)) return "cannot send";
    for (int i = 0; i < replies; ++i) {
      const auto reply = client.readReply();
      codes += (i == 0 ? "" : " ") + (reply ? std::to_string(reply->code) : std::string(errcName(reply.error().code)));
      if (!reply) break;
    }
    return codes;
  }

  static Submission mail() {
    Submission mail;
    mail.mailFrom = "a@t1.shop.example";
    mail.recipients = {"b@receiver.example", "c@receiver.example"};
    mail.message = "Subject: x\r\n\r\n.a dot\r\n..\r\nend\r\n";
    return mail;
  }

  std::mutex mutex_;
  std::vector<Delivered> delivered_;
  SmtpEndpoint endpoint_;
  std::unique_ptr<SmtpServer> server_;
};
using SmtpServerTest = Fixture;

TEST_F(SmtpServerTest, TakesAMailOverTlsWhoseCertificateTheClientChecks) {
  start();
  Submission submission = mail();
  submission.startTls = true;
  submission.tls = {"mx.receiver.example", server_->certificatePem()};
  const auto outcome = submit(endpoint_, submission);
  ASSERT_TRUE(outcome) << describe(outcome.error());
  EXPECT_EQ(outcome->decisive.code, 250);
  EXPECT_EQ(outcome->decisive.lines, (std::vector<std::string>{"250-2.0.0 first", "250 2.0.0 judged"}));
  ASSERT_EQ(delivered_.size(), 1U);
  EXPECT_EQ(delivered_[0].tls, "TLSv1.3");
  EXPECT_EQ(delivered_[0].client, "127.0.0.1");
  EXPECT_EQ(delivered_[0].mailFrom, "a@t1.shop.example");
  EXPECT_EQ(delivered_[0].message, submission.message);
}

TEST_F(SmtpServerTest, TakesAMailWithoutTlsAndSaysSo) {
  start();
  const auto outcome = submit(endpoint_, mail());
  ASSERT_TRUE(outcome) << describe(outcome.error());
  ASSERT_EQ(delivered_.size(), 1U);
  EXPECT_EQ(delivered_[0].tls, "");
}

TEST_F(SmtpServerTest, SeesTheAddressThatTheClientBound) {
  start();
  endpoint_.source = IpAddress::parse("127.0.0.7").value();
  ASSERT_TRUE(submit(endpoint_, mail()));
  ASSERT_EQ(delivered_.size(), 1U);
  EXPECT_EQ(delivered_[0].client, "127.0.0.7");
}

TEST_F(SmtpServerTest, IsRefusedByAClientThatTrustsAnotherCertificateOrName) {
  start();
  const auto keep = std::move(server_);
  const std::uint16_t port = endpoint_.port;
  start();
  const std::string other = server_->certificatePem();
  endpoint_.port = port;
  Submission submission = mail();
  submission.startTls = true;
  submission.tls = {"mx.receiver.example", other};
  auto outcome = submit(endpoint_, submission);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::io);
  submission.tls = {"mx.other.example", keep->certificatePem()};
  outcome = submit(endpoint_, submission);
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().rule.find("hostname mismatch"), std::string::npos) << describe(outcome.error());
}

TEST_F(SmtpServerTest, ThrowsAwayWhatWasPipelinedBehindStartTls) {
  start();
  SmtpClient client = connect();
  ASSERT_TRUE(client.ehlo("client.example"));
  // One segment: the tail is in the server's buffer before the handshake begins.
  ASSERT_TRUE(client.sendRaw("STARTTLS\r\nMAIL FROM:<evil@t2.shop.example>\r\n"));
  const auto reply = client.readReply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->code, 220);
  client.setDeadline(milliseconds(500));
  const auto next = client.readReply();
  EXPECT_FALSE(next) << "an answer to clear text behind STARTTLS: " << next->last();
  EXPECT_TRUE(delivered_.empty());
}

TEST_F(SmtpServerTest, TakesAPipelinedDialogue) {
  start();
  SmtpClient client = connect();
  EXPECT_EQ(dialogue(client,
                     "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n"
                     "MAIL FROM:<e@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n",
                     10),
            "250 250 250 354 250 250 250 354 250 221");
  ASSERT_EQ(delivered_.size(), 2U);
  EXPECT_EQ(delivered_[1].mailFrom, "e@b.example");
}

TEST_F(SmtpServerTest, SaysWhyBeforeItHangsUpOnABareNewline) {
  start();
  SmtpClient client = connect();
  // Far more follows than the server will read: its last words must arrive all the same.
  const std::string flood =
      "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\n.\n" +
      std::string(200'000, 'x') + "\r\n.\r\n";
  EXPECT_EQ(dialogue(client, flood, 6), "250 250 250 354 521 io");
  EXPECT_TRUE(delivered_.empty());
}

TEST_F(SmtpServerTest, EndsASilentConnection) {
  SmtpLimits limits;
  limits.commandSeconds = 1;
  start(limits);
  SmtpClient client = connect();
  EXPECT_EQ(dialogue(client, "", 2), "421 io");
}

TEST_F(SmtpServerTest, EndsAClientThatDripsOneCommandForEver) {
  SmtpLimits limits;
  limits.commandSeconds = 1;
  start(limits);
  SmtpClient client = connect();
  client.setDeadline(milliseconds(300));
  const auto begin = std::chrono::steady_clock::now();
  int code = 0;
  // Each octet comes well within the time for a command; the command does not.
  while (code == 0 && std::chrono::steady_clock::now() - begin < seconds(10)) {
    ASSERT_TRUE(client.sendRaw("x"));
    if (const auto reply = client.readReply()) code = reply->code;
  }
  EXPECT_EQ(code, 421);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
}

TEST_F(SmtpServerTest, EndsAMessageThatDoesNotComeToItsEnd) {
  SmtpLimits limits;
  limits.dataSeconds = 1;
  start(limits);
  SmtpClient client = connect();
  EXPECT_EQ(
      dialogue(client,
               "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n", 6),
      "250 250 250 354 421 io");
}

TEST_F(SmtpServerTest, EndsATlsHandshakeThatDoesNotBegin) {
  SmtpLimits limits;
  limits.commandSeconds = 1;
  start(limits);
  SmtpClient client = connect();
  EXPECT_EQ(dialogue(client, "STARTTLS\r\n", 2), "220 io");
}

TEST_F(SmtpServerTest, EndsASessionThatIsBusyForTooLong) {
  SmtpLimits limits;
  limits.sessionSeconds = 1;
  limits.commands = 100'000'000;
  start(limits);
  SmtpClient client = connect();
  int last = 250;
  for (const auto begin = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begin < seconds(5);) {
    const auto reply = client.command("RSET");
    if (!reply) break;
    last = reply->code;
  }
  EXPECT_EQ(last, 421);
}

TEST_F(SmtpServerTest, RefusesTheConnectionThatIsOneTooMany) {
  SmtpLimits limits;
  limits.connections = 2;
  start(limits);
  const SmtpClient first = connect();
  {
    const SmtpClient second = connect();
    EXPECT_EQ(connect().greeting().code, 421);
  }
  // The place is free again as soon as the server has seen the end.
  int code = 0;
  for (const auto begin = std::chrono::steady_clock::now();
       code != 220 && std::chrono::steady_clock::now() - begin < seconds(10);) {
    code = connect().greeting().code;
  }
  EXPECT_EQ(code, 220);
}

TEST_F(SmtpServerTest, ServesOthersWhileAJudgeIsSlow) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::promise<void> judging;
  start({}, [&](const SmtpDelivery&) {
    judging.set_value();
    released.wait();
    return std::string("250 2.0.0 late\r\n");
  });
  std::thread slow([&] {
    const auto outcome = submit(endpoint_, mail());
    EXPECT_TRUE(outcome && outcome->decisive.last() == "250 2.0.0 late");
  });
  judging.get_future().wait();
  SmtpClient client = connect();
  EXPECT_EQ(client.ehlo("client.example")->code, 250);
  release.set_value();
  slow.join();
}

TEST_F(SmtpServerTest, AnswersForNowWhenTheJudgeThrows) {
  start({}, [](const SmtpDelivery&) -> std::string { throw std::runtime_error("defect"); });
  const auto outcome = submit(endpoint_, mail());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->decisive.code, 451);
}

TEST_F(SmtpServerTest, StopsWithConnectionsOpenAndAJudgeAtWork) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::promise<void> judging;
  start({}, [&](const SmtpDelivery&) {
    judging.set_value();
    released.wait();
    return std::string("250 2.0.0 late\r\n");
  });
  SmtpClient idle = connect();
  std::thread slow([&] { EXPECT_FALSE(submit(endpoint_, mail())); });
  judging.get_future().wait();
  std::thread stopping([&] { server_.reset(); });
  EXPECT_EQ(idle.readReply().error().code, Errc::io) << "connections end at once";
  slow.join();
  release.set_value();
  stopping.join();
}

TEST_F(SmtpServerTest, NamesTheAddressThatIsInUse) {
  start();
  SmtpServerOptions options;
  options.port = endpoint_.port;
  options.hostName = "mx.receiver.example";
  const auto second = SmtpServer::start(
      options, [](const SmtpDelivery&) { return std::string(); }, SystemClock().now());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::unavailable);
  EXPECT_NE(second.error().value.find(std::to_string(endpoint_.port)), std::string::npos);
}

TEST_F(SmtpServerTest, SpeaksTlsWithOpenssl) {
  start();
  struct Row {
    const char* why;
    std::vector<std::string> arguments;
    std::string tls;
  };
  const std::vector<Row> rows = {{"TLS 1.3", {"-tls1_3"}, "TLSv1.3"},
                                 {"TLS 1.2", {"-tls1_2"}, "TLSv1.2"},
                                 {"TLS 1.1 is refused", {"-tls1_1", "-cipher", "ALL@SECLEVEL=0"}, ""}};
  for (const Row& row : rows) {
    Command command;
    command.argv = {"openssl", "s_client", "-quiet",         "-ign_eof", "-starttls",
                    "smtp",    "-name",    "client.example", "-connect", "127.0.0.1:" + std::to_string(endpoint_.port)};
    command.argv.insert(command.argv.end(), row.arguments.begin(), row.arguments.end());
    delivered_.clear();
    const auto ran = run(command,
                         "EHLO client.example\r\nMAIL FROM:<a@t1.shop.example>\r\nRCPT TO:<b@receiver.example>\r\n"
                         "DATA\r\nSubject: by openssl\r\n\r\nhello\r\n.\r\nQUIT\r\n",
                         seconds(20));
    ASSERT_TRUE(ran) << describe(ran.error());
    if (row.tls.empty()) {
      EXPECT_TRUE(delivered_.empty()) << row.why;
      continue;
    }
    ASSERT_EQ(delivered_.size(), 1U) << row.why << ran->output << ran->errors;
    EXPECT_EQ(delivered_[0].tls, row.tls) << row.why;
    EXPECT_EQ(delivered_[0].message, "Subject: by openssl\r\n\r\nhello\r\n") << row.why;
    EXPECT_NE(ran->output.find("250 2.0.0 judged"), std::string::npos) << ran->output;
  }
}

TEST(SmtpClientTest, SaysWhatWentWrongWithThePeer) {
  SmtpEndpoint nobody;
  nobody.port = 1;
  EXPECT_EQ(SmtpClient::connect(nobody).error().code, Errc::io);
  SmtpEndpoint silent;
  silent.source = IpAddress::parse("203.0.113.66").value();
  EXPECT_EQ(SmtpClient::connect(silent).error().code, Errc::io) << "an address that is not ours";
}

}  // namespace
}  // namespace mailzone::harness
