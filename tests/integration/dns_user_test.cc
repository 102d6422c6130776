// The user that faces DNS cannot read a private key with SQLite, where no server keeps roles apart: the file system
// refuses it, the program refuses to start where the file system would not, and it has no code for keys at all.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "system/process.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_folder.h"

namespace mailzone {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kDnsUser = 64901;  // nobody's account: what counts is that it is not the owner

/// The exit status of `body` in a child process that has become that user, for good.
int asDnsUser(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(kDnsUser) != 0 || ::setuid(kDnsUser) != 0 || ::setuid(0) == 0) {
      ::_exit(254);
    }
    ::_exit(body());
  }
  int status = -1;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

/// The errno of opening the file as that user; 0: it opens.
int openAsDnsUser(const std::string& path, int flags) {
  return asDnsUser([&] { return ::open(path.c_str(), flags | O_CLOEXEC) >= 0 ? 0 : errno; });
}

/// Data that `db migrate` made, in folders as an installation has them: the secrets' one may be passed through here, so
/// that the mode of the file alone has to hold.
class DnsUser : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "only root becomes another user";
    ::umask(022);
    fs::permissions(folder.path(), fs::perms(0755));
    writeSettings(folder.path() + "/admin.toml", secrets);
    Command migrate;
    migrate.argv = {MAILZONE_BINARY_DIR "/bin/mailzone", "--config", folder.path() + "/admin.toml", "db", "migrate"};
    const auto ran = run(migrate, "", std::chrono::seconds(60));
    ASSERT_TRUE(ran && ran->exitStatus == 0) << ran->errors;
    connection = sql::openSqlite({database, secrets, false, 5000}).value();
    test::seedPlatform(*connection);
    test::giveKey(*connection, "t1.shop.example", "mz1", true);
  }

  void writeSettings(const std::string& file, const std::string& secretsPath) const {
    std::ofstream(file) << fmt::format(
        "[database]\nengine = \"sqlite\"\npath = \"{}\"\nsecrets_path = \"{}\"\n[backend]\nsocket = "
        "\"{}/backend.sock\"\nsocket_group = \"\"\nreplica_path = \"{}/replica\"\n",
        database, secretsPath, folder.path(), folder.path());
  }

  /// mailzone-backend as that user; its exit status. By descriptor: the build folder may be closed to that user.
  int backend(const std::string& option) {
    const int binary = ::open(MAILZONE_BINARY_DIR "/bin/mailzone-backend", O_RDONLY | O_CLOEXEC);
    const int log = ::open((folder.path() + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string config = folder.path() + "/admin.toml";
    const int status = asDnsUser([&] {
      std::vector<std::string> words = {"mailzone-backend", "--config", config};
      if (!option.empty()) words.push_back(option);
      std::vector<char*> arguments;
      for (auto& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      char* environment[] = {nullptr};
      ::dup2(log, 2);
      ::alarm(20);  // a program that serves instead is ended
      ::fexecve(binary, arguments.data(), environment);
      return 253;
    });
    ::close(binary);
    ::close(log);
    return status;
  }
  [[nodiscard]] std::string log() const { return tailOfFile(folder.path() + "/log", 20); }

  test::TemporaryFolder folder;
  std::string database = folder.path() + "/mailzone.db";
  std::string secrets = folder.path() + "/secrets.db";
  std::unique_ptr<sql::Connection> connection;
};

TEST_F(DnsUser, IsRefusedThePrivateKeysByTheFileSystem) {
  EXPECT_EQ(openAsDnsUser(database, O_RDONLY), 0) << "the public half is for it";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    // The journal beside it holds keys as well; it is there as long as a connection is.
    if (!entry.path().filename().string().starts_with("secrets.db")) continue;
    ++files;
    EXPECT_EQ(entry.status().permissions() & fs::perms(0777), fs::perms(0600)) << entry.path();
    for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
      EXPECT_EQ(openAsDnsUser(entry.path().string(), flags), EACCES) << entry.path();
    }
  }
  EXPECT_GE(files, 1);
  EXPECT_EQ(backend("--check-config"), 0) << "it cannot read them, so it may start: " << log();
}

TEST_F(DnsUser, DoesNotStartWhereItCouldReadThePrivateKeys) {
  struct Row {
    const char* why;
    std::function<int()> open;
  };
  const Row rows[] = {
      {"everybody may read them", [&] { return ::chmod(secrets.c_str(), 0644); }},
      {"everybody may read and write them", [&] { return ::chmod(secrets.c_str(), 0666); }},
      {"its group may read them",
       [&] { return ::chown(secrets.c_str(), 0, kDnsUser) + ::chmod(secrets.c_str(), 0640); }},
      {"they are its own", [&] { return ::chown(secrets.c_str(), kDnsUser, 0) + ::chmod(secrets.c_str(), 0600); }},
  };
  for (const auto& row : rows) {
    ASSERT_EQ(row.open(), 0) << std::strerror(errno);
    ASSERT_EQ(openAsDnsUser(secrets, O_RDONLY), 0) << row.why;
    for (const char* option : {"", "--check-config"}) {
      EXPECT_EQ(backend(option), 78) << row.why << " " << option << log();
      EXPECT_NE(log().find("could read the private keys"), std::string::npos) << row.why << log();
      EXPECT_NE(log().find(secrets), std::string::npos) << row.why << log();
    }
    EXPECT_FALSE(fs::exists(folder.path() + "/backend.sock"));
    EXPECT_FALSE(fs::exists(folder.path() + "/replica"));
    ASSERT_EQ(::chown(secrets.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(secrets.c_str(), 0600), 0);
  }
}

std::string bytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string symbolsOf(const std::string& program) {
  Command nm;
  nm.argv = {"nm", "-C", "--defined-only", program};
  const auto ran = run(nm, "", std::chrono::seconds(60));
  EXPECT_TRUE(ran && ran->exitStatus == 0) << program;
  return ran ? ran->output : "";
}

TEST(BackendProgram, HasNoCodeThatReadsOrMakesPrivateKeys) {
  const std::string programs = MAILZONE_BINARY_DIR "/bin/";
  // What is looked for stands in the program that has it: the search would find it.
  EXPECT_NE(bytesOf(programs + "mailzone-rotate").find("dkim_secret"), std::string::npos);
  EXPECT_NE(symbolsOf(programs + "mailzone-rotate").find("SecretStore"), std::string::npos);
  const auto symbols = symbolsOf(programs + "mailzone-backend");
  EXPECT_NE(symbols.find("mailzone::backend::Follower"), std::string::npos);
  EXPECT_NE(symbols.find("mailzone::tenantdb::PublicStore"), std::string::npos);
  const auto bytes = bytesOf(programs + "mailzone-backend");
  EXPECT_EQ(symbols.find("SecretStore"), std::string::npos);
  EXPECT_EQ(symbols.find("SigningExport"), std::string::npos);
  EXPECT_EQ(symbols.find("mailzone::rotation::"), std::string::npos);
  EXPECT_EQ(bytes.find("dkim_secret"), std::string::npos) << "not even the name of their table";
  EXPECT_EQ(bytes.find("private_pem"), std::string::npos);
}

}  // namespace
}  // namespace mailzone
