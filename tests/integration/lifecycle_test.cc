// A name's whole life by plain SQL, on both engines, with the real mailzone-backend, PowerDNS and mailzone-rotate: it
// comes, signs, is suspended, renamed and deleted, drains, is revoked and is gone, and nothing of it a moment too
// early.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "core/clock.h"
#include "core/secret.h"
#include "mailauth/dkim.h"
#include "rotation/key_generation.h"
#include "rotation/key_store.h"
#include "system/process.h"
#include "system/resolver.h"
#include "system/settings.h"
#include "system/template.h"
#include "tests/support/daemon.h"
#include "tests/support/engines.h"
#include "tests/support/milter_client.h"
#include "tests/support/pdns_server.h"

namespace mailzone {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr const char* kCommon = "sig.shop.example";

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TimePoint now() {
  return SystemClock().now();
}

/// shop.example with tenants t1 and t2, all daemons running and every domain signing with a key of its own.
class Stage {
 public:
  explicit Stage(test::TestDatabase& database) : database_(database), admin_(database.connect()) {
    test::seedPlatform(*admin_);
    for (const char* row :
         {"(2, 'dkim.shop.example', 'NS', 'ns1.shop.example.')", "(3, 'rp.shop.example', 'NS', 'ns1.shop.example.')",
          "(4, '2.0.192.in-addr.arpa', 'NS', 'ns1.shop.example.')"}) {
      must(fmt::format("INSERT INTO static_record (zone_id, owner, type, content) VALUES {}", row));
    }
    // Waits are seconds here; a slot is filled again only when what stood in it has left every cache.
    must("UPDATE zone SET ttl = 1, minimum = 1");
    addSpares(40);
    app_ = as("app", SqlRole::app);
    mta_ = as("mta", SqlRole::mta);
    backend_.emplace(folder_.path(), "mailzone-backend",
                     database_.settings("dns") + fmt::format("[backend]\nsocket = \"{0}/backend.sock\"\n"
                                                             "socket_group = \"\"\nreplica_path = \"{0}/replica\"\n",
                                                             folder_.path()));
    backend_->start();
    pdns_.emplace(folder_.path() + "/backend.sock");
    rotate_.emplace(
        folder_.path(), "mailzone-rotate",
        database_.settings("keys") +
            fmt::format("[rotation]\nspare_keys = 2\npoll_ms = 100\nexport_path = \"{}\"\nopendkim_pid_file = \"{}\"\n"
                        "[resolver]\nservers = [\"{}\"]\ntimeout_ms = 2000\n",
                        exportPath(), signerPidFile(), resolver()));
    rotate_->start();
    for (const char* name : {"shop.example", kCommon, "t1.shop.example", "t2.shop.example"}) {
      EXPECT_TRUE(eventually([&] { return activeSlot(name) != ""; }, 30s)) << name << log();
    }
    for (const char* name : {"t1.shop.example", "t2.shop.example"}) {
      EXPECT_TRUE(eventually([&] { return signsOwn(name); }, 30s)) << name << log();
    }
  }

  // What the application does. Refused statements are Errors.
  Result<sql::Outcome> app(std::string_view statement) { return app_->execute(statement, {}); }
  void must(std::string_view statement) { test::must(*admin_, statement); }
  void appMust(std::string_view statement) { test::must(*app_, statement); }
  std::string one(std::string_view statement, const std::vector<sql::Value>& values = {}) {
    return test::one(*admin_, statement, values);
  }
  std::vector<std::string> logins(const std::string& domain) {
    return test::rows(*mta_, "SELECT login FROM sender_login WHERE domain = ? ORDER BY login", {domain});
  }

  /// "NXDOMAIN", "SERVFAIL", "nothing" (the name exists), or the contents.
  std::string says(const std::string& owner, const std::string& type) const {
    const auto reply = test::query(pdns_->server(), owner, type);
    if (!reply) return describe(reply.error());
    if (reply->rcode == 3) return "NXDOMAIN";
    if (reply->rcode != 0) return reply->rcode == 2 ? "SERVFAIL" : fmt::format("rcode {}", reply->rcode);
    std::string text;
    for (const auto& content : reply->contents(RecordType::parse(type).value())) text += content + "\n";
    return text.empty() ? "nothing" : text;
  }
  bool contains(const std::string& owner, const std::string& type, std::string_view text) const {
    return says(owner, type).find(text) != std::string::npos;
  }
  bool answersForMail(const std::string& name) const {
    return contains(name, "TXT", "v=spf1 include:main._spf.shop.example") &&
           contains("_dmarc." + name, "TXT", "v=DMARC1; p=") && contains(name, "MX", "mx1.shop.example.");
  }

  // Who signs for an envelope domain, as "d:selector", and "" when nobody does.
  std::string signsByExport(const std::string& name) const {
    std::istringstream table(readFile(exportPath() + "/current/keytable"));
    for (std::string line; std::getline(table, line);) {
      if (line.rfind(name + " ", 0) != 0) continue;
      return line.substr(name.size() + 1, line.rfind(':') - name.size() - 1);
    }
    return "";
  }
  std::string signsByView(const std::string& name) {
    if (admin_->dialect() == sql::Dialect::sqlite) return signsByExport(name);
    return test::one(*admin_, "SELECT concat(d, ':', selector) FROM signing WHERE name = ?", {name});
  }
  bool signs(const std::string& name, const std::string& by) {
    return signsByExport(name) == by && signsByView(name) == by;
  }
  bool signsOwn(const std::string& name) {
    const auto slot = activeSlot(name);
    return !slot.empty() && signs(name, name + ":" + slot);
  }
  bool signsCommon(const std::string& name) { return signs(name, kCommon + (":" + activeSlot(kCommon))); }
  std::string activeSlot(const std::string& name) {
    return one(
        "SELECT s.slot FROM active_key a JOIN dkim_selector s ON s.id = a.selector_id JOIN domain d "
        "ON d.id = a.domain_id WHERE d.name = ?",
        {name});
  }
  /// The p= value of the private half that OpenDKIM is given for that envelope domain.
  std::string exportedPublicHalf(const std::string& name) const {
    std::istringstream table(readFile(exportPath() + "/current/keytable"));
    for (std::string line; std::getline(table, line);) {
      if (line.rfind(name + " ", 0) != 0) continue;
      const auto half = rotation::publicHalfOf(Secret(readFile(line.substr(line.rfind(':') + 1))));
      return half ? half->base64 : describe(half.error());
    }
    return "";
  }
  /// The p= value that stands in the DNS.
  std::string publishedHalf(const std::string& slot, const std::string& name) const {
    const auto said = says(slot + "._domainkey." + name, "TXT");
    const auto text = txtText(said.substr(0, said.find('\n')));
    if (!text || text->find("p=") == std::string::npos) return said;
    return text->substr(text->find("p=") + 2);
  }

  struct Times {
    TimePoint left;
    std::optional<TimePoint> revoked, gone;
  };
  Times departed(const std::string& name) {
    Times times;
    const auto parse = [](const std::string& text) -> std::optional<TimePoint> {
      if (text.empty()) return std::nullopt;
      return parseSqlTime(text).value();
    };
    constexpr const char* kRow = " FROM departed WHERE name = ? ORDER BY id DESC";
    times.left = parse(one(fmt::format("SELECT left_at{}", kRow), {name})).value_or(TimePoint::max());
    times.revoked = parse(one(fmt::format("SELECT revoked_at{}", kRow), {name}));
    times.gone = parse(one(fmt::format("SELECT gone_at{}", kRow), {name}));
    return times;
  }

  /// No key is lost, none stands twice, and the database is as it must be.
  void expectWhole() {
    const std::string secret = admin_->dialect() == sql::Dialect::sqlite ? "secret.dkim_secret" : "dkim_secret";
    EXPECT_EQ(one("SELECT count(*) FROM dkim_key k WHERE k.assigned_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
                  "dkim_selector s WHERE s.key_id = k.id) AND NOT EXISTS (SELECT 1 FROM departed d WHERE k.id IN "
                  "(d.mz1_key_id, d.mz2_key_id))"),
              "0")
        << "a key was taken from the pool and stands nowhere";
    EXPECT_EQ(one(fmt::format("SELECT count(*) FROM dkim_key k LEFT JOIN {} p ON p.key_id = k.id "
                              "WHERE (k.destroyed_at IS NULL) <> (p.key_id IS NOT NULL)",
                              secret)),
              "0")
        << "a key without its private half, or a private half that was to be destroyed";
    EXPECT_EQ(one("SELECT count(*) FROM domain d WHERE (SELECT count(*) FROM active_key a WHERE a.domain_id = d.id) <> "
                  "1"),
              "0")
        << "a domain without an active key";
    const std::string config = folder_.path() + "/admin.toml";
    std::ofstream(config) << database_.settings("admin");
    Command check;
    check.argv = {MAILZONE_BINARY_DIR "/bin/mailzone", "db", "check", "--config", config};
    const auto checked = run(check, "", 30s);
    ASSERT_TRUE(checked) << describe(checked.error());
    EXPECT_EQ(checked->exitStatus, 0) << checked->output << checked->errors;
  }

  [[nodiscard]] test::Daemon& rotate() { return *rotate_; }
  [[nodiscard]] std::string log() const { return "\n" + rotate_->log() + backend_->log(); }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] std::string exportPath() const { return folder_.path() + "/export"; }
  [[nodiscard]] std::string signerPidFile() const { return folder_.path() + "/opendkim.pid"; }
  [[nodiscard]] std::string resolver() const { return fmt::format("127.0.0.1@{}", pdns_->server().port); }

 private:
  std::unique_ptr<sql::Connection> as(const std::string& name, SqlRole role) {
    const auto settings = parseSettings(database_.settings(name), name);
    if (!settings) throw std::runtime_error(describe(settings.error()));
    auto opened = openDatabase(*settings, role);
    if (!opened) throw std::runtime_error(describe(opened.error()));
    return std::move(*opened);
  }
  void addSpares(int count) {
    rotation::DatabaseKeyStore store(*admin_);
    for (int i = 0; i < count; ++i) {
      auto key = rotation::generateRsaKey(1024, now()).value();
      key.bits = rotation::kRsaBits;  // the pool gives out 2048; 1024 are quicker to make, and nothing else differs
      ASSERT_TRUE(store.insertKey(key).has_value());
    }
  }

  test::TestDatabase& database_;
  std::unique_ptr<sql::Connection> admin_, app_, mta_;
  test::TemporaryFolder folder_;
  std::optional<test::Daemon> backend_;
  std::optional<test::PdnsServer> pdns_;
  std::optional<test::Daemon> rotate_;
};

/// What a departed name says from its last day on. Each owner goes from `draining` to `revoked` to `gone` and never
/// back; when is remembered.
class Departing {
 public:
  enum Phase { draining, revoked, gone };

  Departing(Stage& stage, std::string name) : stage_(stage), name_(std::move(name)) {
    for (const auto& [owner, type] :
         {std::pair{name_, "TXT"}, std::pair{name_, "MX"}, std::pair{"_dmarc." + name_, "TXT"},
          std::pair{"mz1._domainkey." + name_, "TXT"}, std::pair{"mz2._domainkey." + name_, "TXT"}}) {
      owners_.push_back({owner, type, stage_.says(owner, type), draining});
      EXPECT_TRUE(owners_.back().alive.find("mx1.shop.example") != std::string::npos ||
                  owners_.back().alive.find("\"v=") != std::string::npos)
          << owner << " " << type << ": " << owners_.back().alive;
    }
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Asks everything once; the least phase that any owner is in.
  Phase look() {
    Phase least = gone;
    for (auto& owner : owners_) {
      const auto said = stage_.says(owner.name, owner.type);
      const auto seen = now();
      const bool key = owner.name.find("._domainkey.") != std::string::npos;
      const bool inside = said == (key ? "\"v=DKIM1; p=\"\n" : owner.name == name_ ? "nothing" : "NXDOMAIN");
      Phase phase = draining;
      if (said == "NXDOMAIN" && (key || owner.name == name_ || owner.phase == gone || stage_.departed(name_).gone)) {
        phase = gone;
      } else if (inside) {
        phase = revoked;
      } else {
        EXPECT_EQ(said, owner.alive) << owner.name << " " << owner.type << stage_.log();
      }
      EXPECT_GE(phase, owner.phase) << owner.name << " came back: " << said;
      if (phase >= revoked && revokedSeen_ == TimePoint{}) revokedSeen_ = seen;
      if (phase == gone && goneSeen_ == TimePoint{}) goneSeen_ = seen;
      owner.phase = phase;
      least = std::min(least, phase);
    }
    return least;
  }
  [[nodiscard]] TimePoint revokedSeen() const noexcept { return revokedSeen_; }
  [[nodiscard]] TimePoint goneSeen() const noexcept { return goneSeen_; }

 private:
  struct Owner {
    std::string name, type, alive;
    Phase phase;
  };
  Stage& stage_;
  std::string name_;
  std::vector<Owner> owners_;
  TimePoint revokedSeen_{}, goneSeen_{};
};

TEST(Lifecycle, AnInsertedTenantIsAnsweredAtOnceAndThenSignsWithItsOwnKey) {
  test::onEachEngine([](test::TestDatabase& database) {
    Stage stage(database);
    const std::string name = "t4.shop.example";
    ASSERT_EQ(stage.says(name, "MX"), "NXDOMAIN");
    const auto inserted = std::chrono::steady_clock::now();
    const auto passed = [&] {
      return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - inserted);
    };
    stage.appMust("INSERT INTO tenant (platform_id, slug) VALUES (1, 't4')");
    EXPECT_TRUE(eventually([&] { return stage.answersForMail(name); }, 1s)) << stage.log();
    const auto mail = passed();
    EXPECT_TRUE(eventually([&] { return stage.contains("mz1._domainkey." + name, "TXT", "p=MI"); }, 5s - passed()))
        << stage.log();
    fmt::print("plain INSERT: SPF, DMARC and MX after {} ms, DKIM after {} ms\n", mail.count(), passed().count());
    // Until the key has been read back it does not sign, and nothing leaves unsigned meanwhile.
    EXPECT_TRUE(eventually([&] { return stage.activeSlot(name) != "" || stage.signsCommon(name); }, 2s))
        << stage.signsByExport(name) << stage.log();
    EXPECT_TRUE(eventually([&] { return stage.signsOwn(name); }, 20s)) << stage.signsByExport(name) << stage.log();
    EXPECT_EQ(stage.exportedPublicHalf(name), stage.publishedHalf(stage.activeSlot(name), name));

    stage.appMust(
        "INSERT INTO login (tenant_id, name, password_hash) SELECT id, 'l4', '{PLAIN}x' FROM tenant "
        "WHERE slug = 't4'");
    stage.appMust(
        "INSERT INTO login_domain (login_id, domain_id) SELECT l.id, d.id FROM login l JOIN domain d "
        "ON d.tenant_id = l.tenant_id WHERE l.name = 'l4'");
    EXPECT_EQ(stage.logins(name), std::vector<std::string>{"l4"});
    std::map<std::pair<std::string, std::string>, std::string> answers;
    const auto everything = [&] {
      std::map<std::pair<std::string, std::string>, std::string> out;
      for (const auto& [owner, type] :
           {std::pair{name, "TXT"}, std::pair{name, "MX"}, std::pair{"_dmarc." + name, "TXT"},
            std::pair{"mz1._domainkey." + name, "TXT"}, std::pair{"mz2._domainkey." + name, "TXT"}}) {
        out[{owner, type}] = stage.says(owner, type);
      }
      return out;
    };
    EXPECT_TRUE(eventually([&] { return stage.contains("mz2._domainkey." + name, "TXT", "p=MI"); })) << stage.log();
    answers = everything();
    const auto signer = stage.signsByExport(name);
    stage.appMust("UPDATE tenant SET state = 'suspended' WHERE slug = 't4'");
    EXPECT_TRUE(stage.logins(name).empty()) << "who is suspended cannot send";
    EXPECT_TRUE(eventually([&] { return stage.signs(name, ""); })) << stage.signsByExport(name);
    EXPECT_EQ(everything(), answers) << "mail that was sent before is still verified";
    stage.appMust("UPDATE tenant SET state = 'active' WHERE slug = 't4'");
    EXPECT_EQ(stage.logins(name), std::vector<std::string>{"l4"});
    EXPECT_TRUE(eventually([&] { return stage.signs(name, signer); })) << stage.signsByExport(name);
    EXPECT_EQ(everything(), answers);
    stage.expectWhole();
    EXPECT_EQ(stage.rotate().terminate(), 0) << stage.log();
  });
}

TEST(Lifecycle, ADepartedNameDrainsThenIsRevokedThenIsGone) {
  test::onEachEngine([](test::TestDatabase& database) {
    constexpr std::chrono::seconds kDrain{4}, kRevoke{3};
    Stage stage(database);
    stage.must(
        fmt::format("UPDATE platform SET drain_seconds = {}, revoke_seconds = {}", kDrain.count(), kRevoke.count()));
    for (const char* name : {"t1.shop.example", "t2.shop.example"}) {
      ASSERT_TRUE(eventually([&] {
        return stage.contains(fmt::format("mz1._domainkey.{}", name), "TXT", "p=MI") &&
               stage.contains(fmt::format("mz2._domainkey.{}", name), "TXT", "p=MI");
      }));
    }
    Departing deleted(stage, "t1.shop.example"), renamed(stage, "t2.shop.example");
    stage.appMust("DELETE FROM tenant WHERE slug = 't1'");
    stage.appMust("UPDATE tenant SET slug = 'new2' WHERE slug = 't2'");
    EXPECT_TRUE(eventually([&] { return stage.answersForMail("new2.shop.example"); }, 1s)) << stage.log();
    EXPECT_EQ(deleted.look(), Departing::draining);
    EXPECT_EQ(renamed.look(), Departing::draining);
    EXPECT_TRUE(eventually([&] { return stage.signs("t1.shop.example", "") && stage.signs("t2.shop.example", ""); }));
    for (const char* refused : {"INSERT INTO tenant (platform_id, slug) VALUES (1, 't1')",
                                "INSERT INTO tenant (platform_id, slug) VALUES (1, 't2')",
                                "UPDATE tenant SET slug = 't1' WHERE slug = 'new2'"}) {
      EXPECT_FALSE(stage.app(refused).has_value()) << refused;
    }

    // What DNS says depends on rows, never on the clock: without mailzone-rotate nothing goes early or by itself.
    stage.rotate().kill();
    const auto left = std::max(stage.departed(deleted.name()).left, stage.departed(renamed.name()).left);
    while (now() < left + kDrain + 500ms) {
      ASSERT_EQ(deleted.look(), Departing::draining);
      ASSERT_EQ(renamed.look(), Departing::draining);
    }
    stage.rotate().start();
    EXPECT_TRUE(eventually([&] {
      const auto first = deleted.look();
      return std::min(first, renamed.look()) >= Departing::revoked;
    })) << stage.log();
    stage.rotate().kill();
    stage.rotate().start();
    EXPECT_TRUE(eventually(
        [&] {
          const auto first = deleted.look();
          return std::min(first, renamed.look()) == Departing::gone;
        },
        20s))
        << stage.log();
    for (const auto* one : {&deleted, &renamed}) {
      const auto times = stage.departed(one->name());
      ASSERT_TRUE(times.revoked && times.gone) << one->name();
      EXPECT_GE(*times.revoked, times.left + kDrain) << one->name();
      EXPECT_GE(one->revokedSeen(), times.left + kDrain) << one->name();
      EXPECT_GE(*times.gone, *times.revoked + kRevoke) << one->name();
      EXPECT_GE(one->goneSeen(), *times.revoked + kRevoke) << one->name();
    }
    EXPECT_EQ(stage.one("SELECT count(*) FROM dkim_key WHERE destroyed_at IS NOT NULL"), "4")
        << "both names' private halves are destroyed";
    EXPECT_FALSE(stage.app("INSERT INTO tenant (platform_id, slug) VALUES (1, 't1')").has_value())
        << "a departed name goes to nobody else, ever";
    EXPECT_TRUE(eventually([&] { return stage.signsOwn("new2.shop.example"); }, 20s)) << stage.log();
    stage.expectWhole();
  });
}

TEST(Lifecycle, ANameThatItsTenantTakesBackSignsWithNewKeysOnceTheOldOnesAreGone) {
  test::onEachEngine([](test::TestDatabase& database) {
    constexpr std::chrono::seconds kDrain{3}, kRevoke{2};
    Stage stage(database);
    stage.must(
        fmt::format("UPDATE platform SET drain_seconds = {}, revoke_seconds = {}", kDrain.count(), kRevoke.count()));
    const std::string name = "t1.shop.example";
    ASSERT_TRUE(eventually([&] { return stage.contains("mz2._domainkey." + name, "TXT", "p=MI"); }));
    const auto mz1 = stage.says("mz1._domainkey." + name, "TXT"), mz2 = stage.says("mz2._domainkey." + name, "TXT");
    stage.appMust("UPDATE tenant SET slug = 'other' WHERE slug = 't1'");
    stage.appMust("UPDATE tenant SET slug = 't1' WHERE slug = 'other'");
    const auto left = stage.departed(name).left;
    // Its tenant has it back: mail goes on, the old keys answer until mail that they signed has arrived, and the common
    // key signs until their slots are free.
    bool sawRevoked = false;
    EXPECT_TRUE(eventually(
        [&] {
          EXPECT_TRUE(stage.answersForMail(name)) << stage.says(name, "TXT");
          for (const auto& [slot, old] : {std::pair{"mz1", mz1}, std::pair{"mz2", mz2}}) {
            const auto said = stage.says(fmt::format("{}._domainkey.{}", slot, name), "TXT");
            EXPECT_TRUE(said == old || now() >= left + kDrain) << "too early: " << said;
            sawRevoked = sawRevoked || said == "\"v=DKIM1; p=\"\n";
          }
          const auto signer = stage.signsByExport(name);
          EXPECT_NE(signer, "") << "nothing leaves unsigned";
          return sawRevoked && stage.signsOwn(name);
        },
        40s))
        << stage.log();
    const auto slot = stage.activeSlot(name);
    ASSERT_NE(slot, "");
    EXPECT_EQ(stage.exportedPublicHalf(name), stage.publishedHalf(slot, name));
    EXPECT_NE(stage.says("mz1._domainkey." + name, "TXT"), mz1) << "a key is never used again";
    ASSERT_TRUE(eventually([&] { return stage.departed("other.shop.example").gone.has_value(); }, 20s)) << stage.log();
    EXPECT_TRUE(eventually([&] { return stage.says("other.shop.example", "TXT") == "NXDOMAIN"; }));
    stage.expectWhole();
  });
}

TEST(Lifecycle, AKilledRotationLosesNothing) {
  test::onEachEngine([](test::TestDatabase& database) {
    Stage stage(database);
    // At every stage of a key's way into use, by the fact that marks it.
    const char* const kMoments[] = {
        "SELECT count(*) FROM domain d WHERE d.name = ?",
        "SELECT count(*) FROM dkim_selector s JOIN domain d ON d.id = s.domain_id WHERE d.name = ?",
        "SELECT count(s.published_at) FROM dkim_selector s JOIN domain d ON d.id = s.domain_id WHERE d.name = ?",
        "SELECT count(*) FROM active_key a JOIN domain d ON d.id = a.domain_id WHERE d.name = ?",
    };
    int tenant = 10;
    for (const char* moment : kMoments) {
      const auto slug = fmt::format("k{}", ++tenant);
      const std::string name = slug + ".shop.example";
      stage.appMust(fmt::format("INSERT INTO tenant (platform_id, slug) VALUES (1, '{}')", slug));
      ASSERT_TRUE(eventually([&] { return stage.one(moment, {name}) != "0"; }, 20s)) << moment << stage.log();
      stage.rotate().kill();
      EXPECT_TRUE(eventually([&] { return stage.answersForMail(name); }, 1s)) << "DNS does not need it";
      EXPECT_NE(stage.signsByExport("t1.shop.example"), "") << "the export stays whole";
      stage.rotate().start();
      EXPECT_TRUE(eventually([&] { return stage.signsOwn(name); }, 30s)) << moment << stage.log();
    }
    for (int i = 11; i <= tenant; ++i) {
      const auto name = fmt::format("k{}.shop.example", i);
      EXPECT_TRUE(eventually(
          [&] {
            return stage.one(
                       "SELECT count(*) FROM dkim_selector s JOIN domain d ON d.id = s.domain_id WHERE d.name = ? "
                       "AND s.proven_at IS NOT NULL",
                       {name}) == "2";
          },
          20s))
          << name << stage.log();
      EXPECT_EQ(stage.exportedPublicHalf(name), stage.publishedHalf(stage.activeSlot(name), name));
    }
    stage.expectWhole();
  });
}

/// OpenDKIM with the shipped configuration over the export.
class Signer {
 public:
  explicit Signer(const Stage& stage) : folder_(stage.folder()) {
    const passwd* self = ::getpwuid(::geteuid());
    const TemplateValues values = {{"OPENDKIM_USER", self != nullptr ? self->pw_name : "root"},
                                   {"OPENDKIM_PIDFILE", stage.signerPidFile()},
                                   {"SIGNER_SOCKET", "local:" + socket()},
                                   {"SIGNING_TABLE", stage.exportPath() + "/current/signingtable"},
                                   {"KEY_TABLE", "file:" + stage.exportPath() + "/current/keytable"},
                                   {"AUTHOR_LUA", folder_ + "/author.lua"},
                                   {"AUTHORS_FOLDER", stage.exportPath() + "/current/authors"},
                                   {"MAIL_HOST", "out1.shop.example"},
                                   {"PLATFORM", "shop.example"}};
    for (const std::string file : {"opendkim.conf", "author.lua"}) {
      const auto text = fillTemplate(readFile(MAILZONE_SOURCE_DIR "/rotation/signing/opendkim/" + file), values);
      if (!text) throw std::runtime_error(describe(text.error()));
      std::ofstream(folder_ + "/" + file) << *text;
    }
    Command command;
    command.argv = {"/usr/sbin/opendkim", "-f", "-x", folder_ + "/opendkim.conf"};
    command.logFile = folder_ + "/opendkim.log";
    const auto started = spawn(command);
    if (!started) throw std::runtime_error(describe(started.error()));
    pid_ = *started;
  }
  ~Signer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  [[nodiscard]] bool running() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  /// The signatures of a mail from a@NAME, as "d:selector verdict", sorted; or what became of it instead.
  [[nodiscard]] std::vector<std::string> signatures(const std::string& name, Resolver& resolver) const {
    const std::string message = fmt::format(
        "From: a@{}\r\nTo: r@receiver.example\r\nSubject: hello\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\n"
        "Message-ID: <1@{}>\r\n\r\nhello\r\n",
        name, name);
    const auto outcome = test::throughMilter(socket(), "a@" + name, message);
    if (!outcome) return {describe(outcome.error())};
    if (!outcome->passed()) return {fmt::format("{} {}", outcome->action, outcome->reply)};
    std::string sent;
    for (const auto& field : outcome->fields) sent += field;
    sent += message;
    std::vector<std::string> out;
    for (const auto& one : mailauth::verifyDkim(sent, resolver, now())) {
      out.push_back(fmt::format("{}:{} {}", one.domain ? one.domain->textNoDot() : "?",
                                one.selector ? one.selector->textNoDot() : "?",
                                one.verdict == mailauth::Verdict::pass ? "pass" : one.reason));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  [[nodiscard]] std::string socket() const { return folder_ + "/opendkim.sock"; }
  std::string folder_;
  pid_t pid_ = 0;
};

TEST(Lifecycle, OpenDkimSignsWithTheNewKeyAfterASwitchWithoutARestart) {
  const auto database = test::makeTestDatabase(sql::Dialect::sqlite);
  Stage stage(*database);
  const Signer signer(stage);
  const auto resolver = openResolver({{stage.resolver()}, "", 2000ms});
  ASSERT_TRUE(resolver) << describe(resolver.error());
  std::vector<std::string> last;
  const auto signs = [&](const std::string& name, const std::vector<std::string>& wanted) {
    return eventually([&] { return (last = signer.signatures(name, **resolver)) == wanted; }, 20s);
  };
  const auto shown = [&] {
    std::string text = stage.log();
    for (const auto& one : last) text += one + "\n";
    return text;
  };
  const std::string name = "t1.shop.example";
  const std::string common = fmt::format("{}:{} pass", kCommon, stage.activeSlot(kCommon));
  const auto first = stage.activeSlot(name), second = std::string(first == "mz1" ? "mz2" : "mz1");
  EXPECT_TRUE(signs(name, {common, fmt::format("{}:{} pass", name, first)})) << shown();

  // The other slot takes over.
  ASSERT_TRUE(eventually([&] {
    return stage.one(
               "SELECT s.proven_at FROM dkim_selector s JOIN domain d ON d.id = s.domain_id WHERE d.name = ? "
               "AND s.slot = ?",
               {name, second}) != "";
  }));
  stage.must(
      fmt::format("UPDATE active_key SET selector_id = (SELECT s.id FROM dkim_selector s WHERE s.domain_id = "
                  "active_key.domain_id AND s.slot = '{}') WHERE domain_id = (SELECT id FROM domain WHERE "
                  "name = '{}')",
                  second, name));
  EXPECT_TRUE(signs(name, {common, fmt::format("{}:{} pass", name, second)})) << shown();

  // A tenant that OpenDKIM has never heard of: it waits, is signed for, and never leaves unsigned on the way.
  const std::string young = "t4.shop.example";
  stage.appMust("INSERT INTO tenant (platform_id, slug) VALUES (1, 't4')");
  const auto isWhole = [&] {
    last = signer.signatures(young, **resolver);
    EXPECT_FALSE(last.empty()) << "unsigned";
    const auto slot = stage.activeSlot(young);
    return last == std::vector<std::string>{common, fmt::format("{}:{} pass", young, slot)};
  };
  EXPECT_TRUE(eventually(isWhole, 20s)) << shown();

  // And one that may send no more.
  stage.appMust("UPDATE tenant SET state = 'suspended' WHERE slug = 't4'");
  EXPECT_TRUE(signs(young, {"t "})) << "put off, never unsigned" << shown();
  EXPECT_TRUE(signs(name, {common, fmt::format("{}:{} pass", name, second)})) << shown();
  EXPECT_TRUE(signer.running()) << "all this with one process";
}

}  // namespace
}  // namespace mailzone
