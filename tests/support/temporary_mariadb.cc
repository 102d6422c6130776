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

/// A data folder as mariadb-install-db makes it, made once per build folder: 2 s saved at each start.
std::string dataTemplate() {
  const fs::path root = fs::path(MAILZONE_BINARY_DIR) / "tests";
  fs::create_directories(root);
  const fs::path ready = root / "mariadb-template";
  const int lock = ::open((root / "mariadb-template.lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ::flock(lock, LOCK_EX);
  if (!fs::exists(ready)) {
    const fs::path making = root / "mariadb-template.new";
    fs::remove_all(making);
    const std::string log = (root / "mariadb-install-db.log").string();
    std::vector<std::string> arguments = {"mariadb-install-db",
                                          "--no-defaults",
                                          "--datadir=" + making.string(),
                                          "--auth-root-authentication-method=normal",
                                          "--skip-test-db",
                                          "--user=" + userName()};
    arguments.insert(arguments.end(), kSmall.begin(), kSmall.end());
    int status = 0;
    ::waitpid(spawn(arguments, log), &status, 0);
    if (status != 0) throw std::runtime_error("mariadb-install-db failed:\n" + contents(log));
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
    std::vector<std::string> arguments = {"mariadbd",
                                          "--no-defaults",
                                          "--datadir=" + data,
                                          "--socket=" + socket_,
                                          "--pid-file=" + folder_.path() + "/pid",
                                          "--user=" + userName(),
                                          "--innodb-buffer-pool-size=16M",
                                          "--innodb-flush-log-at-trx-commit=0",
                                          "--innodb-flush-method=nosync",
                                          "--sync-frm=OFF",
                                          "--performance-schema=OFF",
                                          "--skip-name-resolve"};
    arguments.insert(arguments.end(), kSmall.begin(), kSmall.end());
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
    while (std::chrono::steady_clock::now() < deadline) {
      if (connect("")) return;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
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
  sql::MysqlOptions options;
  options.unixSocket = socket_;
  options.user = user;
  options.password = Secret(std::string(password));
  options.database = database;
  options.readTimeoutS = 60;
  return sql::openMysql(options);
}

std::string TemporaryMariadb::newDatabase() {
  const std::string name = "mailzone_test_" + std::to_string(++databases_);
  const auto connection = connect("");
  if (!connection) throw std::runtime_error(describe(connection.error()));
  if (const auto made = (*connection)->script("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); !made) {
    throw std::runtime_error(describe(made.error()));
  }
  return name;
}

}  // namespace mailzone::test
