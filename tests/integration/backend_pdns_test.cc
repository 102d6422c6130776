// mailzone-backend as a process, behind a real PowerDNS with the snippet that we ship, over a tenant database that is
// written by plain SQL.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "system/process.h"
#include "tenantdb/migrator.h"
#include "tests/support/backend_process.h"
#include "tests/support/engines.h"
#include "tests/support/pdns_server.h"
#include "tests/support/temporary_mariadb.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone {
namespace {

using namespace std::chrono_literals;
using test::DnsQuestion;
using test::DnsReply;
using test::eventually;
using test::kPublicKey;
using test::sqliteSettings;
using Backend = test::BackendProcess;
using Clock = std::chrono::steady_clock;

constexpr int kNoError = 0, kServfail = 2, kNxdomain = 3;

DnsQuestion question(std::string_view name, std::string_view type) {
  DnsQuestion out;
  out.name = DnsName::parse(name).value();
  out.type = RecordType::parse(type).value();
  return out;
}

class BackendPdns : public testing::Test {
 protected:
  void SetUp() override {
    connection = database.connect();
    test::seedPlatform(*connection);
    test::giveKey(*connection, "t1.shop.example", "mz1", true);
    test::must(*connection, "UPDATE dkim_key SET public_key = ?", {std::string(kPublicKey)});
    for (const char* row : {
             "(1, 'a.b.c.shop.example', 'TXT', '\"deep\"')",
             "(1, '*.wild.shop.example', 'A', '192.0.2.80')",
             "(1, 'given.wild.shop.example', 'TXT', '\"given\"')",
             "(1, 'alias.shop.example', 'CNAME', 't1.shop.example.')",
             "(1, 'custom.shop.example', 'NS', 'ns.custom.shop.example.')",
             "(1, 'ns.custom.shop.example', 'A', '192.0.2.81')",
             "(2, 'dkim.shop.example', 'NS', 'ns1.shop.example.')",
             "(3, 'rp.shop.example', 'NS', 'ns1.shop.example.')",
             "(4, '2.0.192.in-addr.arpa', 'NS', 'ns1.shop.example.')",
         }) {
      test::must(*connection, fmt::format("INSERT INTO static_record (zone_id, owner, type, content) VALUES {}", row));
    }
  }
  void startBoth() {
    backend.startReady();
    if (HasFatalFailure()) return;
    pdns.emplace(backend.socket());
  }
  [[nodiscard]] Result<DnsReply> ask(std::string_view name, std::string_view type) const {
    return test::query(pdns->server(), name, type);
  }
  [[nodiscard]] int rcode(std::string_view name, std::string_view type) const {
    const auto reply = ask(name, type);
    return reply ? reply->rcode : -1;
  }
  [[nodiscard]] bool answers(std::string_view name, std::string_view type, std::string_view text) const {
    const auto reply = ask(name, type);
    if (!reply || reply->rcode != kNoError) return false;
    for (const auto& content : reply->contents(RecordType::parse(type).value())) {
      if (content.find(text) != std::string::npos) return true;
    }
    return false;
  }

  test::TemporarySqlite database;
  std::unique_ptr<sql::Connection> connection;
  test::TemporaryFolder folder;
  Backend backend{folder.path(), sqliteSettings(database)};
  std::optional<test::PdnsServer> pdns;
};

TEST_F(BackendPdns, AnswersAsTheRulesOfDnsWant) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  struct Row {
    const char* why;
    const char* name;
    const char* type;
    int rcode;
    std::vector<std::string> contents;
  };
  const std::vector<Row> rows = {
      {"a record", "t1.shop.example", "MX", kNoError, {"10 mx1.shop.example."}},
      {"a type that is not there is NODATA", "t1.shop.example", "AAAA", kNoError, {}},
      {"a name that is not there is NXDOMAIN", "nobody.shop.example", "MX", kNxdomain, {}},
      {"below a name that has records", "nobody.t1.shop.example", "TXT", kNxdomain, {}},
      {"an empty non-terminal is NODATA", "_domainkey.t1.shop.example", "TXT", kNoError, {}},
      {"two empty non-terminals", "c.shop.example", "A", kNoError, {}},
      {"two empty non-terminals, the lower one", "b.c.shop.example", "TXT", kNoError, {}},
      {"beside an empty non-terminal", "x.c.shop.example", "TXT", kNxdomain, {}},
      {"a wildcard", "x.wild.shop.example", "A", kNoError, {"192.0.2.80"}},
      {"a wildcard over several labels", "y.x.wild.shop.example", "A", kNoError, {"192.0.2.80"}},
      {"a wildcard without that type", "x.wild.shop.example", "MX", kNoError, {}},
      {"the wildcard's own name", "*.wild.shop.example", "A", kNoError, {"192.0.2.80"}},
      {"the name above a wildcard", "wild.shop.example", "A", kNoError, {}},
      {"a name that exists is not covered by it", "given.wild.shop.example", "A", kNoError, {}},
      {"nothing below a name that exists is either", "x.given.wild.shop.example", "A", kNxdomain, {}},
      {"a parent says NODATA for DS at a delegation within the server", "dkim.shop.example", "DS", kNoError, {}},
      {"an apex", "dkim.shop.example", "NS", kNoError, {"ns1.shop.example."}},
      {"a reverse zone", "25.2.0.192.in-addr.arpa", "PTR", kNoError, {"out1.shop.example."}},
      {"the root of a reverse zone", "2.0.192.in-addr.arpa", "TXT", kNoError, {}},
      {"no address there", "99.2.0.192.in-addr.arpa", "PTR", kNxdomain, {}},
  };
  for (const auto& row : rows) {
    for (const bool mixed : {false, true}) {
      auto asked = question(row.name, row.type);
      asked.mixedCase = mixed;
      const auto reply = test::query(pdns->server(), asked);
      ASSERT_TRUE(reply) << row.why << ": " << describe(reply.error());
      EXPECT_EQ(reply->rcode, row.rcode) << row.why << (mixed ? " (mixed case)" : "") << backend.log();
      EXPECT_TRUE(reply->authoritative) << row.why;
      EXPECT_EQ(reply->contents(asked.type), row.contents) << row.why << (mixed ? " (mixed case)" : "");
      if (!row.contents.empty()) continue;
      ASSERT_EQ(reply->authority.size(), 1U) << row.why;
      EXPECT_EQ(reply->authority[0].type, rrtype::SOA) << row.why << ": a denial carries the zone's SOA";
    }
  }
  const auto deniedBy = [&](std::string_view name, std::string_view type) -> std::string {
    const auto reply = ask(name, type);
    return reply && reply->authority.size() == 1 ? reply->authority[0].owner.textNoDot() : "(no denial)";
  };
  EXPECT_EQ(deniedBy("dkim.shop.example", "DS"), "shop.example") << "DS is asked of the parent's zone";
  EXPECT_EQ(deniedBy("dkim.shop.example", "SRV"), "dkim.shop.example");
  const auto alias = ask("alias.shop.example", "MX");
  ASSERT_TRUE(alias && alias->answer.size() == 2U);
  EXPECT_EQ(alias->answer[0].content, "t1.shop.example.");
  const auto referral = ask("www.custom.shop.example", "A");
  ASSERT_TRUE(referral);
  EXPECT_FALSE(referral->authoritative) << "a delegation is a referral";
  ASSERT_EQ(referral->authority.size(), 1U);
  EXPECT_EQ(referral->authority[0].content, "ns.custom.shop.example.");
  ASSERT_EQ(referral->additional.size(), 1U) << "with its glue";
  EXPECT_EQ(referral->additional[0].content, "192.0.2.81");
  EXPECT_EQ(rcode("elsewhere.example", "A"), 5) << "a zone that is not ours is REFUSED";
}

TEST_F(BackendPdns, TransfersWhatItsLookupsSay) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  Command dig;
  dig.argv = {"dig",     "@127.0.0.1",   "-p",          std::to_string(pdns->server().port),
              "+noall",  "+answer",      "+nottlunits", "+noidnout",
              "+time=5", "shop.example", "AXFR"};
  const auto transfer = run(dig, "", 30s);
  ASSERT_TRUE(transfer && transfer->exitStatus == 0) << transfer->output << transfer->errors;
  std::map<std::pair<std::string, std::string>, std::multiset<std::string>> sets;
  std::istringstream lines(transfer->output);
  int soas = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string owner, ttl, inClass, type, content;
    fields >> owner >> ttl >> inClass >> type >> std::ws;
    std::getline(fields, content);
    if (type.empty()) continue;
    if (type == "SOA" && ++soas == 2) continue;  // a transfer ends with the SOA once more
    sets[{owner, type}].insert(content);
  }
  EXPECT_EQ(soas, 2);
  EXPECT_GT(sets.size(), 20U) << transfer->output;
  for (const auto& [key, contents] : sets) {
    const auto& [owner, type] = key;
    if (owner.find("custom.shop.example") != std::string::npos) continue;  // a delegation: a question gets a referral
    if (owner == "dkim.shop.example." || owner == "rp.shop.example.") continue;  // zones of their own on this server
    const auto reply = ask(owner, type);
    ASSERT_TRUE(reply) << owner << type;
    const auto have = reply->contents(RecordType::parse(type).value());
    EXPECT_EQ(std::multiset<std::string>(have.begin(), have.end()), contents) << owner << " " << type;
  }
}

TEST_F(BackendPdns, SaysServfailAndNeverNxdomainWhileItCannotTell) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(answers("t1.shop.example", "MX", "mx1"));
  // The daemon comes back without its replica and without the database.
  backend.kill();
  std::filesystem::remove_all(folder.path() + "/replica");
  const std::string away = database.path() + ".away";
  std::filesystem::rename(database.path(), away);
  backend.start();
  ASSERT_TRUE(eventually([&] { return backend.watched(); })) << backend.log();
  const auto until = Clock::now() + 3s;  // several refreshes of PowerDNS's list of zones among them
  while (Clock::now() < until) {
    for (const char* name : {"t1.shop.example", "nobody.shop.example", "shop.example"}) {
      const int got = rcode(name, "MX");
      ASSERT_TRUE(got == kServfail || got == -1) << name << ": rcode " << got;
    }
  }
  EXPECT_FALSE(backend.ready(10ms)) << "it does not claim to be ready";
  EXPECT_TRUE(pdns->running()) << pdns->log();
  std::filesystem::rename(away, database.path());
  EXPECT_TRUE(backend.ready()) << backend.log();
  EXPECT_TRUE(eventually([&] { return answers("t1.shop.example", "MX", "mx1"); }, 3s)) << pdns->log();
  EXPECT_EQ(rcode("nobody.shop.example", "MX"), kNxdomain);
}

TEST_F(BackendPdns, FillsABrokenReplicaAgainAndAnswersNothingWrongMeanwhile) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(answers("a.b.c.shop.example", "TXT", "deep"));
  {
    std::fstream file(backend.replicaFile(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    int changed = 0;
    for (auto at = bytes.find("\\\"deep"); at != std::string::npos; at = bytes.find("\\\"deep", at + 1), ++changed) {
      file.clear();
      file.seekp(static_cast<std::streamoff>(at + 2));
      file.put('b');
    }
    ASSERT_GE(changed, 1);
  }
  EXPECT_TRUE(eventually([&] {
    const auto reply = ask("a.b.c.shop.example", "TXT");
    if (!reply || reply->rcode == kServfail) return false;
    EXPECT_EQ(reply->rcode, kNoError);
    EXPECT_EQ(reply->contents(rrtype::TXT), std::vector<std::string>{"\"deep\""});
    return true;
  })) << backend.log();
  EXPECT_NE(backend.log().find("broken"), std::string::npos);
}

TEST_F(BackendPdns, ComesBackAfterItWasKilledWhilePowerDnsStaysUp) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(eventually([&] { return answers("t1.shop.example", "MX", "mx1"); }, 3s)) << round;
    backend.kill();
    const int got = rcode("t2.shop.example", "MX");
    EXPECT_TRUE(got == kServfail || got == -1) << got;
    const auto begun = Clock::now();
    backend.startReady();
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_TRUE(eventually([&] { return answers("t2.shop.example", "MX", "mx1"); }, 3s)) << pdns->log();
    EXPECT_LT(Clock::now() - begun, 3s);
    EXPECT_TRUE(pdns->running());
  }
  // A stop of the process, such as of its machine's memory: PowerDNS is still there afterwards.
  backend.signal(SIGSTOP);
  for (int i = 0; i < 4; ++i) EXPECT_NE(rcode("t1.shop.example", "MX"), kNxdomain);
  backend.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return answers("t1.shop.example", "MX", "mx1"); }, 3s));
  EXPECT_TRUE(pdns->running());
}

TEST_F(BackendPdns, GoesOnFromTheReplicaWithoutTheDatabaseAndCatchesUp) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  connection.reset();
  std::filesystem::rename(database.path(), database.path() + ".away");
  backend.kill();
  backend.startReady();
  ASSERT_FALSE(HasFatalFailure()) << "a warm replica is enough to be ready";
  EXPECT_TRUE(eventually([&] { return answers("t1.shop.example", "MX", "mx1"); }, 3s));
  EXPECT_EQ(rcode("t7.shop.example", "MX"), kNxdomain);
  std::filesystem::rename(database.path() + ".away", database.path());
  test::must(*database.connect(), "INSERT INTO tenant (platform_id, slug) VALUES (1, 't7')");
  EXPECT_TRUE(eventually([&] { return answers("t7.shop.example", "MX", "mx1"); }, 3s)) << backend.log();
}

TEST_F(BackendPdns, SaysWhyItCannotStart) {
  backend.startReady();
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_TRUE(backend.watched()) << "it tells the watchdog that it answers";
  const auto outcome = [&](std::vector<std::string> arguments) {
    Command command;
    command.argv = {MAILZONE_BINARY_DIR "/bin/mailzone-backend"};
    for (auto& each : arguments) command.argv.push_back(std::move(each));
    return run(command, "", 20s).value();
  };
  const auto second = outcome({"--config", backend.config()});
  EXPECT_EQ(second.exitStatus, 69) << second.errors;
  EXPECT_NE(second.errors.find("in use"), std::string::npos) << second.errors;
  EXPECT_EQ(outcome({"--version"}).output, "mailzone-backend " MAILZONE_VERSION "\n");
  EXPECT_EQ(outcome({"--check-config", "--config", backend.config()}).exitStatus, 0);
  EXPECT_EQ(outcome({"--no-such-option"}).exitStatus, 2);
  EXPECT_EQ(outcome({"--config"}).exitStatus, 2);
  EXPECT_EQ(outcome({"--config", folder.path() + "/nowhere.toml"}).exitStatus, 78);
  const std::string other = folder.path() + "/other.toml";
  std::ofstream(other) << "[backend]\nno_such_setting = 1\n";
  EXPECT_EQ(outcome({"--config", other}).exitStatus, 78);
  // A program that could read the private keys refuses to start.
  std::ofstream(other) << fmt::format("[database]\nengine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n",
                                      database.path(), database.secretsPath());
  EXPECT_EQ(outcome({"--config", other}).exitStatus, 78);
  // A reload with wrong settings keeps the old ones.
  std::ofstream(backend.config()) << "[backend]\nno_such_setting = 1\n";
  backend.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return backend.log().find("old ones stay") != std::string::npos; })) << backend.log();
  EXPECT_TRUE(backend.running());
  EXPECT_EQ(backend.terminate(), 0) << backend.log();
  EXPECT_FALSE(std::filesystem::exists(backend.socket()));
}

/// COMMIT by a stock client -> answered by PowerDNS: the slowest of 100.
void measureFreshness(const test::PdnsServer& pdns, const char* engine, const Command& client,
                      const std::function<std::string()>& backendLog) {
  std::chrono::milliseconds slowest{0};
  for (int trial = 0; trial < 100; ++trial) {
    const auto slug = fmt::format("fresh{}", trial);
    const auto outcome =
        run(client, fmt::format("INSERT INTO tenant (platform_id, slug) VALUES (1, '{}');\n", slug), 20s);
    ASSERT_TRUE(outcome && outcome->exitStatus == 0) << outcome->errors;
    const auto committed = Clock::now();  // not before the client has ended: the COMMIT was a little earlier
    const auto name = slug + ".shop.example";
    ASSERT_TRUE(eventually(
        [&] {
          const auto reply = test::query(pdns.server(), name, "MX");
          return reply && reply->rcode == kNoError && reply->answer.size() == 1;
        },
        5s))
        << name << "\n"
        << "\n"
        << pdns.log() << backendLog();
    for (const auto& owner : {name, "_dmarc." + name}) {
      EXPECT_EQ(test::query(pdns.server(), owner, "TXT")->answer.size(), 1U) << owner;
    }
    slowest = std::max(slowest, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - committed));
  }
  fmt::print("plain INSERT on {} -> answered by PowerDNS: 100 trials, the slowest took {} ms\n", engine,
             slowest.count());
  EXPECT_LT(slowest, 1000ms);
}

TEST_F(BackendPdns, AnswersAPlainInsertOfTheStockSqliteClientWithinASecond) {
  startBoth();
  ASSERT_FALSE(HasFatalFailure());
  Command client;
  client.argv = {"sqlite3",
                 "-batch",
                 "-bail",
                 "-cmd",
                 "PRAGMA foreign_keys=on",
                 "-cmd",
                 "PRAGMA recursive_triggers=on",
                 "-cmd",
                 ".timeout 5000",
                 database.path()};
  measureFreshness(*pdns, "SQLite", client, [&] { return backend.log(); });
}

TEST(BackendMariadb, AnswersAPlainInsertOfTheStockMariadbClientWithinASecondAndOutlivesTheServer) {
  test::TemporaryMariadb mariadb({});
  const auto name = mariadb.newMigratedDatabase();
  auto connection = mariadb.connect(name).value();
  test::seedPlatform(*connection);
  std::vector<tenantdb::RoleAccount> accounts(1);
  accounts[0].role = "dns";
  accounts[0].user = "mailzone_dns";
  accounts[0].password = Secret("a password");
  const auto granted = tenantdb::Migrator(*connection).grantRoles(accounts);
  ASSERT_TRUE(granted) << describe(granted.error());
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/dns.password") << "a password\n";
  std::filesystem::permissions(folder.path() + "/dns.password", std::filesystem::perms::owner_read);
  Backend backend(folder.path(), fmt::format("engine = \"mysql\"\nunix_socket = \"{}\"\nname = \"{}\"\n"
                                             "[database.roles.dns]\nuser = \"mailzone_dns\"\npassword_file = \"{}\"\n",
                                             mariadb.socket(), name, folder.path() + "/dns.password"));
  backend.startReady();
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  const test::PdnsServer pdns(backend.socket());
  Command client;
  client.argv = {"mariadb", "--no-defaults", "--batch", "--user=root", "--socket=" + mariadb.socket(), name};
  measureFreshness(pdns, "MariaDB", client, [&] { return backend.log(); });
  connection.reset();
  mariadb.kill();
  backend.kill();
  backend.startReady();
  EXPECT_TRUE(eventually([&] {
    const auto reply = test::query(pdns.server(), "fresh99.shop.example", "MX");
    return reply && reply->answer.size() == 1;
  })) << "the replica answers while the database server is dead: "
      << backend.log();
}

}  // namespace
}  // namespace mailzone
