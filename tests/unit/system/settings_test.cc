#include "system/settings.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace mailzone {
namespace {

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/mailzone-settings-XXXXXX";
    path_ = ::mkdtemp(name.data());
    ::chmod(path_.c_str(), 0755);
  }
  ~Folder() {
    const int ignored = std::system(("rm -rf " + path_).c_str());
    static_cast<void>(ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name, std::string_view content, mode_t mode = 0600) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Settings, OfAnEmptyFileAreTheDefaults) {
  const auto settings = parseSettings("", "m.toml");
  ASSERT_TRUE(settings.has_value()) << describe(settings.error());
  EXPECT_EQ(settings->database.engine, "sqlite");
  EXPECT_EQ(settings->database.path, "/var/lib/mailzone/mailzone.db");
  EXPECT_EQ(settings->database.port, 3306);
  EXPECT_TRUE(settings->database.tlsRequired);
  EXPECT_EQ(settings->database.dns.user, "mailzone_dns");
  EXPECT_EQ(settings->database.dns.passwordFile, "");
  EXPECT_EQ(settings->backend.socketGroup, "pdns");
  EXPECT_EQ(settings->rotation.spareKeys, 16);
  EXPECT_TRUE(settings->resolver.servers.empty());
  EXPECT_EQ(settings->log.level, "info");
}

TEST(Settings, TakeEveryKindOfValue) {
  const auto settings = parseSettings(R"(
[database]
engine = "mysql"
unix_socket = "/run/mysqld/mysqld.sock"
tls_required = false
[database.roles.dns]
user = "dns"
password_file = "credential:dns"
[resolver]
servers = ["192.0.2.54", "2001:db8::54@5353"]
timeout_ms = 100
[log]
level = "debug"
)",
                                      "m.toml");
  ASSERT_TRUE(settings.has_value()) << describe(settings.error());
  EXPECT_EQ(settings->database.unixSocket, "/run/mysqld/mysqld.sock");
  EXPECT_FALSE(settings->database.tlsRequired);
  EXPECT_EQ(settings->database.dns.user, "dns");
  EXPECT_EQ(settings->database.dns.passwordFile, "credential:dns");
  EXPECT_EQ(settings->resolver.servers, (std::vector<std::string>{"192.0.2.54", "2001:db8::54@5353"}));
  EXPECT_EQ(settings->resolver.timeoutMs, 100);
}

TEST(Settings, RefuseABadFileByFileLineKeyRuleAndRemedy) {
  struct Row {
    const char* why;
    std::string toml;
    std::string message;
  };
  const std::string longSocket = "/" + std::string(108, 's');
  const Row rows[] = {
      {"not TOML", "[database]\nengine = sqlite\n",
       "\"m.toml:2: column 10\": not TOML: Error while parsing value: could not determine value type; correct the "
       "line; "
       "the form is that of https://toml.io/en/v1.0.0"},
      {"unknown key, near a known one", "[log]\nlevl = \"info\"\n",
       "\"m.toml:2: log.levl\": no such setting; did you mean log.level?"},
      {"unknown key", "[log]\n\nwhatever = 1\n",
       "\"m.toml:3: log.whatever\": no such setting; see --help-settings for all keys"},
      {"unknown section", "[web]\nport = 1\n", "\"m.toml:1: web\": no such setting; see --help-settings for all keys"},
      {"a key where a section is meant", "database = 1\n",
       "\"m.toml:1: database\": is a section; write [database] above its keys"},
      {"number as text", "[backend]\npoll_ms = \"200\"\n",
       "\"m.toml:2: backend.poll_ms\": must be a whole number; write it like poll_ms = 200"},
      {"fraction", "[backend]\npoll_ms = 200.5\n",
       "\"m.toml:2: backend.poll_ms\": must be a whole number; write it like poll_ms = 200"},
      {"text as number", "[log]\nlevel = 3\n",
       "\"m.toml:2: log.level\": must be a text; write it like level = \"info\""},
      {"flag as text", "[database]\ntls_required = \"yes\"\n",
       "\"m.toml:2: database.tls_required\": must be true or false; write it like tls_required = true"},
      {"list as text", "[resolver]\nservers = \"192.0.2.1\"\n",
       "\"m.toml:2: resolver.servers\": must be a list of texts; write it like servers = [\"192.0.2.54\", "
       "\"2001:db8::54@5353\"]"},
      {"below the range", "[backend]\npoll_ms = 9\n",
       "\"m.toml:2: backend.poll_ms = 9\": not within 10 and 60000; the default is 200"},
      {"above the range", "[database]\nport = 65536\n",
       "\"m.toml:2: database.port = 65536\": not within 1 and 65535; the default is 3306"},
      {"not one of the words", "[database]\nengine = \"oracle\"\n",
       "\"m.toml:2: database.engine = oracle\": not one of its words; write one of sqlite, mysql"},
      {"relative path", "[database]\npath = \"mailzone.db\"\n",
       "\"m.toml:2: database.path = mailzone.db\": not an absolute path; begin it with /"},
      {"empty where it must not be", "[database]\npath = \"\"\n",
       "\"m.toml:2: database.path = \": must not be empty; leave the line out for the default, "
       "/var/lib/mailzone/mailzone.db"},
      {"longer than a socket's address", "[backend]\nsocket = \"" + longSocket + "\"\n",
       "\"m.toml:2: backend.socket = " + longSocket +
           "\": longer than the 107 octets of a unix socket's path; choose a shorter folder"},
      {"line break in a path", "[database]\npath = \"/a\\nb\"\n",
       "\"m.toml:2: database.path = /a\\010b\": holds a line break or a zero octet; write it on one line"},
      {"credential with a folder", "[database.roles.dns]\npassword_file = \"credential:../x\"\n",
       "\"m.toml:2: database.roles.dns.password_file = credential:../x\": not the name of a credential; write "
       "credential:NAME with letters, digits, _, - and ."},
      {"host with a blank", "[database]\nhost = \"db 1\"\n",
       "\"m.toml:2: database.host = db 1\": neither a host name nor an address; write a name like db1.example or an "
       "address"},
      {"account with a quote", "[database.roles.app]\nuser = \"a'b\"\n",
       "\"m.toml:2: database.roles.app.user = a'b\": not a name of 1 to 64 letters, digits, _, - and .; correct the "
       "name"},
      {"resolver by name", "[resolver]\nservers = [\"192.0.2.1\",\n  \"dns.example\"]\n",
       "\"m.toml:3: resolver.servers = dns.example\": not an address with an optional port; write ADDRESS or "
       "ADDRESS@PORT, as in servers = [\"192.0.2.54\", \"2001:db8::54@5353\"]"},
      {"resolver's port out of range", "[resolver]\nservers = [\"192.0.2.1@65536\"]\n",
       "\"m.toml:2: resolver.servers = 192.0.2.1@65536\": not an address with an optional port; write ADDRESS or "
       "ADDRESS@PORT, as in servers = [\"192.0.2.54\", \"2001:db8::54@5353\"]"},
      {"mysql without a server", "[database]\nengine = \"mysql\"\n",
       "\"m.toml: database.engine = mysql\": needs exactly one of database.host and database.unix_socket; set one and "
       "leave the other out"},
      {"mysql with two", "[database]\nengine = \"mysql\"\nhost = \"db\"\nunix_socket = \"/run/s\"\n",
       "\"m.toml: database.engine = mysql\": needs exactly one of database.host and database.unix_socket; set one and "
       "leave the other out"},
      {"keys beside the public tables", "[database]\npath = \"/a/b\"\nsecrets_path = \"/a/b\"\n",
       "\"m.toml: database.secrets_path = /a/b\": is the file of the public tables as well; give the private keys a "
       "file "
       "of their own in a folder of their own"},
  };
  for (const Row& row : rows) {
    const auto settings = parseSettings(row.toml, "m.toml");
    ASSERT_FALSE(settings.has_value()) << row.why;
    EXPECT_EQ(settings.error().code, Errc::settings) << row.why;
    EXPECT_EQ(describe(settings.error()), row.message) << row.why;
  }
}

TEST(Settings, HaveLimits) {
  EXPECT_EQ(parseSettings(std::string((1 << 20) + 1, '\n'), "m.toml").error().rule, "longer than 1048576 octets");
  EXPECT_EQ(parseSettings("[database]\npath = \"/" + std::string(4096, 'x') + "\"", "m").error().rule,
            "longer than 4096 octets");
  std::string servers;
  for (int i = 0; i < 17; ++i) servers += "\"192.0.2.1\",";
  EXPECT_EQ(parseSettings("[resolver]\nservers = [" + servers + "]", "m").error().rule, "at most 16 entries");
  const Folder folder;
  EXPECT_EQ(loadSettings(folder.file("big.toml", std::string((1 << 20) + 1, '\n'))).error().rule,
            "longer than 1048576 octets");
}

TEST(Settings, AreReadFromTheNamedFileThenFromTheVariable) {
  const Folder folder;
  const std::string named = folder.file("named.toml", "[log]\nlevel = \"error\"\n");
  const std::string byVariable = folder.file("variable.toml", "[log]\nlevel = \"trace\"\n");
  ::setenv("MAILZONE_CONFIG", byVariable.c_str(), 1);
  EXPECT_EQ(loadSettings(named).value().log.level, "error");
  EXPECT_EQ(loadSettings("").value().log.level, "trace");
  ::unsetenv("MAILZONE_CONFIG");
  const auto missing = loadSettings(folder.path() + "/none.toml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::settings);
  EXPECT_EQ(missing.error().rule, "cannot be opened: No such file or directory");
}

TEST(Settings, PageInTheDocumentsIsThatOfTheTable) {
  std::ifstream file(MAILZONE_SOURCE_DIR "/docs/settings.md");
  std::stringstream committed;
  committed << file.rdbuf();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(MAILZONE_SOURCE_DIR "/docs/settings.md") << settingsAsMarkdown();
  } else {
    EXPECT_EQ(committed.str(), settingsAsMarkdown()) << "write it again with UPDATE_GOLDEN=1";
  }
}

TEST(Settings, PasswordIsTheOneLineOfItsFile) {
  const Folder folder;
  for (const char* content : {"secret word", "secret word\n", "secret word\r\n"}) {
    const auto password = readPassword({"mailzone_dns", folder.file("p", content)});
    ASSERT_TRUE(password.has_value()) << describe(password.error());
    EXPECT_EQ(password->reveal(), "secret word");
  }
  ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  EXPECT_EQ(readPassword({"mailzone_dns", "credential:p"}).value().reveal(), "secret word");
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(readPassword({"mailzone_dns", "credential:p"}).error().rule, "$CREDENTIALS_DIRECTORY is not set");
}

TEST(Settings, PasswordFileThatIsWrongIsRefused) {
  const Folder folder;
  struct Row {
    const char* why;
    std::string path, rule;
  };
  const Row rows[] = {
      {"none set", "", "no password file is set for this account"},
      {"missing", folder.path() + "/none", "the password file cannot be opened: No such file or directory"},
      {"a folder", folder.path(), "the password file is no regular file"},
      {"readable by others", folder.file("open", "x\n", 0644), "the password file is open to everybody (mode 0644)"},
      {"writable by others", folder.file("writable", "x\n", 0602),
       "the password file is open to everybody (mode 0602)"},
      {"empty", folder.file("empty", ""), "the password file is empty"},
      {"an empty line", folder.file("line", "\n"), "the password file is empty"},
      {"two lines", folder.file("two", "a\nb\n"), "the password file has more than one line"},
      {"over the limit", folder.file("big", std::string(4097, 'x')), "longer than 4096 octets"},
  };
  for (const Row& row : rows) {
    const auto password = readPassword({"mailzone_dns", row.path});
    ASSERT_FALSE(password.has_value()) << row.why;
    EXPECT_EQ(password.error().code, Errc::settings) << row.why;
    EXPECT_EQ(password.error().rule, row.rule) << row.why;
  }
}

/// Runs `check` in a child without privileges; true when it returned true.
template <class Check>
bool holdsAsNobody(Check check) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    ::_exit(check() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Settings, ProgramThatCouldReadAnotherRolesSecretsIsRefused) {
  const Folder folder;
  Settings sqlite;
  sqlite.database.engine = "sqlite";
  sqlite.database.secretsPath = folder.file("secrets.db", "x", 0644);
  const auto refused = refuseForeignSecrets(sqlite, {SqlRole::dns});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::settings);
  EXPECT_EQ(refused.error().rule, "this program could read the private keys");
  EXPECT_TRUE(refuseForeignSecrets(sqlite, {SqlRole::keys}).has_value());

  Settings mysql;
  mysql.database.engine = "mysql";
  mysql.database.dns.passwordFile = folder.file("dns", "x", 0644);
  mysql.database.keys.passwordFile = folder.file("keys", "x", 0644);
  const auto foreign = refuseForeignSecrets(mysql, {SqlRole::dns});
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().rule, "this program could read the password of the role keys");
  EXPECT_TRUE(refuseForeignSecrets(mysql, {SqlRole::dns, SqlRole::keys}).has_value());

  Settings closed = mysql;
  ::chmod(mysql.database.keys.passwordFile.c_str(), 0600);
  sqlite.database.secretsPath = folder.file("closed.db", "x", 0600);
  if (::geteuid() == 0) {
    EXPECT_FALSE(refuseForeignSecrets(closed, {SqlRole::dns}).has_value()) << "root reads everything";
    EXPECT_TRUE(holdsAsNobody([&] { return refuseForeignSecrets(closed, {SqlRole::dns}).has_value(); }));
    EXPECT_TRUE(holdsAsNobody([&] { return refuseForeignSecrets(sqlite, {SqlRole::dns}).has_value(); }));
  }
}

}  // namespace
}  // namespace mailzone
