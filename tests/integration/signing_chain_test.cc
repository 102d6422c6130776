// The shipped signing chain (rotation/signing/, the export, the schema's views) with the real Postfix, OpenDKIM and
// Dovecot in private namespaces: what tenants and outsiders try, and what leaves. Signatures are judged by
// python3-dkim.
#include <crypt.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "mailauth/dkim_key_record.h"
#include "rotation/key_generation.h"
#include "rotation/key_store.h"
#include "rotation/signing_export.h"
#include "system/process.h"
#include "system/template.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr std::string_view kCommon = "sig.shop.example";

void writeFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Mail {
  std::string to, sender;
  std::vector<std::string> authors;
  std::set<std::string> verified;  ///< d= of signatures that verify
  std::set<std::string> broken;    ///< d= of those that do not
  std::vector<std::vector<std::string>> signedHeaders;
};
struct Outcome {
  std::string reply;
  std::vector<Mail> mails;
};

/// Builds the stage in a folder, runs every case once, and keeps what happened.
class Run {
 public:
  Run() {
    fs::permissions(database_.folder(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec |
                                            fs::perms::group_read | fs::perms::others_read);
    fillDatabase();
    exportKeys();
    writeConfigurations();
    play();
  }

  [[nodiscard]] const Outcome& of(const std::string& name) const {
    static const Outcome kMissing{"the case did not run", {}};
    const auto found = outcomes_.find(name);
    return found == outcomes_.end() ? kMissing : found->second;
  }
  [[nodiscard]] const std::map<std::string, Outcome>& all() const noexcept { return outcomes_; }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  void fillDatabase() {
    const auto connection = database_.connect();
    test::seedPlatform(*connection);
    for (const std::string_view statement : {
             "INSERT INTO tenant (id, platform_id, slug) VALUES (3, 1, 't3'), (4, 1, 't4'), (5, 1, 't5')",
             "INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'custom.example', 'delegated'), "
             "(1, 1, 'second.example', 'delegated'), (1, 2, 'other.example', 'delegated')",
         }) {
      test::must(*connection, statement);
    }
    rotation::DatabaseKeyStore store(*connection);
    const TimePoint now = SystemClock().now();
    // t3 stays without a key of its own.
    for (const char* name : {"sig.shop.example", "shop.example", "t1.shop.example", "t2.shop.example",
                             "t4.shop.example", "custom.example", "second.example", "other.example"}) {
      auto key = rotation::generateRsaKey(1024, now);
      ASSERT_TRUE(key.has_value());
      key->bits = rotation::kRsaBits;  // the pool gives out 2048; 1024 are quicker to make, and nothing else differs
      ASSERT_TRUE(store.insertKey(*key).has_value());
      const auto id = std::stoll(test::one(*connection, "SELECT id FROM domain WHERE name = ?", {std::string(name)}));
      const auto selector = store.assignSpare(DomainId{id}, Slot::mz1, now);
      ASSERT_TRUE(selector.has_value() && selector->has_value()) << name;
      ASSERT_TRUE(store.activate((*selector)->id, (*selector)->generation, now).has_value());
      keys_[fmt::format("mz1._domainkey.{}", name)] = mailauth::dkimKeyText((*selector)->publicKey).value();
    }
    keys_["mz1._domainkey.out1.shop.example"] = keys_["mz1._domainkey.shop.example"];  // a CNAME in the zone
    test::must(*connection,
               "UPDATE domain SET state = 'verified', verified_at = '2026-11-25 10:00:00.000000' "
               "WHERE kind = 'delegated'");
    test::must(*connection,
               "UPDATE domain SET bounce_verified_at = '2026-11-25 10:00:00.000000' "
               "WHERE name = 'custom.example'");
    test::must(*connection, "UPDATE tenant SET state = 'suspended' WHERE slug = 't4'");
    for (int tenant = 1; tenant <= 4; ++tenant) {
      const std::string login = fmt::format("t{}", tenant);
      const std::string hash = ::crypt(("password of " + login).c_str(), "$6$rounds=1000$mailzone");
      test::must(*connection, "INSERT INTO login (id, tenant_id, name, password_hash) VALUES (?, ?, ?, ?)",
                 {std::int64_t{tenant}, std::int64_t{tenant}, login, "{SHA512-CRYPT}" + hash});
      test::must(*connection,
                 "INSERT INTO login_domain (login_id, domain_id) SELECT ?, id FROM domain WHERE tenant_id = ?",
                 {std::int64_t{tenant}, std::int64_t{tenant}});
    }
    for (const std::string name : {"second.example", "other.example"}) {
      tokens_[name] = test::one(*connection, "SELECT token FROM domain WHERE name = ?", {name});
    }
    ASSERT_TRUE(writeExport(store));
    keepOpen_ = database_.connect(false);  // as a running program does: readers need its shared memory
    test::must(*keepOpen_, "UPDATE platform SET drain_seconds = drain_seconds");
  }

  bool writeExport(rotation::KeyStore& store) {
    const auto report = rotation::writeSigningExport(
        store, {root() + "/export", "opendkim", true, std::chrono::seconds{60}}, TimePoint{});
    if (!report) problem_ = describe(report.error());
    return report.has_value();
  }

  void exportKeys() {
    writeFile(root() + "/keys.json", nlohmann::json(keys_).dump());
    writeFile(root() + "/token.json", nlohmann::json(tokens_).dump());
    // As in the moment before a new domain stands in the export.
    fs::remove(root() + "/export/current/authors/" + tokens_["other.example"] + ".rp.shop.example");
    for (const char* suffix : {"", "-wal", "-shm"}) ::chmod((database_.path() + suffix).c_str(), 0644);
  }

  void fill(const std::string& shipped, const std::string& to, const std::string& before = {}) {
    const auto text = fillTemplate(readFile(std::string(MAILZONE_SOURCE_DIR "/rotation/signing/") + shipped), values_);
    ASSERT_TRUE(text.has_value()) << shipped << ": " << describe(text.error());
    writeFile(root() + to, before + *text);
  }

  void writeConfigurations() {
    for (const char* folder : {"/maps", "/postfix", "/queue", "/data", "/opendkim", "/dovecot", "/log"}) {
      fs::create_directory(root() + folder);
    }
    values_ = {{"MAP_TYPE", "sqlite"},
               {"POSTFIX_MAPS", root() + "/maps"},
               {"DATABASE_PATH", database_.path()},
               {"SIGNER", "inet:127.0.0.1:8891"},
               {"SIGNER_SOCKET", "inet:8891@127.0.0.1"},
               {"MAIL_HOST", "out1.shop.example"},
               {"PLATFORM", "shop.example"},
               {"APP_NETWORKS", "192.0.2.80/32"},
               {"MX_LISTEN", "192.0.2.25:25"},
               {"SUBMISSION_LISTEN", "192.0.2.25:587"},
               {"MARKETING_LISTEN", "192.0.2.25:588"},
               {"WEBAPP_LISTEN", "192.0.2.25:10025"},
               {"SUBMISSION_TLS", "none"},
               {"MARKETING_RELAY", "[198.51.100.25]:25"},
               {"SASL_SOCKET", root() + "/dovecot/postfix-auth"},
               {"POSTFIX_USER", "postfix"},
               {"DOVECOT_RUN", root() + "/dovecot/run"},
               {"DOVECOT_LOG", root() + "/log/dovecot-auth"},
               {"DOVECOT_SQL_CONF", root() + "/dovecot/sql.conf"},
               {"DOVECOT_USER", "dovecot"},
               {"DOVECOT_LOGIN_USER", "dovenull"},
               {"DOVECOT_WORKER_USER", "dovecot"},
               {"OPENDKIM_USER", "opendkim:opendkim"},
               {"OPENDKIM_PIDFILE", root() + "/opendkim/pid"},
               {"SIGNING_TABLE", root() + "/export/current/signingtable"},
               {"KEY_TABLE", "file:" + root() + "/export/current/keytable"},
               {"AUTHOR_LUA", root() + "/opendkim/author.lua"},
               {"AUTHORS_FOLDER", root() + "/export/current/authors"}};
    for (const std::string map : {"login_map", "known_senders", "foreign_only"}) {
      fill("postfix/sqlite/" + map + ".cf", "/maps/" + map + ".cf");
    }
    fill("opendkim/author.lua", "/opendkim/author.lua");
    fill("opendkim/opendkim.conf", "/opendkim/opendkim.conf");
    writeVariant("no-from-check", 8892, {"SetupPolicyScript"});
    writeVariant("naive", 8893, {"SetupPolicyScript", "SenderMacro"});
    fill("dovecot/dovecot-auth.conf", "/dovecot/dovecot.conf");
    fill("dovecot/dovecot-sql-sqlite.conf.ext", "/dovecot/sql.conf");
    fill("postfix/main.cf.snippet", "/postfix/main.cf", mainCf());
    fill("postfix/master.cf.snippet", "/postfix/master.cf", masterCf());
  }

  /// The shipped opendkim.conf without some of its settings, as README.md describes it.
  void writeVariant(const std::string& name, int port, const std::vector<std::string>& without) {
    std::istringstream lines(readFile(root() + "/opendkim/opendkim.conf"));
    std::string text, line;
    while (std::getline(lines, line)) {
      const std::string setting = line.substr(0, line.find(' '));
      if (setting == "Socket") line = fmt::format("Socket inet:{}@127.0.0.1", port);
      if (setting == "PidFile") line += "." + name;
      if (std::find(without.begin(), without.end(), setting) == without.end()) text += line + "\n";
    }
    writeFile(root() + "/opendkim/" + name + ".conf", text);
  }

  [[nodiscard]] std::string mainCf() const {
    return fmt::format(
        "compatibility_level = 3.6\nqueue_directory = {0}/queue\ndata_directory = {0}/data\n"
        "command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n"
        "setgid_group = postdrop\nmaillog_file = {0}/log/postfix\nmaillog_file_prefixes = {0}\n"
        "inet_interfaces = 192.0.2.25, 127.0.0.1\ninet_protocols = ipv4\nmydestination = local.example\n"
        "local_recipient_maps =\nalias_maps =\nvirtual_alias_domains = forward.example\n"
        "virtual_alias_maps = inline:{{{{x@forward.example=r@receiver.example}}}}\n"
        "transport_maps = static:smtp:[203.0.113.25]:25\nsmtp_dns_support_level = disabled\n"
        "smtpd_tls_security_level = none\nsmtp_tls_security_level = none\n",
        root());
  }

  [[nodiscard]] static std::string masterCf() {
    std::string text;
    for (const char* service :
         {"pickup unix n - n 1 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
          "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
          "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "proxymap unix - - n - - proxymap",
          "smtp unix - - n - - smtp", "error unix - - n - - error", "retry unix - - n - - error",
          "discard unix - - n - - discard", "local unix - n n - - local", "anvil unix - - n - 1 anvil",
          "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd"}) {
      text += std::string(service) + "\n";
    }
    // The submission door with another signer, or with a Postfix that somebody has tidied.
    for (const auto& [port, option] :
         {std::pair{10587, "smtpd_milters=inet:127.0.0.1:8892"}, std::pair{10588, "smtpd_milters=inet:127.0.0.1:8893"},
          std::pair{10589, "milter_mail_macros=i,{auth_type}"}, std::pair{10590, "milter_mail_macros=i,{auth_type}"}}) {
      text += fmt::format(
          "192.0.2.25:{} inet n - n - - smtpd\n  -o smtpd_milters={}\n  -o cleanup_service_name=cleanup-sign\n"
          "  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
          "  -o {{ smtpd_sender_restrictions = $mailzone_sender_guard, reject_sender_login_mismatch }}\n"
          "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n  -o {}\n",
          port, port == 10590 ? "inet:127.0.0.1:8892" : "$mailzone_signer", option);
    }
    return text;
  }

  void play() {
    writeFile(root() + "/resolv.conf", "nameserver 127.0.0.1\n");
    const std::string script = fmt::format(
        "set -e\nmount --bind {0}/resolv.conf /etc/resolv.conf\nip link set lo up\n"
        "for a in 192.0.2.25 192.0.2.80 203.0.113.25 203.0.113.66 198.51.100.25; do ip addr add $a/32 dev lo; done\n"
        "chown postfix {0}/data\nchown opendkim {0}/opendkim\n"
        "exec /usr/bin/python3 {1}/tests/integration/signing_chain.py {0}\n",
        root(), MAILZONE_SOURCE_DIR);
    Command command;
    command.argv = {"unshare",      "--net",        "--mount",   "--pid", "--fork",
                    "--kill-child", "--mount-proc", "/bin/bash", "-c",    script};
    const auto ran = run(command, "", std::chrono::seconds{240});
    if (!ran) {
      problem_ = describe(ran.error());
      return;
    }
    std::istringstream lines(ran->output);
    for (std::string line; std::getline(lines, line);) remember(nlohmann::json::parse(line));
    if (ran->exitStatus != 0 || outcomes_.count("end") == 0) {
      problem_ = fmt::format("exit {}: {}\n{}", ran->exitStatus, ran->errors, tailOfFile(root() + "/log/postfix", 20));
    }
  }

  void remember(const nlohmann::json& json) {
    Outcome outcome;
    outcome.reply = json["reply"];
    for (const auto& mail : json["mails"]) {
      Mail one{mail["to"], mail["sender"], mail["from"].get<std::vector<std::string>>(), {}, {}, {}};
      for (const auto& signature : mail["signatures"]) {
        (signature["ok"].get<bool>() ? one.verified : one.broken).insert(signature["d"].get<std::string>());
        one.signedHeaders.push_back(signature["h"]);
      }
      outcome.mails.push_back(std::move(one));
    }
    outcomes_[json["case"]] = std::move(outcome);
  }

  [[nodiscard]] const std::string& root() const noexcept { return database_.folder(); }

  test::TemporarySqlite database_;
  std::unique_ptr<sql::Connection> keepOpen_;
  std::map<std::string, std::string> keys_;
  std::map<std::string, std::string> tokens_;
  std::string problem_;
  TemplateValues values_;
  std::map<std::string, Outcome> outcomes_;
};

/// ctest runs each TEST in a process of its own: the stage is built once a process and every case played.
const Run& theRun() {
  static const Run run;
  return run;
}

void expectRefused(const char* name, const char* reply) {
  const Outcome& outcome = theRun().of(name);
  EXPECT_THAT(outcome.reply, StartsWith(reply)) << name;
  EXPECT_TRUE(outcome.mails.empty()) << name << ": something left";
}

void expectSigned(const char* name, std::string_view domain) {
  const Outcome& outcome = theRun().of(name);
  EXPECT_THAT(outcome.reply, StartsWith("250")) << name;
  ASSERT_EQ(outcome.mails.size(), 1U) << name;
  EXPECT_TRUE(outcome.mails[0].broken.empty()) << name << ": a signature does not verify";
  EXPECT_EQ(outcome.mails[0].verified, (std::set<std::string>{std::string(domain), std::string(kCommon)})) << name;
}

// One TEST: a run takes half a minute, and ctest would repeat it for each.
TEST(SigningChain, HoldsAgainstEverythingThatWasTried) {
  ASSERT_EQ(theRun().problem(), "");

  for (const auto& [name, domain] : {std::pair{"mailbox", "t1.shop.example"},
                                     std::pair{"marketing", "t1.shop.example"},
                                     std::pair{"webapp", "t2.shop.example"},
                                     std::pair{"custom", "custom.example"},
                                     std::pair{"custom by bounce", "custom.example"},
                                     std::pair{"custom by return path", "second.example"},
                                     std::pair{"without own key", "sig.shop.example"},
                                     std::pair{"login in capitals", "t1.shop.example"},
                                     std::pair{"display name", "t1.shop.example"},
                                     std::pair{"local part of 63", "t1.shop.example"},
                                     std::pair{"local part of 300", "t1.shop.example"},
                                     std::pair{"no From", "t1.shop.example"},
                                     std::pair{"first line no header", "t1.shop.example"},
                                     std::pair{"line of 3000", "t1.shop.example"},
                                     std::pair{"8 bit", "t1.shop.example"},
                                     std::pair{"MIME", "t1.shop.example"},
                                     std::pair{"headers of 80 KiB", "t1.shop.example"},
                                     std::pair{"LF.LF", "t1.shop.example"},
                                     std::pair{"LF.CRLF", "t1.shop.example"},
                                     std::pair{"CRLF.LF", "t1.shop.example"},
                                     std::pair{"LF.LF with login", "t1.shop.example"},
                                     std::pair{"to be replayed", "t2.shop.example"},
                                     std::pair{"replay, own From", "t1.shop.example"}}) {
    expectSigned(name, domain);
  }
  EXPECT_EQ(theRun().of("marketing").mails.at(0).to, "relay");
  EXPECT_EQ(theRun().of("no From").mails.at(0).authors, std::vector<std::string>{"a@t1.shop.example"});

  for (const char* name : {"From sibling",
                           "From platform",
                           "From other custom domain",
                           "From common",
                           "From forwarding",
                           "From return path",
                           "From below common",
                           "From comment",
                           "From quoted domain",
                           "From two authors",
                           "From group",
                           "From empty",
                           "From no domain",
                           "From two addresses",
                           "From quoted pair",
                           "From folded",
                           "two From",
                           "two From, other order",
                           "two From, odd spelling",
                           "return path, other author",
                           "return path, subdomain author",
                           "return path as author",
                           "replay"}) {
    expectRefused(name, "550 5.7.1");
  }
  for (const char* name : {"envelope of another", "percent", "percent to another", "bang", "source route",
                           "host of ours", "row common", "suspended tenant"}) {
    expectRefused(name, "553");
  }
  for (const char* name :
       {"null sender", "null sender, own", "quoted local part", "two at signs", "non-ASCII", "no login",
        "webapp from outside", "webapp, foreign sender", "webapp, common", "webapp, row common", "webapp, null sender",
        "webapp, suspended", "forward, forged envelope", "forward, forged bounce domain", "forward, non-ASCII envelope",
        "relay for the application", "relay for an outsider"}) {
    expectRefused(name, "554");
  }
  expectRefused("login with realm", "535");
  expectRefused("return path not known yet", "451");  // "cannot tell" is not "no"

  // Forwards never meet the signer.
  for (const char* name : {"forward", "forward, forged From", "signer down, forward"}) {
    const Outcome& outcome = theRun().of(name);
    ASSERT_EQ(outcome.mails.size(), 1U) << name << ": " << outcome.reply;
    EXPECT_TRUE(outcome.mails[0].verified.empty() && outcome.mails[0].broken.empty()) << name;
  }
  // Nothing leaves unsigned.
  expectRefused("signer down", "45");
  expectRefused("sendmail by another user", "");
  EXPECT_NE(theRun().of("sendmail by another user").reply, "0");
  const Outcome& local = theRun().of("sendmail by root");
  ASSERT_EQ(local.mails.size(), 1U);
  EXPECT_EQ(local.mails[0].verified, (std::set<std::string>{"t1.shop.example", std::string(kCommon)}));
  // Bounces go to the sender that was checked, signed by the host.
  const Outcome& bounce = theRun().of("bounce");
  ASSERT_EQ(bounce.mails.size(), 1U) << bounce.reply;
  EXPECT_EQ(bounce.mails[0].sender, "");
  EXPECT_EQ(bounce.mails[0].verified, (std::set<std::string>{"out1.shop.example", std::string(kCommon)}));

  // What is signed, and that it is signed once more than present (RFC 6376 section 8.15).
  for (const auto& headers : theRun().of("marketing").mails.at(0).signedHeaders) {
    for (const auto& [field, times] :
         {std::pair{"from", 2}, std::pair{"subject", 2}, std::pair{"message-id", 2}, std::pair{"list-unsubscribe", 2},
          std::pair{"list-unsubscribe-post", 2}, std::pair{"reply-to", 1}, std::pair{"cc", 1}}) {
      EXPECT_EQ(std::count(headers.begin(), headers.end(), field), times) << field;
    }
  }

  // What the lines that close the chain are worth.
  expectSigned("no From check: honest", "t1.shop.example");
  expectSigned("no From check: sibling", "t1.shop.example");  // not aligned: the receiver's DMARC has to refuse it
  expectSigned("no From check: common", "t1.shop.example");   // aligned by the common signature: nobody refuses it
  expectSigned("naive: sibling", "t2.shop.example");          // one tenant speaks for another
  expectSigned("macro missing, no From check: sibling", "t2.shop.example");  // and so, without a word, here
  // author.lua fails closed. The last finds no key before it comes to the script: 451.
  expectRefused("macro missing: honest", "550 5.7.1");
  expectRefused("macro missing: sibling", "550 5.7.1");
  expectRefused("macro missing: common", "451");
}

}  // namespace
}  // namespace mailzone
