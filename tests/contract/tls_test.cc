// TLS to the database is enforced when it is asked for: a server without it, one with another name and one that nobody
// trusts are refused.
//
// What libmariadb 3.3 (Debian 12) does, found by these tests: with MYSQL_OPT_SSL_ENFORCE a server without TLS is error
// 2026 before a password is sent; the host name is compared only with MYSQL_OPT_SSL_VERIFY_SERVER_CERT.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/engines.h"
#include "tests/support/temporary_mariadb.h"

namespace mailzone::sql {
namespace {

using testing::HasSubstr;

/// A certificate authority and server certificates, made by openssl(1).
class Authority {
 public:
  Authority() { run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem"); }
  /// Files NAME.pem and NAME.key for a server of that subject alternative name.
  void issue(const std::string& file, const std::string& name) {
    run("openssl req -newkey rsa:2048 -nodes -subj /CN=" + file + " -keyout " + file + ".key -out " + file +
        ".csr && printf 'subjectAltName=" + name + "\\n' > " + file + ".ext && openssl x509 -req -in " + file +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile " + file + ".ext -out " + file + ".pem");
  }
  [[nodiscard]] std::string path(const std::string& file) const { return folder_.path() + "/" + file; }

 private:
  void run(const std::string& command) const {
    ASSERT_EQ(std::system(("cd " + folder_.path() + " && (" + command + ") >/dev/null 2>&1").c_str()), 0) << command;
  }
  test::TemporaryFolder folder_;
};

MysqlOptions optionsFor(const test::TemporaryMariadb& server, const std::string& host, const std::string& ca) {
  MysqlOptions options;
  options.host = host;
  options.port = server.port();
  options.user = "tls_user";
  options.password = Secret(std::string("secret-word"));
  options.tlsRequired = true;
  options.tlsCa = ca;
  return options;
}

void addUser(const test::TemporaryMariadb& server) {
  const auto root = server.connect("").value();
  ASSERT_TRUE(root->script("CREATE USER 'tls_user'@'%' IDENTIFIED BY 'secret-word'"));
}

TEST(MysqlTls, AServerWithoutTlsIsRefused) {
  Authority authority;
  test::TemporaryMariadb::Options options;
  options.listen = true;
  test::TemporaryMariadb server(options);
  addUser(server);
  auto wanted = optionsFor(server, "127.0.0.1", authority.path("ca.pem"));
  const auto refused = openMysql(wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable) << describe(refused.error());
  EXPECT_THAT(describe(refused.error()), HasSubstr("TLS"));
  // The twin: the same without the demand.
  wanted.tlsRequired = false;
  EXPECT_TRUE(openMysql(wanted));
}

TEST(MysqlTls, OnlyACertificateOfTheRightNameAndAuthorityIsTaken) {
  Authority authority;
  authority.issue("server", "IP:127.0.0.1,DNS:localhost");
  Authority stranger;
  test::TemporaryMariadb::Options options;
  options.listen = true;
  options.certificate = authority.path("server.pem");
  options.key = authority.path("server.key");
  options.ca = authority.path("ca.pem");
  test::TemporaryMariadb server(options);
  addUser(server);
  const auto right = openMysql(optionsFor(server, "127.0.0.1", authority.path("ca.pem")));
  ASSERT_TRUE(right) << describe(right.error());
  EXPECT_NE(test::one(**right,
                      "SELECT variable_value FROM information_schema.session_status "
                      "WHERE variable_name = 'Ssl_cipher'"),
            "");
  const auto untrusted = openMysql(optionsFor(server, "127.0.0.1", stranger.path("ca.pem")));
  ASSERT_FALSE(untrusted) << "the authority is another one";
  EXPECT_EQ(untrusted.error().code, Errc::unavailable);
  EXPECT_EQ(openMysql(optionsFor(server, "127.0.0.1", authority.path("none.pem"))).error().code, Errc::unavailable);
  EXPECT_EQ(openMysql(optionsFor(server, "127.0.0.1", "")).error().code, Errc::settings);
}

TEST(MysqlTls, ACertificateOfAnotherNameIsRefused) {
  Authority authority;
  authority.issue("other", "DNS:other.example");
  test::TemporaryMariadb::Options options;
  options.listen = true;
  options.certificate = authority.path("other.pem");
  options.key = authority.path("other.key");
  options.ca = authority.path("ca.pem");
  test::TemporaryMariadb server(options);
  addUser(server);
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto refused = openMysql(optionsFor(server, host, authority.path("ca.pem")));
    ASSERT_FALSE(refused) << host;
    EXPECT_EQ(refused.error().code, Errc::unavailable) << describe(refused.error());
  }
}

}  // namespace
}  // namespace mailzone::sql
