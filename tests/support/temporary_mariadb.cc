#include "tests/support/temporary_mariadb.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "tenantdb/migrator.h"

namespace mailzone::test {
namespace {

namespace fs = std::filesystem;

std::string userName() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "root";
}

/// Starts a program with standard output and error in `log`; it dies with this process.
pid_t spawn(const std::vector<std::string>& arguments, const std::string& log) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before prctl
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::vector<std::string> kSmall = {"--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:10M:autoextend"};

std::vector<std::string> serverArguments(const std::string& data, const std::string& socket) {
  std::vector<std::string> arguments = {"mariadbd",
                                        "--no-defaults",
                                        "--datadir=" + data,
                                        "--socket=" + socket,
                                        "--pid-file=" + socket + ".pid",
                                        "--user=" + userName(),
                                        "--innodb-buffer-pool-size=16M",
                                        "--innodb-flush-log-at-trx-commit=0",
                                        "--innodb-flush-method=nosync",
                                        "--sync-frm=OFF",
                                        "--performance-schema=OFF",
                                        "--skip-name-resolve"};
  arguments.insert(arguments.end(), kSmall.begin(), kSmall.end());
  return arguments;
}

Result<std::unique_ptr<sql::Connection>> connectTo(const std::string& socket, const std::string& database,
                                                   const std::string& user, const std::string& password) {
  sql::MysqlOptions options;
  options.unixSocket = socket;
  options.user = user;
  options.password = Secret(std::string(password));
  options.database = database;
  options.readTimeoutS = 60;
  return sql::openMysql(options);
}

/// True once the server answers; false when it exits or the deadline passes.
bool awaitAnswer(pid_t pid, const std::string& socket, std::chrono::steady_clock::time_point deadline) {
  while (std::chrono::steady_clock::now() < deadline) {
    if (connectTo(socket, "", "root", "")) return true;
    if (::waitpid(pid, nullptr, WNOHANG) == pid) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

template <class T>
T orThrow(Result<T> result) {
  if (!result) throw std::runtime_error(describe(result.error()));
  return std::move(*result);
}
void orThrow(const Result<void>& result) {
  if (!result) throw std::runtime_error(describe(result.error()));
}

constexpr std::string_view kReadyDatabase = "mailzone_ready";

void makeTemplate(const fs::path& data, const std::string& log) {
  std::vector<std::string> arguments = {"mariadb-install-db",
                                        "--no-defaults",
                                        "--datadir=" + data.string(),
                                        "--auth-root-authentication-method=normal",
                                        "--skip-test-db",
                                        "--user=" + userName()};
  arguments.insert(arguments.end(), kSmall.begin(), kSmall.end());
  int status = 0;
  ::waitpid(spawn(arguments, log), &status, 0);
  if (status != 0) throw std::runtime_error("mariadb-install-db failed:\n" + contents(log));
  // A socket's path is short: not in the build folder.
  const TemporaryFolder folder;
  const std::string socket = folder.path() + "/s";
  std::vector<std::string> alone = serverArguments(data.string(), socket);
  alone.emplace_back("--skip-networking");  // port 3306 may be somebody's
  const pid_t server = spawn(alone, log);
  if (!awaitAnswer(server, socket, std::chrono::steady_clock::now() + std::chrono::seconds(120))) {
    ::kill(server, SIGKILL);
    throw std::runtime_error("MariaDB did not start:\n" + contents(log));
  }
  orThrow(orThrow(connectTo(socket, "", "root", ""))
              ->script("CREATE DATABASE " + std::string(kReadyDatabase) + " CHARACTER SET utf8mb4"));
  orThrow(tenantdb::Migrator(*orThrow(connectTo(socket, std::string(kReadyDatabase), "root", ""))).apply());
  ::kill(server, SIGTERM);
  ::waitpid(server, nullptr, 0);
}

/// A data folder with a migrated database in it, made once per build folder and schema: some seconds saved at each
/// start.
std::string dataTemplate() {
  std::size_t schema = 0;
  for (const auto& migration : tenantdb::migrations(sql::Dialect::mysql)) {
    schema = schema * 31 + std::hash<std::string_view>{}(migration.text);
  }
  const fs::path root = fs::path(MAILZONE_BINARY_DIR) / "tests" / "mariadb";
  fs::create_directories(root);
  const fs::path ready = root / std::to_string(schema);
  const int lock = ::open((root / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ::flock(lock, LOCK_EX);
  if (!fs::exists(ready)) {
    for (const auto& old : fs::directory_iterator(root)) {
      if (old.is_directory()) fs::remove_all(old.path());  // of another schema, or left half-made
    }
    const fs::path making = root / "making";
    makeTemplate(making, (root / "log").string());
    fs::rename(making, ready);
  }
  ::close(lock);
  return ready.string();
}

std::uint16_t freePort() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ::bind(probe, reinterpret_cast<const sockaddr*>(&address), length);
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(probe);
  return ntohs(address.sin_port);
}

}  // namespace

TemporaryMariadb::TemporaryMariadb(const Options& options) {
  const std::string data = folder_.path() + "/data";
  fs::copy(dataTemplate(), data, fs::copy_options::recursive);
  socket_ = folder_.path() + "/mariadb.sock";
  const std::string log = folder_.path() + "/mariadb.log";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    std::vector<std::string> arguments = serverArguments(data, socket_);
    if (options.listen) {
      port_ = freePort();  // somebody may take it first: then the server exits and another is tried
      arguments.insert(arguments.end(), {"--bind-address=127.0.0.1", "--port=" + std::to_string(port_)});
    } else {
      arguments.emplace_back("--skip-networking");
    }
    if (!options.certificate.empty()) {
      arguments.insert(arguments.end(),
                       {"--ssl-cert=" + options.certificate, "--ssl-key=" + options.key, "--ssl-ca=" + options.ca});
    }
    arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());
    pid_ = spawn(arguments, log);
    if (awaitAnswer(pid_, socket_, deadline)) return;
    kill();
    if (!options.listen) break;
  }
  throw std::runtime_error("MariaDB did not start:\n" + contents(log));
}

TemporaryMariadb::~TemporaryMariadb() {
  kill();
}

void TemporaryMariadb::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

TemporaryMariadb& TemporaryMariadb::shared() {
  static TemporaryMariadb server(Options{});
  return server;
}

Result<std::unique_ptr<sql::Connection>> TemporaryMariadb::connect(const std::string& database, const std::string& user,
                                                                   const std::string& password) const {
  return connectTo(socket_, database, user, password);
}

std::string TemporaryMariadb::newDatabase() {
  const std::string name = "mailzone_test_" + std::to_string(++databases_);
  orThrow(orThrow(connect(""))->script("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"));
  return name;
}

std::string TemporaryMariadb::newMigratedDatabase() {
  if (!std::exchange(readyTaken_, true)) return std::string(kReadyDatabase);
  const std::string name = newDatabase();
  orThrow(tenantdb::Migrator(*orThrow(connect(name))).apply());
  return name;
}

}  // namespace mailzone::test
