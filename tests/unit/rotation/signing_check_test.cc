#include "rotation/signing_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "system/template.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::rotation {
namespace {

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The shipped files, filled in, and read as an operator's would be: by the real postconf.
struct Shipped {
  test::TemporaryFolder folder;
  PostfixConfiguration postfix;
  OpenDkimConfiguration opendkim;

  Shipped() {
    const std::string& at = folder.path();
    const TemplateValues values = {{"MAP_TYPE", "sqlite"},
                                   {"POSTFIX_MAPS", at},
                                   {"SIGNER", "inet:127.0.0.1:8891"},
                                   {"SIGNER_SOCKET", "inet:8891@127.0.0.1"},
                                   {"MAIL_HOST", "mx1.shop.example"},
                                   {"PLATFORM", "shop.example"},
                                   {"APP_NETWORKS", "192.0.2.80/32 [2001:db8::80]/128"},
                                   {"MX_LISTEN", "25"},
                                   {"SUBMISSION_LISTEN", "587"},
                                   {"MARKETING_LISTEN", "588"},
                                   {"WEBAPP_LISTEN", "10025"},
                                   {"SUBMISSION_TLS", "encrypt"},
                                   {"MARKETING_RELAY", "[198.51.100.25]:25"},
                                   {"SASL_SOCKET", at + "/auth"},
                                   {"OPENDKIM_USER", "opendkim"},
                                   {"OPENDKIM_PIDFILE", at + "/pid"},
                                   {"SIGNING_TABLE", at + "/signingtable"},
                                   {"KEY_TABLE", "file:" + at + "/keytable"},
                                   {"AUTHOR_LUA", at + "/author.lua"},
                                   {"AUTHORS_FOLDER", at + "/authors"}};
    const auto fill = [&](const std::string& name, const std::string& to, const std::string& before) {
      const auto text = fillTemplate(contentOf(std::string(MAILZONE_SOURCE_DIR "/rotation/signing/") + name), values);
      EXPECT_TRUE(text.has_value()) << name;
      std::ofstream(at + "/" + to) << before << text.value_or("");
    };
    fill("postfix/main.cf.snippet", "main.cf", "compatibility_level = 3.6\n");
    fill("postfix/master.cf.snippet", "master.cf", "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n");
    fill("opendkim/opendkim.conf", "opendkim.conf", "");
    fill("opendkim/author.lua", "author.lua", "");
    fill("opendkim/signingtable", "signingtable", "");
    const auto readMain = readPostfix(at);
    EXPECT_TRUE(readMain.has_value()) << (readMain ? "" : describe(readMain.error()));
    if (readMain) postfix = *readMain;
    const auto readSigner = readOpenDkim(at + "/opendkim.conf");
    EXPECT_TRUE(readSigner.has_value()) << (readSigner ? "" : describe(readSigner.error()));
    if (readSigner) opendkim = *readSigner;
  }
  PostfixService& service(const std::string& name) {
    const auto found = std::find_if(postfix.services.begin(), postfix.services.end(),
                                    [&](const PostfixService& one) { return one.name == name; });
    EXPECT_NE(found, postfix.services.end()) << name;
    return *found;
  }
};

std::string listed(const std::vector<SigningFinding>& findings) {
  std::string text;
  for (const auto& f : findings) text += f.rule + " at " + f.place + ": " + f.setting + " = " + f.value + "\n";
  return text;
}

TEST(SigningCheck, FindsNothingInWhatWeShip) {
  const Shipped shipped;
  EXPECT_EQ(listed(checkSigning(shipped.postfix, shipped.opendkim)), "");
  ASSERT_TRUE(shipped.opendkim.script.has_value());
  ASSERT_TRUE(shipped.opendkim.signingTable.has_value());
}

TEST(SigningCheck, FindsEachSingleDeviation) {
  using Change = std::function<void(Shipped&)>;
  const auto main = [](const char* name, const char* value) {
    return [=](Shipped& s) { s.postfix.parameters[name] = value; };
  };
  const auto door = [](const char* service, const char* name, const char* value) {
    return [=](Shipped& s) { s.service(service).overrides[name] = value; };
  };
  const auto inherit = [](const char* service, const char* name) {
    return [=](Shipped& s) { s.service(service).overrides.erase(name); };
  };
  const auto signer = [](const char* name, const char* value) {
    return [=](Shipped& s) { s.opendkim.settings[name] = value; };
  };
  const auto without = [](const char* name) { return [=](Shipped& s) { s.opendkim.settings.erase(name); }; };
  const struct {
    const char* rule;
    Severity severity;
    Change change;
  } rows[] = {
      {"main-milters", Severity::critical, main("smtpd_milters", "inet:127.0.0.1:8891")},
      {"milter-default-action", Severity::critical, main("milter_default_action", "accept")},
      {"milter-default-action", Severity::critical, main("milter_default_action", "quarantine")},
      {"milter-default-action", Severity::critical, door("587", "milter_default_action", "accept")},
      {"milter-default-action", Severity::critical,
       door("587", "smtpd_milters", "{ inet:127.0.0.1:8891, default_action = accept }")},
      {"milter-default-action", Severity::critical,
       main("non_smtpd_milters", "{ inet:127.0.0.1:8891, default_action=accept }")},
      {"mail-macros", Severity::critical, main("milter_mail_macros", "i,{auth_type}")},
      {"mail-macros", Severity::critical, door("588", "milter_mail_macros", "i {auth_type}")},
      {"bounces-unsigned", Severity::critical, main("non_smtpd_milters", "")},
      {"bounces-unsigned", Severity::critical, main("internal_mail_filter_classes", "")},
      {"bounces-unsigned", Severity::critical, door("cleanup", "non_smtpd_milters", "")},
      {"local-submit", Severity::critical, main("authorized_submit_users", "static:anyone")},
      {"local-submit", Severity::critical, main("authorized_submit_users", "root, www-data")},
      {"local-submit", Severity::critical, main("authorized_submit_users", "")},
      {"bare-newline", Severity::critical, main("smtpd_forbid_bare_newline", "no")},
      {"bare-newline", Severity::critical, door("10025", "smtpd_forbid_bare_newline", "no")},
      {"bare-newline-exclusions", Severity::critical, main("smtpd_forbid_bare_newline_exclusions", "$mynetworks")},
      {"percent-hack", Severity::critical, main("allow_percent_hack", "yes")},
      {"bang-path", Severity::critical, main("swap_bangpath", "yes")},
      {"dequoted", Severity::critical, main("resolve_dequoted_address", "yes")},
      {"parent-domains", Severity::critical,
       main("parent_domain_matches_subdomains", "debug_peer_list,smtpd_access_maps")},
      {"main-relay", Severity::critical,
       main("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")},
      {"main-relay", Severity::critical,
       main("smtpd_relay_restrictions", "permit_sasl_authenticated, defer_unauth_destination")},
      {"relay-unsigned", Severity::critical,
       door("25", "smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")},
      {"no-milters", Severity::critical, door("587", "receive_override_options", "no_address_mappings, no_milters")},
      {"no-milters", Severity::critical, main("receive_override_options", "no_milters")},
      {"milter-maps", Severity::critical, main("smtpd_milter_maps", "cidr:/etc/postfix/unsigned")},
      {"submission-unsigned", Severity::critical, inherit("587", "smtpd_milters")},
      {"relay-unsigned", Severity::critical, door("10025", "smtpd_milters", "")},
      {"submission-unsigned", Severity::critical, door("25", "smtpd_sasl_auth_enable", "yes")},
      {"foreign-only", Severity::critical, inherit("25", "smtpd_sender_restrictions")},
      {"foreign-only", Severity::critical,
       door("25", "smtpd_sender_restrictions",
            "permit_mynetworks, $mailzone_foreign_guard, check_sender_access "
            "$mailzone_foreign_only")},
      {"non-ascii-sender", Severity::warning,
       door("25", "smtpd_sender_restrictions", "check_sender_access $mailzone_foreign_only")},
      {"non-ascii-sender", Severity::warning,
       door("25", "smtpd_sender_restrictions", "check_sender_access $mailzone_foreign_only, $mailzone_foreign_guard")},
      {"login-rule-ignored", Severity::warning,
       door("25", "smtpd_sender_restrictions",
            "$mailzone_foreign_guard, check_sender_access $mailzone_foreign_only, "
            "reject_unauthenticated_sender_login_mismatch")},
      {"null-sender", Severity::critical,
       main("mailzone_sender_guard", "check_sender_access regexp:{{/[^ -~]|@.*@/ REJECT}}")},
      {"non-ascii-sender", Severity::warning,
       main("mailzone_sender_guard", "check_sender_access regexp:{{/^<>|@.*@/ REJECT}}")},
      {"double-sender", Severity::critical,
       main("mailzone_sender_guard", "check_sender_access regexp:{{/^<>|[^ -~]/ REJECT}}")},
      {"null-sender", Severity::critical,
       main("mailzone_sender_guard", "check_sender_access regexp:{{/^<>|[^ -~]|@.*@/ WARN}}")},
      {"null-sender", Severity::critical,
       door("587", "smtpd_sender_restrictions", "reject_sender_login_mismatch, $mailzone_sender_guard")},
      {"login-mismatch", Severity::critical, door("587", "smtpd_sender_restrictions", "$mailzone_sender_guard")},
      {"login-mismatch", Severity::critical,
       door("588", "smtpd_sender_restrictions",
            "$mailzone_sender_guard, permit_sasl_authenticated, reject_sender_login_mismatch")},
      {"login-mismatch", Severity::critical,
       door("587", "smtpd_sender_restrictions",
            "$mailzone_sender_guard, reject_unauthenticated_sender_login_mismatch")},
      {"login-map", Severity::critical, main("smtpd_sender_login_maps", "")},
      {"door-open", Severity::critical, door("587", "smtpd_client_restrictions", "permit_mynetworks,reject")},
      {"door-open", Severity::critical, door("587", "smtpd_client_restrictions", "permit_sasl_authenticated")},
      {"door-open", Severity::critical,
       door("587", "smtpd_client_restrictions", "permit_mynetworks,permit_sasl_authenticated,reject")},
      {"door-open", Severity::critical, door("10025", "smtpd_client_restrictions", "")},
      {"door-open", Severity::critical, door("10025", "smtpd_client_restrictions", "permit")},
      {"door-relay", Severity::critical,
       door("587", "smtpd_relay_restrictions", "permit_mynetworks,permit_sasl_authenticated,reject")},
      {"door-relay", Severity::critical, inherit("10025", "smtpd_relay_restrictions")},
      {"known-senders", Severity::critical, door("10025", "smtpd_sender_restrictions", "$mailzone_sender_guard")},
      {"known-senders", Severity::critical,
       door("10025", "smtpd_sender_restrictions",
            "$mailzone_sender_guard, check_sender_access $mailzone_known_senders")},
      {"login-rule-ignored", Severity::warning,
       door("10025", "smtpd_sender_restrictions",
            "$mailzone_sender_guard, check_sender_access $mailzone_known_senders, reject_sender_login_mismatch, "
            "reject")},
      {"mynetworks", Severity::critical, main("mynetworks", "0.0.0.0/0")},
      {"mynetworks", Severity::critical, main("mynetworks", "192.0.2.80/32, [::]/0")},
      {"missing-headers", Severity::critical, inherit("cleanup-sign", "always_add_missing_headers")},
      {"missing-headers", Severity::critical, inherit("587", "cleanup_service_name")},
      {"envelope-rewritten", Severity::warning, main("sender_canonical_maps", "tcp:127.0.0.1:10001")},
      {"envelope-rewritten", Severity::warning, main("canonical_maps", "hash:/etc/postfix/canonical")},
      {"header-rewritten", Severity::warning,
       main("local_header_rewrite_clients", "permit_inet_interfaces, permit_sasl_authenticated")},
      {"bytes-changed", Severity::warning, main("disable_mime_output_conversion", "no")},
      {"bytes-changed", Severity::warning, main("smtp_line_length_limit", "998")},
      {"bytes-changed", Severity::warning, main("smtp_header_checks", "regexp:/etc/postfix/headers")},
      {"bytes-changed", Severity::warning, main("smtp_body_checks", "regexp:/etc/postfix/body")},
      {"bytes-changed", Severity::warning, main("smtp_generic_maps", "hash:/etc/postfix/generic")},
      {"bytes-changed", Severity::warning, door("marketing", "smtp_header_checks", "regexp:/etc/postfix/headers")},
      {"qmqpd", Severity::critical,
       [](Shipped& s) {
         s.postfix.services.push_back({"628", "inet", "qmqpd", {}});
       }},
      {"mode", Severity::critical, signer("mode", "v")},
      {"sender-macro", Severity::critical, without("sendermacro")},
      {"sender-macro", Severity::critical, signer("sendermacro", "{auth_authen}")},
      {"author-script", Severity::critical, without("setuppolicyscript")},
      {"author-script", Severity::critical, [](Shipped& s) { s.opendkim.script = "return nil"; }},
      {"bounce-author", Severity::warning, main("myorigin", "other.shop.example")},
      {"signing-table", Severity::critical, signer("signingtable", "dsn:mysql://u:p@h/d/table=t")},
      {"signing-table", Severity::critical, without("signingtable")},
      {"signing-table", Severity::critical, [](Shipped& s) { s.opendkim.signingTable = "*@* %\n* common\n"; }},
      {"common-signature", Severity::warning, [](Shipped& s) { s.opendkim.signingTable = "* %\n"; }},
      {"signing-table", Severity::critical,
       [](Shipped& s) { s.opendkim.signingTable = "* %\n* common\n* t2.shop.example\n"; }},
      {"required-headers", Severity::critical, without("requiredheaders")},
      {"old-signatures", Severity::critical, signer("removeoldsignatures", "no")},
      {"two-signatures", Severity::critical, without("multiplesignatures")},
      {"internal-hosts", Severity::critical, without("internalhosts")},
      {"internal-hosts", Severity::critical, signer("internalhosts", "0.0.0.0/0")},
      {"internal-hosts", Severity::critical, signer("internalhosts", "0.0.0.0/0,::/0,!192.0.2.80")},
      {"exempt", Severity::critical, signer("peerlist", "192.0.2.80")},
      {"exempt", Severity::critical, signer("exemptdomains", "t1.shop.example")},
      {"exempt", Severity::critical, signer("dontsignmailto", "*@receiver.example")},
      {"on-error-accept", Severity::critical, signer("on-keynotfound", "accept")},
      {"on-error-accept", Severity::critical, signer("on-internalerror", "accept")},
      {"on-error-accept", Severity::critical, signer("on-default", "accept")},
      {"body-length", Severity::critical, signer("bodylengthdb", "*@receiver.example")},
      {"maximum-headers", Severity::warning, without("maximumheaders")},
      {"rsa-sha1", Severity::warning, signer("signaturealgorithm", "rsa-sha1")},
      {"sign-headers", Severity::warning, without("signheaders")},
      {"sign-headers", Severity::warning, signer("signheaders", "from,to,subject")},
      {"oversigned-not-signed", Severity::warning,
       signer("signheaders", "*,+list-unsubscribe-post,+message-id,+content-type,+content-transfer-encoding")},
      {"oversign", Severity::warning, signer("oversignheaders", "From")},
      {"oversign", Severity::warning, without("oversignheaders")},
  };
  Shipped shipped;
  const PostfixConfiguration postfix = shipped.postfix;
  const OpenDkimConfiguration opendkim = shipped.opendkim;
  for (const auto& row : rows) {
    shipped.postfix = postfix;
    shipped.opendkim = opendkim;
    row.change(shipped);
    const auto findings = checkSigning(shipped.postfix, shipped.opendkim);
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const auto& f) { return f.rule == row.rule; });
    if (found == findings.end()) {
      ADD_FAILURE() << row.rule << " was not found, but:\n" << listed(findings);
      continue;
    }
    EXPECT_EQ(word(found->severity), word(row.severity)) << row.rule;
    EXPECT_FALSE(found->why.empty() || found->remedy.empty() || found->setting.empty() || found->place.empty());
  }
}

TEST(SigningCheck, IsContentWithWhatIsAsGood) {
  Shipped shipped;
  shipped.postfix.parameters["smtpd_forbid_bare_newline"] = "reject";
  shipped.postfix.parameters["milter_default_action"] = "reject";
  shipped.opendkim.settings["oversignheaders"] += ",Sender";
  shipped.opendkim.settings["signheaders"] += ",+sender";
  shipped.service("25").overrides["smtpd_relay_restrictions"] = "permit_auth_destination, reject";
  shipped.postfix.parameters["mailzone_sender_guard"] =
      "check_sender_access regexp:{{/^<>$/ REJECT no} {/[^ -~]/ reject} {/@[^@]*@/ REJECT}}";
  EXPECT_EQ(listed(checkSigning(shipped.postfix, shipped.opendkim)), "");
}

TEST(SigningCheck, ExpandsPostfixVariablesAndStopsAtLoops) {
  PostfixConfiguration configuration;
  configuration.parameters = {{"a", "$b ${c} $(d) $ $5x"}, {"b", "1"}, {"c", "2"}, {"d", "$b$b"}, {"loop", "x$loop"}};
  EXPECT_EQ(configuration.value("a"), "1 2 11 $");
  EXPECT_LE(configuration.value("loop").size(), 20U);
  EXPECT_EQ(configuration.value("missing"), "");
}

TEST(SigningCheck, SaysWhatItCannotRead) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(readPostfix(folder.path() + "/none").error().code, Errc::settings);
  EXPECT_EQ(readOpenDkim(folder.path() + "/none").error().code, Errc::settings);
  EXPECT_EQ(parseOpenDkim("Mode\n").error().code, Errc::settings);
  EXPECT_EQ(parsePostfix("", "", "").error().code, Errc::settings);
  std::ofstream(folder.path() + "/loop.conf") << "Include " << folder.path() << "/loop.conf\n";
  EXPECT_EQ(readOpenDkim(folder.path() + "/loop.conf").error().code, Errc::limitExceeded);
  std::ofstream(folder.path() + "/big.conf") << std::string((4U << 20U) + 1, '#');
  EXPECT_EQ(readOpenDkim(folder.path() + "/big.conf").error().code, Errc::limitExceeded);
}

TEST(SigningCheck, FollowsIncludesAndIgnoresComments) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/b.conf") << "mode s # sign\n";
  std::ofstream(folder.path() + "/a.conf") << "# a comment\n\nInclude " << folder.path() << "/b.conf\nUMask 007\n";
  const auto read = readOpenDkim(folder.path() + "/a.conf");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->settings.at("mode"), "s");
  EXPECT_EQ(read->settings.at("umask"), "007");
}

}  // namespace
}  // namespace mailzone::rotation
