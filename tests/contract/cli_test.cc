// The real `mailzone` on real databases: every verb's document as a golden that both engines meet, the inputs that it
// refuses, and its exit statuses.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "cli/document.h"
#include "rotation/key_generation.h"
#include "rotation/key_store.h"
#include "tests/support/dns_server.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/temporary_mariadb.h"

namespace mailzone {
namespace {

using cli::Document;
using testing::DnsServer;
using testing::FakeResolver;

struct Ran {
  int status = -1;
  std::string out, err;
};

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> wordsOf(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// A machine with its settings and its database of one engine.
class Machine {
 public:
  explicit Machine(sql::Dialect dialect) : dialect_(dialect) {
    if (dialect == sql::Dialect::mysql) mysqlName_ = test::TemporaryMariadb::shared().newDatabase();
    writeSettings("127.0.0.1@1");
  }
  void writeSettings(const std::string& resolver) const {
    std::ofstream file(folder_.path() + "/m.toml");
    file << "[backend]\nsocket = \"" << folder_.path() << "/backend.sock\"\n[resolver]\nservers = [\"" << resolver
         << "\"]\ntimeout_ms = 2000\n[database]\n";
    if (dialect_ == sql::Dialect::sqlite) {
      file << "path = \"" << folder_.path() << "/m.db\"\nsecrets_path = \"" << folder_.path() << "/s.db\"\n";
    } else {
      file << "engine = \"mysql\"\nunix_socket = \"" << test::TemporaryMariadb::shared().socket() << "\"\nname = \""
           << mysqlName_ << "\"\nroles.admin.user = \"root\"\n";
    }
  }

  Ran run(const std::string& line, const std::string& input = "") const { return runWords(wordsOf(line), input); }
  Ran runWords(std::vector<std::string> words, const std::string& input = "") const {
    words.insert(words.begin(), {MAILZONE_BINARY_DIR "/bin/mailzone", "--config", folder_.path() + "/m.toml"});
    const std::string in = file("in", input), out = folder_.path() + "/out", err = folder_.path() + "/err";
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(::open(in.c_str(), O_RDONLY), 0);
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contentOf(out), contentOf(err)};
  }
  /// Must succeed; the document.
  Document json(const std::string& line, const std::string& input = "", int status = 0) const {
    const Ran ran = run(line + " --json", input);
    EXPECT_EQ(ran.status, status) << line << ": " << ran.err;
    EXPECT_EQ(ran.err, "") << line;
    auto document = Document::parse(ran.out, 1 << 24);
    EXPECT_TRUE(document.has_value()) << line << ": " << ran.out;
    return document.value_or(Document());
  }
  std::string file(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] std::unique_ptr<sql::Connection> connect() const {
    if (dialect_ == sql::Dialect::mysql) return test::TemporaryMariadb::shared().connect(mysqlName_).value();
    sql::SqliteOptions options;
    options.path = folder_.path() + "/m.db";
    options.secretsPath = folder_.path() + "/s.db";
    return sql::openSqlite(options).value();
  }
  /// The platform: shop.example with a pool and a stream.
  void seed() const {
    for (const char* line :
         {"db migrate", "platform add shop.example --ns ns1.shop.example=192.0.2.53 --mx mx1.shop.example",
          "ip add 192.0.2.25 mx1.shop.example --pool main", "stream add webapp --pool main", "tenant add t1",
          "tenant add t2"}) {
      const Ran ran = run(line);
      ASSERT_EQ(ran.status, 0) << line << ": " << ran.err;
    }
  }

 private:
  sql::Dialect dialect_;
  test::TemporaryFolder folder_;
  std::string mysqlName_;
};

void onBoth(const std::function<void(const Machine&)>& body) {
  for (const sql::Dialect dialect : {sql::Dialect::sqlite, sql::Dialect::mysql}) {
    SCOPED_TRACE(dialect == sql::Dialect::sqlite ? "SQLite" : "MariaDB");
    const Machine machine(dialect);
    body(machine);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

/// What differs between two runs, and between the engines, is named instead.
std::string normalised(std::string text, const std::string& folder) {
  for (std::size_t at = 0; (at = text.find(folder)) != std::string::npos;) text.replace(at, folder.size(), "FOLDER");
  const std::pair<const char*, const char*> rules[] = {
      {"[0-9a-f]{64}", "FINGERPRINT"},
      {"[0-9a-f]{32}", "TOKEN"},
      {"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{15}", "TIME"},
      {"\"(serial|feed_head|feed_waiting|schema_version|version)\": [0-9]+", "\"$1\": 0"},
      {"\"database\": \"(sqlite|mysql)\"", "\"database\": \"ENGINE\""},
      {"\"(backend_running|rotate_running)\": (true|false)", "\"$1\": false"},
      {"(SOA [^ ]+ [^ ]+ |hostmaster.shop.example. )[0-9]+", "$010"},
      {"p=[A-Za-z0-9+/=]{16,}", "p=KEY"},
      {"[ \\n]*\"[0-9]{4}_[a-z_]+\",?", ""},
      {"(\"generation\": )\"[^\"]*\"", "$1\"GENERATION\""},
  };
  for (const auto& [pattern, with] : rules) text = std::regex_replace(text, std::regex(pattern), with);
  return text;
}

void expectGolden(const std::string& name, const Document& document, const std::string& folder) {
  const Document* schema = document.find("schema");
  ASSERT_TRUE(schema != nullptr && schema->text() != nullptr) << name;
  EXPECT_EQ(*schema->text(), "mailzone/" + name + "/1");
  const std::string path = MAILZONE_SOURCE_DIR "/tests/golden/cli/" + name + ".json";
  const std::string text = normalised(document.json(), folder);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(contentOf(path), text) << name << ": write it again with UPDATE_GOLDEN=1";
}

/// What mailzone-rotate does: a real key in a slot, which signs when it is proven.
void giveKey(sql::Connection& connection, const std::string& domain, Slot slot, bool active) {
  const TimePoint now = SystemClock().now();
  rotation::DatabaseKeyStore store(connection);
  const auto key = rotation::generateRsaKey(rotation::kRsaBits, now);
  ASSERT_TRUE(key.has_value() && store.insertKey(*key).has_value());
  const auto id =
      static_cast<DomainId>(std::stoll(test::one(connection, "SELECT id FROM domain WHERE name = ?", {domain})));
  const auto row = store.assignSpare(id, slot, now);
  ASSERT_TRUE(row.has_value() && row->has_value());
  if (!active) return;
  auto generation = store.setFact((*row)->id, (*row)->generation, tenantdb::KeyFact::published, now);
  ASSERT_TRUE(generation.has_value());
  generation = store.setFact((*row)->id, *generation, tenantdb::KeyFact::proven, now);
  ASSERT_TRUE(generation.has_value());
  ASSERT_TRUE(store.activate((*row)->id, *generation, now).has_value());
}

/// The DNS as it is when the customer has set everything.
FakeResolver dnsOf(const Machine& machine, const std::string& domain) {
  FakeResolver dns;
  const Document shown = machine.json("domain show " + domain);
  if (shown.find("records") == nullptr) throw std::runtime_error("no records");
  for (const Document& record : *shown.find("records")->array()) {
    const DnsName name = FakeResolver::name(*record.find("name")->text());
    const std::string& value = *record.find("value")->text();
    if (*record.find("type")->text() != "CNAME") continue;
    dns.cnameRecords[name] = FakeResolver::name(value);
    const Document target = machine.json("dns lookup " + value + " TXT --from db");
    for (const Document& set : *(*target.find("sources")->array())[0].find("records")->array()) {
      for (const Document& content : *set.find("contents")->array()) {
        dns.txtRecords[FakeResolver::name(value)].push_back(txtText(*content.text()).value());
      }
    }
  }
  return dns;
}

TEST(Cli, DocumentsOfEveryVerbAreTheGoldenOnesOnBothEngines) {
  onBoth([](const Machine& m) {
    const auto golden = [&](const std::string& name, const std::string& line, const std::string& input = "",
                            int status = 0) { expectGolden(name, m.json(line, input, status), m.folder()); };
    golden("db-migrate", "db migrate");
    golden("platform-add",
           "platform add shop.example --ns ns1.shop.example=192.0.2.53 --mx mx1.shop.example=5 --rua "
           "mailto:dmarc@shop.example");
    golden("platform-show", "platform show");
    golden("zone-add", "zone add 192.0.2.0/24");
    golden("ip-add", "ip add 192.0.2.25 mx1.shop.example --pool main");
    golden("ip-list", "ip list");
    golden("stream-add", "stream add webapp --pool main");
    golden("stream-list", "stream list");
    golden("tenant-add", "tenant add t1 --external-id 17 --dmarc-policy reject");
    golden("tenant-show", "tenant show t1");
    golden("tenant-suspend", "tenant suspend t1");
    golden("tenant-resume", "tenant resume t1");
    const std::string csv = m.file("t.csv", "slug,external_id,signing\nt2,,common\nt3,\"18\",\nt1x,19,own\n");
    golden("tenant-add-from", "tenant add --from " + csv);
    golden("tenant-list", "tenant list");
    golden("tenant-rename", "tenant rename t1x t4");
    golden("tenant-remove", "tenant remove t4");
    golden("login-add", "login add owner@t1.shop.example --tenant t1 --password-file -", "correct horse\n");
    golden("login-list", "login list");
    golden("login-remove", "login remove owner@t1.shop.example");
    golden("domain-add", "domain add custom.example --tenant t1 --external-id d-1");
    golden("domain-show", "domain show custom.example");
    const auto connection = m.connect();
    giveKey(*connection, "custom.example", Slot::mz1, true);
    giveKey(*connection, "custom.example", Slot::mz2, false);
    golden("key-list", "key list --domain custom.example");
    FakeResolver dns = dnsOf(m, "custom.example");
    dns.txtRecords[FakeResolver::name("_spf.relay.example")] = {"v=spf1 ip4:198.51.100.0/24 -all"};
    {
      const DnsServer server(dns);
      m.writeSettings(server.address());
      golden("domain-verify", "domain verify custom.example");
      golden("relay-add", "relay add bulk --spf-include _spf.relay.example --envelope own");
    }
    golden("domain-list", "domain list");
    golden("relay-list", "relay list");
    golden("stream-remove", "stream remove webapp");
    golden("zone-import", "zone import shop.example " +
                              m.file("z",
                                     "$TTL 300\n@ SOA ns1 hostmaster 7 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.53\nwww A "
                                     "192.0.2.80\n"));
    golden("zone-list", "zone list");
    golden("zone-show", "zone show shop.example");
    golden("dns-lookup", "dns lookup WWW.shop.example A --from db");
    golden("domain-remove", "domain remove custom.example");
    golden("ip-remove", "ip remove 192.0.2.25");
    golden("db-check", "db check", "", 1);
    golden("status", "status", "", 1);
  });
}

TEST(Cli, SameInputAgainIsNoChangeAndNoError) {
  onBoth([](const Machine& m) {
    m.seed();
    for (const char* line :
         {"db migrate", "platform add shop.example --ns ns1.shop.example=192.0.2.53 --mx mx1.shop.example",
          "ip add 192.0.2.25 mx1.shop.example --pool main", "stream add webapp --pool main", "tenant add t1",
          "tenant resume t1", "tenant remove nobody", "tenant rename t1 t1", "login remove nobody",
          "ip remove 192.0.2.99", "domain remove nobody.example", "stream remove nothing"}) {
      const Document document = m.json(line);
      ASSERT_NE(document.find("changed"), nullptr) << line;
      EXPECT_FALSE(*document.find("changed")->flag()) << line;
    }
    m.json("domain add custom.example --tenant t1");
    EXPECT_FALSE(*m.json("domain add custom.example --tenant t1").find("changed")->flag());
    EXPECT_EQ(m.run("tenant add t1 --external-id other").status, 1);
    EXPECT_FALSE(*m.json("tenant add t1 --external-id other --if-not-exists").find("changed")->flag());
  });
}

TEST(Cli, DryRunChangesNothing) {
  onBoth([](const Machine& m) {
    EXPECT_EQ(m.run("db migrate --dry-run").status, 0);
    EXPECT_NE(m.run("tenant list").status, 0) << "a dry run of the migration made no database";
    m.seed();
    for (const char* line :
         {"tenant add t9", "tenant remove t1", "tenant rename t1 t9", "tenant suspend t1",
          "domain add custom.example --tenant t1", "ip remove 192.0.2.25", "zone add 192.0.2.0/24"}) {
      const Document document = m.json(std::string(line) + " --dry-run");
      EXPECT_TRUE(*document.find("changed")->flag()) << line;
      EXPECT_TRUE(*document.find("dry_run")->flag()) << line;
      EXPECT_TRUE(*m.json(std::string(line) + " --dry-run").find("changed")->flag()) << line << ", still to be done";
    }
    EXPECT_EQ(m.run("tenant add sig --dry-run").status, 1) << "a dry run meets the rules of the schema";
  });
}

TEST(Cli, RefusesBadInputAndSaysWhy) {
  onBoth([](const Machine& m) {
    m.seed();
    m.json("domain add taken.example --tenant t2");
    const std::string l64(64, 'a'), l63(63, 'a');
    struct Row {
      const char* why;
      std::string line, part;
    };
    const Row rows[] = {
        {"slug of 64 octets", "tenant add " + l64, "is no slug"},
        {"slug of two labels", "tenant add a.b", "is no slug"},
        {"slug with an underscore", "tenant add a_b", "is no slug"},
        {"reserved slug", "tenant add sig", "reserved"},
        {"duplicate slug with another id", "tenant add t1 --external-id 5", "is there already"},
        {"unknown policy", "tenant add t5 --dmarc-policy harsh", "write one of none, quarantine, reject"},
        {"name too long", "domain add " + l63 + "." + l63 + "." + l63 + "." + l63 + ".example --tenant t1",
         "is no domain"},
        {"bad label", "domain add x-.example --tenant t1", "letters, digits and inner hyphens"},
        {"public suffix", "domain add co.uk --tenant t1", "is a public suffix"},
        {"another tenant's", "domain add taken.example --tenant t1", "another owner"},
        {"below another tenant's", "domain add shop.taken.example --tenant t1", "taken.example"},
        {"the platform's", "domain add shop.example --tenant t1", "shop.example"},
        {"below the platform's", "domain add x.shop.example --tenant t1", "shop.example"},
        {"a sibling's", "domain add t2.shop.example --tenant t1", "t2.shop.example"},
        {"unknown tenant", "domain add custom.example --tenant nobody", "nobody"},
        {"no such domain", "domain show nobody.example", "is no domain here"},
        {"no such tenant", "tenant show nobody", "is no tenant here"},
        {"rename to a taken slug", "tenant rename t1 t2", "t2"},
        {"address that is none", "ip add 192.0.2.256 mx1.shop.example --pool main", "is no IPv4 or IPv6 address"},
        {"host that is none", "ip add 192.0.2.26 mx_1.shop.example --pool main", "is no host name"},
        {"stream by both", "stream add x --pool main --relay r", "exactly one"},
        {"stream by an unknown pool", "stream add x --pool none", "none"},
        {"login for an unknown tenant", "login add a --tenant nobody --password-file " + m.file("p", "correct horse"),
         "nobody"},
        {"login for another tenant's domain",
         "login add a --tenant t1 --domain t2.shop.example --password-file " + m.file("p", "correct horse"),
         "t2.shop.example"},
        {"password open to others", "login add a --tenant t1 --password-file " + m.file("o", "correct horse", 0644),
         "open to everybody"},
        {"type that is none", "dns lookup a.shop.example WHAT --from db", "WHAT"},
        {"reverse zone within an octet", "zone add 192.0.2.0/25", "does not end at a label"},
        {"zone that is not there", "zone show nowhere.example", "is no zone here"},
        {"verification of a subdomain", "domain verify t1.shop.example", "needs no verification"},
    };
    for (const Row& row : rows) {
      const Ran ran = m.run(row.line + " --json");
      EXPECT_EQ(ran.status, 1) << row.why << ": " << ran.out;
      EXPECT_EQ(ran.out, "") << row.why;
      const auto error = Document::parse(ran.err, 1 << 20);
      ASSERT_TRUE(error.has_value()) << row.why << ": " << ran.err;
      EXPECT_NE(error->find("message")->text()->find(row.part), std::string::npos) << row.why << ": " << ran.err;
      EXPECT_EQ(*error->find("schema")->text(), "mailzone/error/1") << row.why;
      EXPECT_EQ(*error->find("status")->number(), 1) << row.why;
      EXPECT_FALSE(error->find("code")->text()->empty()) << row.why;
    }
  });
}

TEST(Cli, BulkAddIsAllOrNothing) {
  onBoth([](const Machine& m) {
    m.seed();
    const auto tenants = [&] { return m.json("tenant list").find("tenants")->array()->size(); };
    struct Row {
      const char* why;
      std::string name, content, part;
    };
    const Row rows[] = {
        {"one bad line", "a.csv", "slug\nx1\nx_2\nx3\n", "a.csv:3: x_2"},
        {"a reserved slug", "b.csv", "slug\nx1\nx2\nsrs\n", "b.csv:4: "},
        {"one slug twice", "c.csv", "slug\nx1\nX1\n", "stands in line 2 already"},
        {"one id twice", "d.csv", "slug,external_id\nx1,7\nx2,7\n", "stands in line 2 already"},
        {"there already, otherwise", "e.csv", "slug,external_id\nx1,\nt1,7\n", "e.csv:3: t1"},
        {"unknown column", "f.csv", "slug,colour\nx1,red\n", "is no column"},
        {"no column slug", "g.csv", "external_id\n7\n", "no column slug"},
        {"too few fields", "h.csv", "slug,external_id\nx1\n", "has 1 fields, the heading has 2"},
        {"open quote", "i.csv", "slug\n\"x1\n", "a quote is not closed"},
        {"bad JSON line", "j.jsonl", "{\"slug\":\"x1\"}\n{\"slug\":\n", "j.jsonl:2: "},
        {"unknown member", "k.jsonl", "{\"slug\":\"x1\",\"colour\":\"red\"}\n", "is no member of a tenant"},
        {"number for a text", "l.jsonl", "{\"slug\":7}\n", "is no text"},
        {"line over 4096 octets", "m.csv", "slug\n" + std::string(4097, 'a') + "\n", "longer than 4096 octets"},
        {"neither form", "n.txt", "slug\nx1\n", "neither .csv nor .jsonl"},
    };
    const std::size_t before = tenants();
    for (const Row& row : rows) {
      const Ran ran = m.run("tenant add --from " + m.file(row.name, row.content));
      EXPECT_EQ(ran.status, 1) << row.why << ": " << ran.out;
      EXPECT_NE(ran.err.find(row.part), std::string::npos) << row.why << ": " << ran.err;
    }
    EXPECT_EQ(tenants(), before) << "nothing was applied";
    std::string many = "slug\n";
    for (int i = 0; i < 200; ++i) many += "m" + std::to_string(i) + "\n";
    const std::string file = m.file("many.csv", many);
    EXPECT_EQ(*m.json("tenant add --dry-run --from " + file).find("added")->number(), 200);
    EXPECT_EQ(tenants(), before);
    EXPECT_EQ(*m.json("tenant add --from " + file).find("added")->number(), 200);
    EXPECT_EQ(tenants(), before + 200);
    EXPECT_EQ(*m.json("tenant add --from " + file).find("unchanged")->number(), 200) << "the same file again";
  });
}

TEST(Cli, VerificationKeepsNoAndCannotTellApart) {
  onBoth([](const Machine& m) {
    m.seed();
    m.json("domain add custom.example --tenant t1");
    const auto state = [&] { return *m.json("domain show custom.example").find("domain")->find("state")->text(); };
    EXPECT_EQ(m.run("domain verify custom.example").status, 75) << "no keys yet";
    const auto connection = m.connect();
    giveKey(*connection, "custom.example", Slot::mz1, false);  // the look itself proves it
    giveKey(*connection, "custom.example", Slot::mz2, false);
    const FakeResolver right = dnsOf(m, "custom.example");
    const DnsName mz2 = FakeResolver::name("mz2._domainkey.custom.example");
    {
      FakeResolver wrong = right;
      wrong.cnameRecords.erase(mz2);
      const DnsServer server(wrong);
      m.writeSettings(server.address());
      const Ran ran = m.run("domain verify custom.example");
      EXPECT_EQ(ran.status, 1);
      EXPECT_NE(ran.out.find("mz2._domainkey"), std::string::npos) << ran.out;
      EXPECT_EQ(state(), "unverified");
    }
    {
      FakeResolver broken = right;
      broken.cnameRecords.erase(mz2);
      broken.servfail.insert(mz2);
      const DnsServer server(broken);
      m.writeSettings(server.address());
      const Ran ran = m.run("domain verify custom.example");
      EXPECT_EQ(ran.status, 75) << ran.out << ran.err;
      EXPECT_EQ(state(), "unverified");
    }
    {
      const DnsServer server(right);
      m.writeSettings(server.address());
      EXPECT_EQ(m.run("domain verify custom.example --dry-run").status, 0);
      EXPECT_EQ(state(), "unverified");
      EXPECT_TRUE(*m.json("domain verify custom.example").find("changed")->flag());
      EXPECT_FALSE(*m.json("domain verify custom.example").find("changed")->flag());
      EXPECT_EQ(state(), "verified");
    }
    {
      const DnsServer server{FakeResolver{}};
      m.writeSettings(server.address());
      EXPECT_EQ(m.run("domain verify custom.example").status, 1);
      EXPECT_EQ(state(), "verified") << "one look makes no domain unverified";
    }
  });
}

TEST(Cli, RelayThatBreaksTheLookupBudgetIsRefused) {
  const Machine m(sql::Dialect::sqlite);
  m.seed();
  FakeResolver dns;
  std::string wide = "v=spf1";
  for (int i = 0; i < 10; ++i) {
    wide += " include:i" + std::to_string(i) + ".relay.example";
    dns.txtRecords[FakeResolver::name("i" + std::to_string(i) + ".relay.example")] = {"v=spf1 -all"};
  }
  dns.txtRecords[FakeResolver::name("wide.relay.example")] = {wide + " -all"};
  dns.txtRecords[FakeResolver::name("good.relay.example")] = {"v=spf1 ip4:198.51.100.25 -all"};
  dns.servfail.insert(FakeResolver::name("broken.relay.example"));
  const DnsServer server(dns);
  m.writeSettings(server.address());
  const Ran wideRan = m.run("relay add wide --spf-include wide.relay.example --envelope own");
  EXPECT_EQ(wideRan.status, 1);
  EXPECT_NE(wideRan.err.find("costs 11 of the 10 DNS lookups"), std::string::npos) << wideRan.err;
  EXPECT_EQ(m.run("relay add none --spf-include none.relay.example").status, 1) << "no such record";
  EXPECT_EQ(m.run("relay add broken --spf-include broken.relay.example").status, 75) << "cannot tell";
  EXPECT_EQ(m.run("relay add good --spf-include good.relay.example").status, 0);
}

TEST(Cli, WaitRunsOutWithWhatIsMissing) {
  const Machine m(sql::Dialect::sqlite);
  m.seed();
  const Ran ran = m.run("tenant add t3 --wait=0");
  EXPECT_EQ(ran.status, 3);
  EXPECT_NE(ran.out.find("missing: t3.shop.example has no active key"), std::string::npos) << ran.out;
  const auto connection = m.connect();
  giveKey(*connection, "t3.shop.example", Slot::mz1, true);
  FakeResolver dns;
  const Document zone = m.json("zone show shop.example");
  for (const Document& set : *zone.find("records")->array()) {
    if (*set.find("type")->text() != "TXT") continue;
    for (const Document& content : *set.find("contents")->array()) {
      dns.txtRecords[FakeResolver::name(*set.find("name")->text())].push_back(txtText(*content.text()).value());
    }
  }
  {
    FakeResolver without = dns;
    without.txtRecords.erase(FakeResolver::name("_dmarc.t3.shop.example"));
    const DnsServer server(without);
    m.writeSettings(server.address());
    const Document document = m.json("tenant add t3 --wait=0", "", 3);
    EXPECT_FALSE(*document.find("ready")->flag());
    EXPECT_NE(document.find("missing")->array()->front().text()->find("_dmarc.t3.shop.example"), std::string::npos);
  }
  const DnsServer server(dns);
  m.writeSettings(server.address());
  EXPECT_TRUE(*m.json("tenant add t3 --wait").find("ready")->flag());
}

TEST(Cli, ExitStatusSaysWhatKindOfFailureItWas) {
  const Machine m(sql::Dialect::sqlite);
  EXPECT_EQ(m.run("tenant list").status, 69) << "no database";
  m.seed();
  EXPECT_EQ(m.run("tenant frobnicate").status, 2);
  EXPECT_EQ(m.run("tenant add").status, 2);
  EXPECT_EQ(m.run("dns lookup t1.shop.example TXT --from replica").status, 69) << "no backend";
  EXPECT_EQ(m.run("dns lookup t1.shop.example TXT --from all").status, 1) << "a difference";
  {
    const auto connection = m.connect();
    test::must(*connection, "INSERT INTO schema_info (version) VALUES (104)");
  }
  const Ran newer = m.run("tenant list");
  EXPECT_EQ(newer.status, 78) << newer.err;
  {
    const auto connection = m.connect();
    test::must(*connection, "DELETE FROM schema_info WHERE version > 1");
  }
  const Ran older = m.run("tenant list");
  EXPECT_EQ(older.status, 78) << older.err;
  EXPECT_NE(older.err.find("mailzone db migrate"), std::string::npos) << older.err;
  m.file("m.toml", "[database]\nengine = \"oracle\"\n");
  const Ran settings = m.run("tenant list --json");
  EXPECT_EQ(settings.status, 78);
  EXPECT_NE(settings.err.find("\"code\":\"settings\""), std::string::npos) << settings.err;
  m.file("m.toml", "[database]\nengine = \"mysql\"\nunix_socket = \"/nonexistent/socket\"\n");
  EXPECT_EQ(m.run("tenant list").status, 69) << "no server";
}

TEST(Cli, HelpOfEveryVerbStandsInTheDocuments) {
  const Machine m(sql::Dialect::sqlite);
  const std::string page = contentOf(MAILZONE_SOURCE_DIR "/docs/cli.md");
  const Ran program = m.run("--help");
  EXPECT_EQ(program.status, 0);
  EXPECT_NE(page.find(program.out), std::string::npos);
  std::istringstream lines(program.out);
  int verbs = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, std::regex("  ([a-z]+ [a-z]+|status) +.*"))) continue;
    const Ran help = m.run(match[1].str() + " --help");
    EXPECT_EQ(help.status, 0) << line;
    EXPECT_NE(page.find(help.out), std::string::npos) << line;
    ++verbs;
  }
  EXPECT_GT(verbs, 30);
}

TEST(Cli, SecretsFileIsItsOwnersFromTheFirstMoment) {
  const Machine m(sql::Dialect::sqlite);
  m.seed();
  struct stat status {};
  ASSERT_EQ(::stat((m.folder() + "/s.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(Cli, HashOfAPasswordIsStoredAndNeverShown) {
  const Machine m(sql::Dialect::sqlite);
  m.seed();
  const Ran ran = m.run("login add owner --tenant t1 --password-file - --json", "correct horse\n");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out.find("$6$"), std::string::npos);
  const auto connection = m.connect();
  EXPECT_EQ(test::one(*connection, "SELECT password_hash FROM login").rfind("{SHA512-CRYPT}$6$", 0), 0U);
}

}  // namespace
}  // namespace mailzone
