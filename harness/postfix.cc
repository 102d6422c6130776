#include "harness/postfix.h"

#include <fmt/format.h>

#include "harness/topology.h"

namespace mailzone::harness {
namespace {

constexpr const char* kCertificate = "/etc/postfix/mailzone-harness.crt";
constexpr const char* kKey = "/etc/postfix/mailzone-harness.key";

/// What both instances share: Debian's layout without chroot, time compressed, nothing that waits on a network beyond.
std::string baseMainCf(const std::string& instance, const std::string& hostName, const std::string& address) {
  return fmt::format(
      "compatibility_level = 3.6\nqueue_directory = /var/spool/{0}\ndata_directory = /var/lib/{0}\n"
      "command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n"
      "setgid_group = postdrop\nsyslog_name = {0}\nmyhostname = {1}\ninet_interfaces = {2}\ninet_protocols = ipv4\n"
      "smtp_bind_address = {2}\nmydestination =\nlocal_recipient_maps =\nalias_maps =\nalias_database =\nbiff = no\n"
      "smtpd_peername_lookup = no\nin_flow_delay = 0\nsmtp_tls_security_level = may\n"
      "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {3}\nsmtpd_tls_key_file = {4}\n"
      "maximal_queue_lifetime = 20s\nbounce_queue_lifetime = 20s\nqueue_run_delay = 1s\nminimal_backoff_time = 1s\n"
      "maximal_backoff_time = 2s\n",
      instance, hostName, address, kCertificate, kKey);
}

constexpr const char* kBaseMasterCf =
    "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
    "tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n"
    "defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n"
    "flush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\nproxywrite unix - - n - 1 proxymap\n"
    "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\n"
    "retry unix - - n - - error\ndiscard unix - - n - - discard\nlocal unix - n n - - local\n"
    "virtual unix - n n - - virtual\nlmtp unix - - n - - lmtp\nanvil unix - - n - 1 anvil\n"
    "scache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n";

Result<void> makeCertificate() {
  return runTool({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-days", "2", "-subj", "/CN=" + std::string(kMailHost), "-keyout", kKey, "-out", kCertificate})
      .map([](const std::string&) {});
}

/// What `postfix check` would make, in less time than it takes to look for what is wrong with a folder that is new.
Result<void> makeQueue(const std::string& instance) {
  const std::string queue = "/var/spool/" + instance + "/";
  if (auto made = makeFolder(queue + "pid"); !made) return made;
  for (const char* name :
       {"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"})
    if (auto made = makeFolder(queue + name, 0700, {"postfix", "root"}); !made) return made;
  if (auto made = makeFolder(queue + "maildrop", 01730, {"postfix", "postdrop"}); !made) return made;
  return makeFolder(queue + "public", 02710, {"postfix", "postdrop"});
}

Result<void> startInstance(Stage& stage, const std::string& instance, const std::string& mainCf,
                           const std::string& masterCf) {
  const std::string folder = "/etc/" + instance;
  for (const auto& [path, owner] : {std::pair{folder, FileOwner{}}, std::pair{"/var/spool/" + instance, FileOwner{}},
                                    std::pair{"/var/lib/" + instance, FileOwner{"postfix", "postfix"}}})
    if (auto made = makeFolder(path, 0755, owner); !made) return made;
  if (auto done = writeFile(folder + "/main.cf", mainCf); !done) return done;
  if (auto done = writeFile(folder + "/master.cf", masterCf); !done) return done;
  if (auto made = makeQueue(instance); !made) return made;
  ProcessSpec spec;
  spec.name = instance;
  // As postfix-script starts it in the foreground, without the shell that would stay above it.
  spec.command.argv = {"/usr/lib/postfix/sbin/master", "-c", folder, "-s"};
  return stage.supervisor->start(spec);
}

/// Copies of the shipped submission and marketing doors behind the crippled signers: the login rules stay as shipped.
std::string crippledDoors() {
  std::string text;
  for (const auto& [suffix, signer] :
       {std::pair{"unchecked", kUncheckedSignerPort}, std::pair{"naive", kNaiveSignerPort}})
    text += fmt::format(
        "{0} inet n - n - - smtpd\n  -o syslog_name=postfix/submission-{1}\n  -o smtpd_milters=inet:127.0.0.1:{2}\n"
        "  -o smtpd_tls_security_level=encrypt\n"
        "  -o cleanup_service_name=cleanup-sign\n  -o smtpd_sasl_auth_enable=yes\n"
        "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
        "  -o {{ smtpd_sender_restrictions = $mailzone_sender_guard, reject_sender_login_mismatch }}\n"
        "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
        doorPort("submission-" + std::string(suffix)), suffix, signer);
  return text;
}

/// The application's door once more for each rented address: signed alike, but leaving from there.
std::string rentedDoors() {
  std::string text;
  for (const std::string role : {"rented-with-ptr", "rented-without-ptr"}) {
    const auto host = hostOf(role);
    text += fmt::format(
        "{0} inet n - n - - smtpd\n  -o syslog_name=postfix/webapp-{1}\n  -o smtpd_milters=$mailzone_signer\n"
        "  -o cleanup_service_name=cleanup-sign\n  -o smtpd_client_restrictions=permit_mynetworks,reject\n"
        "  -o {{ smtpd_sender_restrictions = $mailzone_sender_guard, check_sender_access static:{{FILTER {1}:}} }}\n"
        "  -o smtpd_relay_restrictions=permit_mynetworks,reject\n"
        "{1} unix - - n - - smtp\n  -o smtp_bind_address={2}\n  -o smtp_helo_name={3}\n",
        doorPort("webapp-" + role), role, host->address, host->name);
  }
  return text;
}

}  // namespace

Result<void> startPlatformMta(Stage& stage, const TemplateValues& values) {
  if (auto made = makeFolder("/etc/postfix"); !made) return made;
  if (auto made = makeCertificate(); !made) return made;
  const std::string engine = stage.database == Database::sqlite ? "sqlite" : "mysql";
  for (const char* map : {"login_map.cf", "known_senders.cf", "foreign_only.cf"})
    if (auto done = installShipped(stage, "rotation/signing/postfix/" + engine + "/" + map,
                                   values.at("POSTFIX_MAPS") + "/" + map, values, 0640, {"root", "postfix"});
        !done)
      return done;
  const auto mainSnippet = shippedFile(stage, "rotation/signing/postfix/main.cf.snippet", values);
  const auto masterSnippet = shippedFile(stage, "rotation/signing/postfix/master.cf.snippet", values);
  if (!mainSnippet) return pass(mainSnippet);
  if (!masterSnippet) return pass(masterSnippet);
  std::string mainCf = baseMainCf("postfix", std::string(kMailHost), addressText("mta"));
  // Bounces to tenants end here: their mailboxes are no part of the demo.
  mainCf +=
      "transport_maps = inline:{ shop.example=discard:, .shop.example=discard:, .custom.example=discard:, "
      "custom.example=discard:, second.example=discard: }\n";
  const auto started = startInstance(stage, "postfix", mainCf + *mainSnippet,
                                     kBaseMasterCf + *masterSnippet + crippledDoors() + rentedDoors());
  if (!started) return started;
  return waitForPort(stage, "the platform's Postfix", addressText("mta"), doorPort("mx"));
}

Result<void> startRelay(Stage& stage, bool changesBodies) {
  const std::string address = addressText("relay");
  std::string mainCf = baseMainCf("postfix-relay", "mail.relay.example", address);
  mainCf += fmt::format(
      "mynetworks = {}/32\nsmtpd_relay_restrictions = permit_mynetworks, reject\n"
      "sender_canonical_maps = static:bounce@relay.example\nsender_canonical_classes = envelope_sender\n",
      addressText("mta"));
  constexpr const char* kChange = "  -o { body_checks = regexp:{{/^(.*)$$/ REPLACE $$1 [sent by relay.example]}} }\n";
  const std::string services = fmt::format(
      "{0}25 inet n - n - - smtpd\n"
      "  -o {{ smtpd_recipient_restrictions = check_recipient_access inline:{{ "
      "{{ footer@receiver.example = FILTER smtp:[{1}]:10026 }} }} }}\n{2}"
      "10026 inet n - n - - smtpd\n  -o cleanup_service_name=cleanup-change\n  -o mynetworks={1}/32\n"
      "cleanup-change unix n - n - 0 cleanup\n{3}",
      kBaseMasterCf, address, changesBodies ? "  -o cleanup_service_name=cleanup-change\n" : "", kChange);
  if (auto started = startInstance(stage, "postfix-relay", mainCf, services); !started) return started;
  return waitForPort(stage, "the relay's Postfix", address, 25);
}

}  // namespace mailzone::harness
