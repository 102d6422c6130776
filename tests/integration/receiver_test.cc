// The whole receiver: real signatures over real sockets, judged, stored, and judged again by python3-dkim, python3-spf,
// dnspython and opendkim, which ask an unbound that serves the records our resolver has.
#include "harness/receiver.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/message_builder.h"
#include "harness/second_opinion.h"
#include "harness/smtp_client.h"
#include "mailauth/dkim.h"
#include "mailauth/dkim_key_record.h"
#include "system/process.h"
#include "system/supervisor.h"
#include "tests/support/fake_resolver.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::harness {
namespace {

using mailzone::testing::FakeResolver;
using std::chrono::seconds;

const SystemClock kClock;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Secret newRsaPem() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048), &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return Secret(std::string(text, static_cast<std::size_t>(size)));
}

/// The records of a platform with one tenant and one relay, once as data and once as unbound's configuration. One key
/// signs for all.
struct World {
  World() : key(mailauth::DkimPrivateKey::fromPem(newRsaPem()).value()) {
    const std::string keyText = mailauth::dkimKeyText(key.publicKey().value()).value();
    ptr("127.0.0.7", "mx1.shop.example");
    a("mx1.shop.example", "127.0.0.7");
    ptr("127.0.0.9", "mx1.shop.example");  // leads elsewhere; 127.0.0.8 has no PTR at all
    txt("t1.shop.example", "v=spf1 ip4:127.0.0.0/8 ~all");
    txt("_dmarc.t1.shop.example", "v=DMARC1; p=quarantine; adkim=s; aspf=s; psd=n");
    txt("mz1._domainkey.t1.shop.example", keyText);
    txt("sig.shop.example", "v=spf1 -all");
    txt("_dmarc.sig.shop.example", "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n");
    txt("mz1._domainkey.sig.shop.example", keyText);
    txt("shop.example", "v=spf1 ~all");
    txt("_dmarc.shop.example", "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s");
    txt("relay.example", "v=spf1 ip4:127.0.0.7 ~all");
    txt("strict.example", "v=spf1 ip4:192.0.2.1 -all");
    txt("custom.example", "v=spf1 ip4:127.0.0.7 ~all");
    txt("_dmarc.custom.example", "v=DMARC1; p=none");
    txt("mz1._domainkey.custom.example", keyText);
    txt("bare.example", "v=spf1 ip4:127.0.0.7 ~all");
    txt("mz1._domainkey.bare.example", keyText);
    txt("mz9._domainkey.t1.shop.example", "v=DKIM1; k=rsa; p=");
    dns.fails = [](const DnsName& name, RecordType) { return name.isAtOrBelow(FakeResolver::name("broken.example")); };
    zone += "  local-zone: 'broken.example.' always_refuse\n";
  }

  void txt(const std::string& name, const std::string& text) {
    dns.txtRecords[FakeResolver::name(name)] = {text};
    std::string strings;
    for (std::size_t i = 0; i < text.size(); i += 200) strings += " \"" + text.substr(i, 200) + '"';
    zone += "  local-data: '" + name + ". TXT" + strings + "'\n";
  }
  void a(const std::string& name, const std::string& address) {
    dns.aRecords[FakeResolver::name(name)] = {FakeResolver::ip(address)};
    zone += "  local-data: '" + name + ". A " + address + "'\n";
  }
  void ptr(const std::string& address, const std::string& name) {
    const DnsName reverse = FakeResolver::ip(address).reverseName();
    dns.ptrRecords[reverse] = {FakeResolver::name(name)};
    zone += "  local-data: '" + reverse.text() + " PTR " + name + ".'\n";
  }

  /// The signature field of `domain` over the message.
  std::string sign(const std::string& message, const std::string& domain, const std::string& selector = "mz1") const {
    mailauth::DkimSignOptions options;
    options.domain = FakeResolver::name(domain);
    options.selector = FakeResolver::name(selector);
    return mailauth::signDkim(message, key, options).value();
  }

  mailauth::DkimPrivateKey key;
  FakeResolver dns;
  std::string zone;
};

/// An unbound that answers from World's records alone.
class Unbound {
 public:
  Unbound(const std::string& folder, const std::string& zone) {
    std::ofstream(folder + "/unbound.conf")
        << "server:\n  interface: 127.0.0.1\n  port: " << (port_ = freePort())
        << "\n  do-daemonize: no\n  chroot: ''\n  username: ''\n  pidfile: ''\n  use-syslog: no\n  directory: '"
        << folder << "'\n  module-config: 'iterator'\n  local-zone: '.' static\n"
        << "  local-data: '. SOA a. b. 1 60 60 60 60'\n  local-zone: '127.in-addr.arpa.' static\n"
        << zone << "remote-control:\n  control-enable: no\n";
    Command command;
    command.argv = {"unbound", "-d", "-c", folder + "/unbound.conf"};
    command.logFile = folder + "/unbound.log";
    pid_ = spawn(command).value();
  }
  ~Unbound() {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Unbound(const Unbound&) = delete;
  Unbound& operator=(const Unbound&) = delete;

  /// Its TCP port answers.
  bool ready() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port_);
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
  }
  std::uint16_t port() const { return port_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static std::uint16_t freePort() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    ::close(fd);
    return ntohs(address.sin_port);
  }

  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

class ReceiverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ReceiverOptions options;
    options.port = 0;
    options.storage = folder_.path() + "/mails";
    options.recipientDomains = {"receiver.example"};
    auto receiver = Receiver::start(options, world_.dns, kClock);
    ASSERT_TRUE(receiver) << describe(receiver.error());
    receiver_ = std::move(*receiver);
  }

  MessagePlan plan(const std::string& from) {
    MessagePlan plan;
    plan.stream = "webapp";
    plan.from = from;
    plan.fromName = "A shop";
    plan.to = "b@receiver.example";
    plan.messageId = newMessageId("webapp", "t1.shop.example");
    return plan;
  }

  struct Sending {
    std::string source = "127.0.0.7";
    std::string mailFrom = "bounce@t1.shop.example";
    bool tls = true;
  };

  SmtpReply send(const std::string& message, const Sending& how) {
    SmtpEndpoint endpoint;
    endpoint.port = receiver_->port();
    endpoint.source = FakeResolver::ip(how.source);
    Submission mail;
    mail.helo = "mx1.shop.example";
    mail.mailFrom = how.mailFrom;
    mail.recipients = {"b@receiver.example"};
    mail.message = message;
    mail.startTls = how.tls;
    const auto outcome = submit(endpoint, mail);
    EXPECT_TRUE(outcome) << describe(outcome.error());
    return outcome ? outcome->decisive : SmtpReply{};
  }

  test::TemporaryFolder folder_;
  World world_;
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(ReceiverTest, JudgesRealMailsAndOtherProgramsAgree) {
  const Unbound unbound(folder_.path(), world_.zone);
  const std::string t1 = "orders@t1.shop.example";
  struct Row {
    const char* why;
    std::string from;
    std::vector<std::string> signers;
    Sending how;
    std::function<void(std::string&)> change;
    std::map<std::string, std::string> expected;
  };
  const auto appendToBody = [](std::string& message) { message += "-- \r\nan advertisement of the relay\r\n"; };
  const std::vector<Row> rows = {
      {"everything passes",
       t1,
       {"t1.shop.example", "sig.shop.example"},
       {},
       {},
       {{"reply", "250 2.0.0"},
        {"folder", "inbox"},
        {"spf", "pass"},
        {"dkim", "pass"},
        {"dkim_domain", "t1.shop.example"},
        {"selector", "mz1"},
        {"dmarc", "pass"},
        {"alignment", "both"},
        {"ptr", "pass"},
        {"tls", "TLSv1.3"},
        {"from", t1},
        {"envelope_from", "bounce@t1.shop.example"},
        {"queue_id", "4XyZ1abc"}}},
      {"by way of a relay",
       t1,
       {"sig.shop.example", "t1.shop.example"},
       {"127.0.0.7", "x@relay.example", true},
       {},
       {{"reply", "250 2.0.0"}, {"dmarc", "pass"}, {"alignment", "dkim"}, {"dkim_domain", "t1.shop.example"}}},
      {"by way of a relay, the common signature only",
       t1,
       {"sig.shop.example"},
       {"127.0.0.7", "x@relay.example", true},
       {},
       {{"reply", "550 5.7.32"},
        {"spf", "pass"},
        {"dkim", "pass"},
        {"dkim_domain", "sig.shop.example"},
        {"dmarc", "fail"},
        {"alignment", "none"},
        {"folder", ""}}},
      {"the relay changes the body",
       t1,
       {"t1.shop.example", "sig.shop.example"},
       {"127.0.0.7", "x@relay.example", true},
       appendToBody,
       {{"reply", "550 5.7.30"}, {"spf", "pass"}, {"dkim", "fail"}, {"dmarc", "fail"}}},
      {"no PTR",
       t1,
       {"t1.shop.example"},
       {"127.0.0.8", "bounce@t1.shop.example", true},
       {},
       {{"reply", "550 5.7.25"}, {"ptr", "permerror"}, {"dmarc", "pass"}}},
      {"a PTR that leads elsewhere",
       t1,
       {"t1.shop.example"},
       {"127.0.0.9", "bounce@t1.shop.example", true},
       {},
       {{"reply", "550 5.7.25"}, {"ptr", "fail"}, {"dmarc", "pass"}}},
      {"no TLS",
       t1,
       {"t1.shop.example"},
       {"127.0.0.7", "bounce@t1.shop.example", false},
       {},
       {{"reply", "550 5.7.29"}, {"tls", ""}, {"dmarc", "pass"}}},
      {"unsigned, from an envelope without SPF",
       t1,
       {},
       {"127.0.0.7", "x@nowhere.example", true},
       {},
       {{"reply", "550 5.7.26"}, {"spf", "none"}, {"dkim", "none"}, {"dmarc", "fail"}}},
      {"SPF ends in -all",
       t1,
       {"t1.shop.example"},
       {"127.0.0.7", "x@strict.example", true},
       {},
       {{"reply", "550 5.7.26"}, {"spf", "fail"}, {"dmarc", "pass"}, {"alignment", "dkim"}}},
      {"a sibling forges the platform",
       "ceo@shop.example",
       {"t1.shop.example"},
       {},
       {},
       {{"reply", "550 5.7.26"}, {"dkim_domain", "t1.shop.example"}, {"dmarc", "fail"}}},
      {"a sibling forges a name that does not exist",
       "ceo@t7.shop.example",
       {"t1.shop.example"},
       {},
       {},
       {{"reply", "550 5.7.26"}, {"dmarc", "fail"}}},
      {"From the common signing domain: no record prevents it",
       "x@sig.shop.example",
       {"sig.shop.example"},
       {},
       {},
       {{"reply", "250 2.0.0"}, {"dmarc", "pass"}, {"alignment", "dkim"}}},
      {"bulk without SPF",
       t1,
       {"t1.shop.example"},
       {"127.0.0.7", "x@nowhere.example", true},
       {},
       {{"reply", "550 5.7.27"}, {"spf", "none"}, {"dmarc", "pass"}}},
      {"bulk without DKIM", t1, {}, {}, {}, {{"reply", "550 5.7.30"}, {"dmarc", "pass"}, {"alignment", "spf"}}},
      {"bulk without DMARC",
       "a@bare.example",
       {"bare.example"},
       {"127.0.0.7", "a@bare.example", true},
       {},
       {{"reply", "550 5.7.40"}, {"dmarc", "none"}}},
      {"strict alignment under quarantine: related is enough for bulk, not for DMARC",
       "a@t1.shop.example",
       {"custom.example"},
       {"127.0.0.7", "x@bounce.t1.shop.example", true},
       {},
       {{"reply", "550 5.7.27"}}},
      {"relaxed alignment of a custom domain's subdomain",
       "a@custom.example",
       {"custom.example"},
       {"127.0.0.7", "x@relay.example", true},
       {},
       {{"reply", "250 2.0.0"}, {"dmarc", "pass"}, {"alignment", "dkim"}}},
      {"a revoked key",
       t1,
       {"t1.shop.example/mz9"},
       {},
       {},
       {{"reply", "550 5.7.30"}, {"dkim", "permerror"}, {"selector", "mz9"}}},
      {"a key that is not there",
       t1,
       {"t1.shop.example/mz2"},
       {},
       {},
       {{"reply", "550 5.7.30"}, {"dkim", "permerror"}, {"selector", "mz2"}}},
      {"DNS cannot tell the key",
       t1,
       {"broken.example"},
       {},
       {},
       {{"reply", "421 4.7.30"}, {"dkim", "temperror"}, {"dmarc", "pass"}}},
      {"DNS cannot tell one key of two",
       t1,
       {"t1.shop.example", "broken.example"},
       {},
       {},
       {{"reply", "250 2.0.0"}, {"dkim", "pass"}, {"dkim_domain", "t1.shop.example"}, {"dmarc", "pass"}}},
      {"DNS cannot tell SPF",
       t1,
       {"t1.shop.example"},
       {"127.0.0.7", "x@broken.example", true},
       {},
       {{"reply", "421 4.7.27"}, {"spf", "temperror"}, {"dmarc", "pass"}}},
      {"DNS cannot tell DMARC",
       "a@broken.example",
       {"t1.shop.example"},
       {},
       {},
       {{"reply", "451 4.7.26"}, {"dmarc", "temperror"}}},
      {"two From fields",
       t1,
       {"t1.shop.example"},
       {},
       [](std::string& message) { message = "From: ceo@shop.example\r\n" + message; },
       {{"reply", "550 5.7.1"}, {"dmarc", "none"}}},
      {"no Message-ID is a fault of form",
       t1,
       {"t1.shop.example"},
       {},
       [](std::string& message) {
         const std::size_t begin = message.find("\r\nMessage-ID:") + 2;
         message.erase(begin, message.find("\r\n", begin) + 2 - begin);
       },
       {{"reply", "550 5.7.1"}, {"message_id", ""}}},
  };

  std::vector<Verdict> verdicts;
  std::vector<StoredMail> stored;
  for (const Row& row : rows) {
    const std::string plain = buildMessage(plan(row.from), kClock.now()).value();
    std::string message = plain;
    for (const std::string& signer : row.signers) {
      const std::size_t slash = signer.find('/');
      message.insert(0, world_.sign(plain, signer.substr(0, slash),
                                    slash == std::string::npos ? "mz1" : signer.substr(slash + 1)));
    }
    message.insert(
        0,
        "Received: from app.shop.example (app.shop.example [192.0.2.80])\r\n\tby mx1.shop.example (Postfix; "
        "id none) with ESMTP id 4XyZ1abc\r\n\tfor <b@receiver.example>; Wed, 25 Nov 2026 10:00:00 +0000\r\n");
    if (row.change) row.change(message);
    const std::size_t before = receiver_->all().size();
    const SmtpReply reply = send(message, row.how);
    ASSERT_EQ(receiver_->all().size(), before + 1) << row.why << reply.last();
    const ReceivedMail mail = receiver_->all().back();
    EXPECT_EQ(mail.verdict.reply, reply.last()) << row.why;
    EXPECT_EQ(contents(mail.message), message) << row.why << ": the stored octets are those that came";
    verdicts.push_back(mail.verdict);
    verdicts.back().scenario = row.why;
    verdicts.back().expected = row.expected;
    stored.push_back({mail.message, mail.envelope});
    for (const std::string& mismatch : mismatches(verdicts.back())) {
      ADD_FAILURE() << row.why << ": " << mismatch << '\n' << verdictJson(verdicts.back());
    }
  }

  ASSERT_TRUE(waitFor("unbound", seconds(20), [&] { return unbound.ready(); }))
      << contents(folder_.path() + "/unbound.log");
  SecondOpinionOptions options;
  options.resolverPort = unbound.port();
  options.script = MAILZONE_SOURCE_DIR "/harness/second_opinion.py";
  addSecondOpinions(verdicts, stored, options);
  for (const Verdict& verdict : verdicts) {
    for (const std::string& finding : verdict.findings) ADD_FAILURE() << verdict.scenario << ": " << finding;
  }
}

TEST_F(ReceiverTest, HandsOutVerdictsByMessageIdAndStoresTheFacts) {
  MessagePlan mine = plan("a@t1.shop.example");
  mine.messageId = "<wanted@t1.shop.example>";
  const std::string message = buildMessage(mine, kClock.now()).value();
  std::vector<std::string> observed;
  receiver_->onMail([&](const ReceivedMail& mail) { observed.push_back(mail.verdict.messageId); });
  std::thread sender([&] { send(message, {}); });
  const auto mail = receiver_->await("wanted@t1.shop.example", std::chrono::steady_clock::now() + seconds(20));
  sender.join();
  ASSERT_TRUE(mail) << describe(mail.error());
  EXPECT_EQ(observed, std::vector<std::string>{"<wanted@t1.shop.example>"});
  const auto json = nlohmann::json::parse(contents(mail->envelope));
  EXPECT_EQ(json.at("schema"), "mailzone/received/1");
  EXPECT_EQ(json.at("client"), "127.0.0.7");
  EXPECT_EQ(json.at("helo"), "mx1.shop.example");
  EXPECT_EQ(json.at("mail_from"), "bounce@t1.shop.example");
  EXPECT_EQ(json.at("verdict").at("reply"), mail->verdict.reply);
}

TEST_F(ReceiverTest, WaitsForTheDecisionAfterATemporaryAnswer) {
  const std::string plain = buildMessage(plan("a@t1.shop.example"), kClock.now()).value();
  const std::string message = world_.sign(plain, "t1.shop.example") + plain;
  world_.dns.servfail.insert(FakeResolver::name("mz1._domainkey.t1.shop.example"));
  EXPECT_EQ(send(message, {}).code, 421);
  const std::string id = receiver_->all().front().verdict.messageId;
  const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::milliseconds(10); };
  EXPECT_EQ(receiver_->await(id, soon())->verdict.reply.substr(0, 3), "421") << "at the deadline, what there is";
  world_.dns.servfail.clear();
  EXPECT_EQ(send(message, {}).code, 250);
  EXPECT_EQ(receiver_->await(id, soon())->verdict.reply.substr(0, 3), "250");
  EXPECT_EQ(receiver_->await("<another@t1.shop.example>", soon()).error().code, Errc::temporary);
}

TEST_F(ReceiverTest, TakesNothingThatItCannotStore) {
  std::filesystem::remove_all(folder_.path() + "/mails");
  const SmtpReply reply = send(buildMessage(plan("a@t1.shop.example"), kClock.now()).value(), {});
  EXPECT_EQ(reply.code, 452) << reply.last();
  EXPECT_TRUE(receiver_->all().empty());
}

TEST_F(ReceiverTest, SaysWhatKeepsItFromStarting) {
  ReceiverOptions options;
  options.port = receiver_->port();
  options.storage = folder_.path() + "/other";
  EXPECT_EQ(Receiver::start(options, world_.dns, kClock).error().code, Errc::unavailable);
  options.port = 0;
  options.profile.name = "yahoo";
  EXPECT_EQ(Receiver::start(options, world_.dns, kClock).error().code, Errc::invalidInput);
  options.profile.name = "gmail";
  options.storage = "/proc/nowhere";
  EXPECT_EQ(Receiver::start(options, world_.dns, kClock).error().code, Errc::io);
}

/// `mailzone-harness receive` as a user runs it.
TEST_F(ReceiverTest, RunsInTheForegroundAndPrintsALineForEachMail) {
  const std::string log = folder_.path() + "/receive.log";
  Command command;
  command.argv = {MAILZONE_BINARY_DIR "/bin/mailzone-harness",
                  "receive",
                  "--port",
                  "0",
                  "--storage",
                  folder_.path() + "/received",
                  "--resolver",
                  "127.0.0.1@1"};
  command.logFile = log;
  const pid_t pid = spawn(command).value();
  std::string port;
  const auto listens = waitFor("the receiver", seconds(20), [&] {
    const std::string text = contents(log);
    const std::size_t begin = text.find("port=");
    if (begin != std::string::npos) port = text.substr(begin + 5, text.find(' ', begin) - begin - 5);
    return !port.empty();
  });
  if (listens) {
    SmtpEndpoint endpoint;
    endpoint.port = static_cast<std::uint16_t>(std::stoi(port));
    endpoint.deadline = seconds(60);
    Submission mail;
    mail.mailFrom = "a@t1.shop.example";
    mail.recipients = {"b@receiver.example"};
    mail.message = "Subject: of no form\r\n\r\nhi\r\n";
    const auto outcome = submit(endpoint, mail);
    EXPECT_TRUE(outcome && outcome->decisive.code == 550);
  }
  ::kill(pid, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << contents(log);
  const std::string text = contents(log);
  const std::size_t begin = text.find("{\"schema\":\"mailzone/receive/1\"");
  ASSERT_NE(begin, std::string::npos) << text;
  const auto json = nlohmann::json::parse(text.substr(begin, text.find('\n', begin) - begin));
  EXPECT_EQ(json.at("reply").get<std::string>().substr(0, 9), "550 5.7.1");
  EXPECT_EQ(json.at("recipients"), nlohmann::json::array({"b@receiver.example"}));
  EXPECT_EQ(contents(json.at("message").get<std::string>()), "Subject: of no form\r\n\r\nhi\r\n");
}

TEST_F(ReceiverTest, TakesNoMissingOpinionForAgreement) {
  send(buildMessage(plan("a@t1.shop.example"), kClock.now()).value(), {});
  const ReceivedMail mail = receiver_->all().front();
  const std::vector<StoredMail> stored{{mail.message, mail.envelope}};
  const auto findings = [&](const SecondOpinionOptions& options) {
    std::vector<Verdict> verdicts{mail.verdict};
    addSecondOpinions(verdicts, stored, options);
    return verdicts[0].findings;
  };
  SecondOpinionOptions options;
  options.script = MAILZONE_SOURCE_DIR "/harness/no_such_script.py";
  EXPECT_EQ(findings(options).size(), 1U) << "no script";
  options.script = MAILZONE_SOURCE_DIR "/harness/second_opinion.py";
  options.python = "/usr/bin/no-such-python3";
  EXPECT_EQ(findings(options).size(), 1U) << "no python";
  const Unbound unbound(folder_.path(), world_.zone);
  ASSERT_TRUE(waitFor("unbound", seconds(20), [&] { return unbound.ready(); }));
  options.resolverPort = unbound.port();
  options.python = "/usr/bin/python3";
  options.opendkim = "/bin/true";
  const auto found = findings(options);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("opendkim gave no result"), std::string::npos) << found[0];
}

}  // namespace
}  // namespace mailzone::harness
