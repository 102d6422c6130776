#include "rotation/signing_check.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <set>
#include <sstream>

namespace mailzone::rotation {
namespace {

std::string lower(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return folded;
}

/// Items of a Postfix list: separated by commas and blanks, {…} kept whole.
std::vector<std::string> itemsOf(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  int depth = 0;
  for (const char c : text) {
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (depth == 0 && (c == ',' || c == ' ' || c == '\t')) {
      if (!item.empty()) items.push_back(std::exchange(item, {}));
    } else {
      item += c;
    }
  }
  if (!item.empty()) items.push_back(item);
  return items;
}

bool has(const std::vector<std::string>& items, std::string_view wanted) {
  return std::any_of(items.begin(), items.end(), [&](const std::string& item) { return lower(item) == wanted; });
}

bool isYes(std::string_view value) {
  const std::string folded = lower(value);
  return folded == "yes" || folded == "true" || folded == "1";
}

/// Reads the rules of an inline table, `regexp:{{/PATTERN/ ACTION} …}`: whether one refuses `sender`. A table elsewhere
/// cannot be seen from here and counts as refusing nothing: the shipped guards stand inline.
bool inlineTableRefuses(const std::string& table, const std::string& sender) {
  if (table.compare(0, 8, "regexp:{") != 0) return false;
  const std::string_view body = std::string_view(table).substr(8);
  for (std::size_t at = 0; (at = body.find("{/", at)) != std::string_view::npos;) {
    const std::size_t begin = at + 2;
    std::size_t end = begin;
    while (end < body.size() && (body[end] != '/' || body[end - 1] == '\\')) ++end;
    if (end >= body.size()) return false;
    const std::string_view after = body.substr(end + 1);
    at = end;
    const auto action = after.find_first_not_of(" \t");
    if (action == std::string_view::npos || lower(after.substr(action, 6)) != "reject") continue;
    regex_t compiled{};
    if (::regcomp(&compiled, std::string(body.substr(begin, end - begin)).c_str(),
                  REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0) {
      continue;
    }
    const bool refuses = ::regexec(&compiled, sender.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&compiled);
    if (refuses) return true;
  }
  return false;
}

bool isTable(std::string_view item) {
  for (const std::string_view type : {"sqlite:", "mysql:", "pgsql:", "lmdb:", "hash:", "btree:", "cdb:", "texthash:",
                                      "inline:", "ldap:", "proxy:", "socketmap:", "tcp:"}) {
    if (item.substr(0, type.size()) == type) return true;
  }
  return false;
}

/// What a list of sender restrictions does, read from the left until something permits.
struct SenderRules {
  bool refusesNull = false, refusesNonAscii = false, refusesDouble = false;  ///< before any map or login rule
  bool refusesOtherLogins = false;
  bool asksTable = false;
  bool endsInReject = false;
  bool permitsEarly = false;  ///< a permit before the login rule or the table
  bool loginRule = false;     ///< any login rule at all
};

SenderRules senderRulesOf(const std::string& restrictions) {
  SenderRules rules;
  bool asked = false;
  const auto items = itemsOf(restrictions);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = lower(items[i]);
    if (item == "check_sender_access" && i + 1 < items.size()) {
      const std::string& table = items[++i];
      if (isTable(table)) {
        rules.asksTable = asked = true;
      } else if (!asked) {
        rules.refusesNull = rules.refusesNull || inlineTableRefuses(table, "<>");
        rules.refusesNonAscii = rules.refusesNonAscii || inlineTableRefuses(table,
                                                                            "a@\xc5\xa5"
                                                                            "1.example");
        rules.refusesDouble = rules.refusesDouble || inlineTableRefuses(table, "a@t1.example@mx.example");
      }
    } else if (item == "reject_sender_login_mismatch" || item == "reject_authenticated_sender_login_mismatch") {
      rules.refusesOtherLogins = rules.loginRule = asked = true;
    } else if (item.find("sender_login_mismatch") != std::string::npos) {
      rules.loginRule = asked = true;
    } else if (item.compare(0, 6, "permit") == 0) {
      rules.permitsEarly = rules.permitsEarly || !asked;
    } else if (item == "reject") {
      rules.endsInReject = true;
    }
  }
  return rules;
}

/// A list that lets `permitted` in and nobody else.
bool admitsOnly(const std::string& restrictions, std::string_view permitted) {
  bool permits = false;
  for (const std::string& item : itemsOf(restrictions)) {
    const std::string word = lower(item);
    if (word == permitted) {
      permits = true;
    } else if (word.compare(0, 6, "permit") == 0) {
      return false;
    } else if (word == "reject" || word == "defer") {
      return permits;
    }
  }
  return false;
}

bool isSubmissionPort(const std::string& name) {
  const std::string port = name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
  return port == "587" || port == "465" || port == "submission" || port == "submissions" || port == "smtps";
}

/// Collects findings; one place where their text is put together.
class Checker {
 public:
  Checker(const PostfixConfiguration& postfix, const OpenDkimConfiguration& opendkim)
      : postfix_(postfix), opendkim_(opendkim) {}

  std::vector<SigningFinding> check() {
    mainParameters();
    signerFailures();
    for (const PostfixService& service : postfix_.services) {
      if (service.command == "smtpd") door(service);
      if (service.command == "qmqpd") {
        add(Severity::critical, "qmqpd", placeOf(service), "qmqpd", "enabled",
            "mail that comes in by QMQP has no login and no envelope rule", "remove the service");
      }
    }
    signer();
    signedHeaders();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string rule, std::string place, std::string setting, std::string value,
           std::string why, std::string remedy) {
    findings_.push_back({severity, std::move(rule), std::move(place), std::move(setting), escapeForDisplay(value),
                         std::move(why), std::move(remedy)});
  }
  static std::string placeOf(const PostfixService& service) { return "master.cf " + service.name; }

  // --- main.cf ---
  struct MainRule {
    Severity severity;
    const char* rule;
    const char* parameter;
    bool (*fine)(const std::string&);
    const char* why;
    const char* remedy;
  };
  static const std::vector<MainRule>& mainRules();
  void mainParameters() {
    for (const MainRule& rule : mainRules()) {
      const std::string value = postfix_.value(rule.parameter);
      if (!rule.fine(value)) add(rule.severity, rule.rule, "main.cf", rule.parameter, value, rule.why, rule.remedy);
      // A service may say otherwise.
      for (const PostfixService& service : postfix_.services) {
        if (service.overrides.count(rule.parameter) == 0 || !concerns(rule, service)) continue;
        const std::string own = postfix_.valueFor(service, rule.parameter);
        if (!rule.fine(own))
          add(rule.severity, rule.rule, placeOf(service), rule.parameter, own, rule.why, rule.remedy);
      }
    }
  }
  /// The services' own smtpd_milters, restrictions and the like are looked at by door().
  static bool concerns(const MainRule& rule, const PostfixService& service) {
    static const std::set<std::string_view> kByDoor = {"smtpd_milters", "smtpd_relay_restrictions",
                                                       "sender_canonical_maps", "canonical_maps", "content_filter"};
    return kByDoor.count(rule.parameter) == 0 && service.command != "proxymap";
  }

  /// A milter may carry settings of its own: { inet:…, default_action=accept }.
  void signerFailures() {
    std::vector<std::pair<std::string, std::string>> lists = {{"main.cf", postfix_.value("non_smtpd_milters")}};
    for (const PostfixService& service : postfix_.services) {
      if (service.command == "smtpd") lists.emplace_back(placeOf(service), postfix_.valueFor(service, "smtpd_milters"));
    }
    for (const auto& [place, list] : lists) {
      std::string squeezed;
      std::copy_if(list.begin(), list.end(), std::back_inserter(squeezed), [](char c) { return c != ' '; });
      if (lower(squeezed).find("default_action=accept") == std::string::npos &&
          lower(squeezed).find("default_action=quarantine") == std::string::npos) {
        continue;
      }
      add(Severity::critical, "milter-default-action", place, "smtpd_milters", list,
          "when the signer is away mail leaves unsigned", "default_action=tempfail");
    }
  }

  // --- master.cf ---
  void door(const PostfixService& service) {
    const std::string milters = postfix_.valueFor(service, "smtpd_milters");
    const bool sasl = isYes(postfix_.valueFor(service, "smtpd_sasl_auth_enable"));
    if (has(itemsOf(postfix_.valueFor(service, "receive_override_options")), "no_milters")) {
      add(Severity::critical, "no-milters", placeOf(service), "receive_override_options", "no_milters",
          "mail of this door leaves unsigned", "remove no_milters");
    }
    if (!postfix_.valueFor(service, "smtpd_milter_maps").empty()) {
      add(Severity::critical, "milter-maps", placeOf(service), "smtpd_milter_maps",
          postfix_.valueFor(service, "smtpd_milter_maps"), "clients may be exempt from signing by address",
          "leave it empty");
    }
    if (milters.empty()) {
      unsignedDoor(service, sasl);
    } else {
      signingDoor(service, sasl);
    }
  }

  void unsignedDoor(const PostfixService& service, bool sasl) {
    if (sasl || isSubmissionPort(service.name)) {
      add(Severity::critical, "submission-unsigned", placeOf(service), "smtpd_milters", "",
          "mail that is submitted here leaves unsigned",
          "-o smtpd_milters=$mailzone_signer, or -o smtpd_sasl_auth_enable=no on a door for mail from outside");
    }
    const auto relay = itemsOf(postfix_.valueFor(service, "smtpd_relay_restrictions"));
    for (const std::string& item : relay) {
      if (lower(item).compare(0, 6, "permit") != 0 || lower(item) == "permit_auth_destination") continue;
      add(Severity::critical, "relay-unsigned", placeOf(service), "smtpd_relay_restrictions", item,
          "whom this lets relay sends mail that leaves unsigned, with any envelope",
          "-o smtpd_relay_restrictions=reject_unauth_destination");
    }
    const std::string restrictions = postfix_.valueFor(service, "smtpd_sender_restrictions");
    const SenderRules rules = senderRulesOf(restrictions);
    if (!rules.asksTable || rules.permitsEarly) {
      add(Severity::critical, "foreign-only", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "an outsider may use a tenant's envelope, and forwarded mail carries it on",
          "check_sender_access $mailzone_foreign_only");
    }
    if (rules.asksTable && !rules.refusesNonAscii) {
      add(Severity::warning, "non-ascii-sender", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "one non-ASCII sender makes Postfix give up a MySQL map for a minute (451 for everybody)",
          "put $mailzone_foreign_guard before the map");
    }
    if (rules.loginRule && !sasl) {
      add(Severity::warning, "login-rule-ignored", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "a door without SASL ignores login rules without a word", "use check_sender_access $mailzone_foreign_only");
    }
  }

  void signingDoor(const PostfixService& service, bool sasl) {
    const std::string place = placeOf(service);
    const std::string restrictions = postfix_.valueFor(service, "smtpd_sender_restrictions");
    const SenderRules rules = senderRulesOf(restrictions);
    const auto sender = [&](Severity severity, const char* rule, const char* why, const char* remedy) {
      add(severity, rule, place, "smtpd_sender_restrictions", restrictions, why, remedy);
    };
    if (!rules.refusesNull) {
      sender(Severity::critical, "null-sender",
             "the null sender has no owner, and OpenDKIM then signs for the From: domain",
             "begin with $mailzone_sender_guard");
    }
    if (!rules.refusesNonAscii) {
      sender(Severity::warning, "non-ascii-sender",
             "one non-ASCII sender makes Postfix give up a MySQL map for a minute (451 for everybody)",
             "begin with $mailzone_sender_guard");
    }
    if (!rules.refusesDouble) {
      sender(Severity::critical, "double-sender",
             "\"a@TENANT\"@HOST passes as TENANT's login where HOST is this host, and is signed for HOST",
             "begin with $mailzone_sender_guard");
    }
    const std::string_view permitted = sasl ? "permit_sasl_authenticated" : "permit_mynetworks";
    const std::string clients = postfix_.valueFor(service, "smtpd_client_restrictions");
    if (!admitsOnly(clients, permitted)) {
      add(Severity::critical, "door-open", place, "smtpd_client_restrictions", clients,
          sasl ? "whoever comes in without a login is bound by no envelope rule"
               : "whoever reaches this door chooses among all tenants",
          std::string(permitted) + ",reject");
    }
    const std::string relay = postfix_.valueFor(service, "smtpd_relay_restrictions");
    if (!admitsOnly(relay, permitted)) {
      add(Severity::critical, "door-relay", place, "smtpd_relay_restrictions", relay,
          "others than those whom this door is for may relay", std::string(permitted) + ",reject");
    }
    if (sasl) {
      loginDoor(service, rules, restrictions);
    } else {
      trustedDoor(service, rules, restrictions);
    }
    addsMissingHeaders(service);
  }

  void loginDoor(const PostfixService& service, const SenderRules& rules, const std::string& restrictions) {
    if (!rules.refusesOtherLogins || rules.permitsEarly) {
      add(Severity::critical, "login-mismatch", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "a login may use another tenant's envelope, and is signed with that tenant's key",
          "reject_sender_login_mismatch, with nothing permitted before it");
    }
    if (postfix_.valueFor(service, "smtpd_sender_login_maps").empty()) {
      add(Severity::critical, "login-map", placeOf(service), "smtpd_sender_login_maps", "", "no envelope has an owner",
          "$mailzone_login_map");
    }
  }

  void trustedDoor(const PostfixService& service, const SenderRules& rules, const std::string& restrictions) {
    if (!rules.asksTable || !rules.endsInReject || rules.permitsEarly) {
      add(Severity::critical, "known-senders", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "the application may use envelopes that belong to nobody here, the common signing domain among them",
          "check_sender_access $mailzone_known_senders, reject");
    }
    if (rules.loginRule) {
      add(Severity::warning, "login-rule-ignored", placeOf(service), "smtpd_sender_restrictions", restrictions,
          "a door without SASL ignores login rules without a word",
          "check_sender_access $mailzone_known_senders, reject");
    }
    for (const std::string& network : itemsOf(postfix_.valueFor(service, "mynetworks"))) {
      if (!isWide(network)) continue;
      add(Severity::critical, "mynetworks", placeOf(service), "mynetworks", network,
          "whoever reaches this door chooses among all tenants", "name the application's own addresses");
    }
  }

  /// More than a provider's network: the Internet, or a table that cannot be seen from here.
  static bool isWide(const std::string& network) {
    const auto slash = network.rfind('/');
    if (slash == std::string::npos || network.front() == '/') return false;
    int bits = 0;
    const char* end = network.data() + network.size();
    if (std::from_chars(network.data() + slash + 1, end, bits).ptr != end) return false;
    const bool v6 = network.find("]/") != std::string::npos || network.find("::") != std::string::npos;
    return bits < (v6 ? 16 : 8);
  }

  void addsMissingHeaders(const PostfixService& service) {
    const std::string name = postfix_.valueFor(service, "cleanup_service_name");
    const auto cleanup = std::find_if(postfix_.services.begin(), postfix_.services.end(),
                                      [&](const auto& one) { return one.name == name && one.command == "cleanup"; });
    const bool adds =
        cleanup != postfix_.services.end() && isYes(postfix_.valueFor(*cleanup, "always_add_missing_headers"));
    if (adds) return;
    add(Severity::critical, "missing-headers", placeOf(service), "cleanup_service_name", name,
        "a mail without From: leaves unsigned, or is refused", "a cleanup service with always_add_missing_headers=yes");
  }

  // --- opendkim.conf ---
  [[nodiscard]] std::string setting(const std::string& name) const {
    const auto found = opendkim_.settings.find(lower(name));
    return found == opendkim_.settings.end() ? std::string() : found->second;
  }
  void wrong(Severity severity, const char* rule, const char* name, const char* why, const char* remedy) {
    add(severity, rule, "opendkim.conf", name, setting(name), why, remedy);
  }

  void signer() {
    if (setting("Mode").find('s') == std::string::npos && !setting("Mode").empty()) {
      wrong(Severity::critical, "mode", "Mode", "nothing is signed", "Mode s");
    }
    if (setting("SenderMacro") != "{mail_addr}") {
      wrong(Severity::critical, "sender-macro", "SenderMacro",
            "the key is chosen by From:, which every tenant writes as he likes", "SenderMacro {mail_addr}");
    }
    authorScript();
    table();
    for (const auto& [name, rule, why] :
         {std::array{"RequiredHeaders", "required-headers",
                     "a second From: is let through and may be the one that is shown"},
          std::array{"RemoveOldSignatures", "old-signatures",
                     "a tenant may hand in another's signed mail again, with its signature"},
          std::array{"MultipleSignatures", "two-signatures", "only the first of both signatures is made"}}) {
      if (!isYes(setting(name))) wrong(Severity::critical, rule, name, why, (std::string(name) + " yes").c_str());
    }
    const auto hosts = csl(setting("InternalHosts"));
    for (const char* everybody : {"0.0.0.0/0", "::/0"}) {
      if (hosts.count(everybody) != 0) continue;
      wrong(Severity::critical, "internal-hosts", "InternalHosts",
            "mail of clients that are not listed leaves unsigned", "InternalHosts 0.0.0.0/0,::/0");
      break;
    }
    for (const std::string& host : hosts) {
      if (host.empty() || host.front() != '!') continue;
      wrong(Severity::critical, "internal-hosts", "InternalHosts", "mail of excluded clients leaves unsigned",
            "InternalHosts 0.0.0.0/0,::/0");
    }
    for (const char* exempting : {"PeerList", "ExemptDomains", "DontSignMailTo"}) {
      if (!setting(exempting).empty()) {
        wrong(Severity::critical, "exempt", exempting, "what it names leaves unsigned", "remove it");
      }
    }
    for (const char* event : {"On-Default", "On-InternalError", "On-KeyNotFound", "On-Security", "On-DNSError"}) {
      const std::string action = lower(setting(event));
      if (action == "accept" || action == "a") {
        wrong(Severity::critical, "on-error-accept", event, "mail leaves unsigned when signing fails",
              "remove it, or tempfail");
      }
    }
    if (!setting("BodyLengthDB").empty()) {
      wrong(Severity::critical, "body-length", "BodyLengthDB",
            "text may be appended to signed mail (RFC 6376 section 8.2)", "remove it");
    }
    int headers = 65536;
    const std::string limit = setting("MaximumHeaders");
    std::from_chars(limit.data(), limit.data() + limit.size(), headers);
    if (headers != 0 && headers < 1048576) {
      wrong(Severity::warning, "maximum-headers", "MaximumHeaders", "mail with long headers is put off for ever",
            "MaximumHeaders 1048576");
    }
    if (lower(setting("SignatureAlgorithm")) == "rsa-sha1") {
      wrong(Severity::warning, "rsa-sha1", "SignatureAlgorithm", "no verifier accepts it (RFC 8301 section 3.1)",
            "remove it");
    }
  }

  void authorScript() {
    if (setting("SetupPolicyScript").empty()) {
      wrong(Severity::critical, "author-script", "SetupPolicyScript",
            "From: may be anybody's, the common signing domain's (which is then aligned) too, and nothing notices when "
            "the macro is missing",
            "SetupPolicyScript /etc/mailzone/author.lua");
      return;
    }
    if (opendkim_.script && (opendkim_.script->find("SMFIS_REJECT") == std::string::npos ||
                             opendkim_.script->find("{mail_addr}") == std::string::npos)) {
      wrong(Severity::critical, "author-script", "SetupPolicyScript", "the script does not compare author and envelope",
            "use the shipped author.lua");
      return;
    }
    bounceAuthor();
  }

  /// Our bounces are the only mail with the null sender; the script knows their author.
  void bounceAuthor() {
    static constexpr std::string_view kName = "local mailHost = \"";
    const std::string origin = postfix_.value("myorigin");
    const auto at = opendkim_.script ? opendkim_.script->find(kName) : std::string::npos;
    if (at == std::string::npos || origin.empty() || origin.front() == '/') return;
    const std::string host =
        opendkim_.script->substr(at + kName.size(), opendkim_.script->find('"', at + kName.size()) - at - kName.size());
    if (lower(host) == lower(origin)) return;
    add(Severity::warning, "bounce-author", "main.cf", "myorigin", origin,
        "bounces come from this domain, and the signer refuses every author but " + escapeForDisplay(host),
        "give both the name of this mail host");
  }

  void table() {
    const std::string name = setting("SigningTable");
    if (name.compare(0, 7, "refile:") != 0) {
      wrong(Severity::critical, "signing-table", "SigningTable",
            "without a match mail leaves unsigned; a table in SQL hangs OpenDKIM for good in an outage",
            "SigningTable refile:FILE with the lines \"* %\" and \"* common\"");
      return;
    }
    if (!opendkim_.signingTable) return;
    std::set<std::string> lines;
    std::istringstream text(*opendkim_.signingTable);
    for (std::string line; std::getline(text, line);) {
      std::istringstream words(line.substr(0, line.find('#')));
      std::string pattern, key;
      if (words >> pattern >> key) lines.insert(pattern + " " + key);
    }
    if (lines.count("* %") == 0) {
      wrong(Severity::critical, "signing-table", "SigningTable",
            "mail whose sender no pattern matches leaves unsigned (\"*@*\" fails above 255 octets)",
            "the line \"* %\"");
    }
    if (lines.count("* common") == 0) {
      wrong(Severity::warning, "common-signature", "SigningTable", "the platform's own signature is missing",
            "the line \"* common\"");
    }
    lines.erase("* %");
    lines.erase("* common");
    for (const std::string& line : lines) {
      add(Severity::critical, "signing-table", "opendkim.conf", "SigningTable", line,
          "a key that the envelope did not choose is added", "remove the line");
    }
  }

  void signedHeaders() {
    const auto oversigned = csl(setting("OversignHeaders"));
    auto signedNames = csl(setting("SignHeaders"));
    const bool delta = signedNames.count("*") != 0 || signedNames.empty();
    for (const char* name : {"list-unsubscribe-post", "message-id"}) {
      if (signedNames.count(std::string(delta ? "+" : "") + name) != 0) continue;
      wrong(Severity::warning, "sign-headers", "SignHeaders",
            "List-Unsubscribe-Post (one-click is void without it, RFC 8058) or Message-ID is not signed",
            "SignHeaders *,+list-unsubscribe-post,+message-id,+mime-version,+content-type,+content-transfer-encoding");
      break;
    }
    // OpenDKIM's list by default: RFC 6376 section 5.4.1.
    static const std::set<std::string> kDefault = {"from",      "reply-to",   "subject",          "date",
                                                   "to",        "cc",         "resent-date",      "resent-from",
                                                   "resent-to", "resent-cc",  "in-reply-to",      "references",
                                                   "list-id",   "list-help",  "list-unsubscribe", "list-subscribe",
                                                   "list-post", "list-owner", "list-archive"};
    for (const std::string& name : oversigned) {
      const bool included = delta ? (kDefault.count(name) != 0 && signedNames.count("-" + name) == 0) ||
                                        signedNames.count("+" + name) != 0
                                  : signedNames.count(name) != 0;
      if (included) continue;
      add(Severity::warning, "oversigned-not-signed", "opendkim.conf", "OversignHeaders", name,
          "every mail that has this field leaves with a broken signature", "add +" + name + " to SignHeaders");
    }
    for (const char* name : {"from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version",
                             "content-type", "list-unsubscribe", "list-unsubscribe-post"}) {
      if (oversigned.count(name) != 0) continue;
      wrong(Severity::warning, "oversign", "OversignHeaders",
            "a field can be added to signed mail without breaking the signature (RFC 6376 section 8.15)",
            "OversignHeaders From,To,Cc,Subject,Date,Message-ID,Reply-To,MIME-Version,Content-Type,List-Unsubscribe,"
            "List-Unsubscribe-Post");
      break;
    }
  }

  /// A comma-separated data set, in lower case.
  static std::set<std::string> csl(const std::string& value) {
    std::set<std::string> words;
    std::string word;
    for (const char c : lower(value) + ",") {
      if (c == ',' || c == ' ' || c == '\t') {
        if (!word.empty()) words.insert(std::exchange(word, {}));
      } else {
        word += c;
      }
    }
    return words;
  }

  const PostfixConfiguration& postfix_;
  const OpenDkimConfiguration& opendkim_;
  std::vector<SigningFinding> findings_;
};

const std::vector<Checker::MainRule>& Checker::mainRules() {
  static const auto isEmpty = [](const std::string& v) { return v.empty(); };
  static const auto isNo = [](const std::string& v) { return !v.empty() && !isYes(v); };
  static const std::vector<MainRule> rules = {
      {Severity::critical, "main-milters", "smtpd_milters", isEmpty,
       "mail from outside and forwards meet the signer too, and are signed for whoever they claim to be from",
       "leave it empty in main.cf; set it per service in master.cf"},
      {Severity::critical, "milter-default-action", "milter_default_action",
       [](const std::string& v) { return lower(v) == "tempfail" || lower(v) == "reject" || lower(v) == "shutdown"; },
       "when the signer is away mail leaves unsigned", "milter_default_action = tempfail"},
      {Severity::critical, "mail-macros", "milter_mail_macros",
       [](const std::string& v) { return has(itemsOf(v), "{mail_addr}"); },
       "without {mail_addr} OpenDKIM chooses the key by From: without a word",
       "milter_mail_macros = i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}"},
      {Severity::critical, "bounces-unsigned", "non_smtpd_milters", [](const std::string& v) { return !v.empty(); },
       "bounces and mail of local programs leave unsigned", "non_smtpd_milters = $mailzone_signer"},
      {Severity::critical, "bounces-unsigned", "internal_mail_filter_classes",
       [](const std::string& v) { return has(itemsOf(v), "bounce"); }, "bounces leave unsigned",
       "internal_mail_filter_classes = bounce"},
      {Severity::critical, "local-submit", "authorized_submit_users",
       [](const std::string& v) {
         const auto users = itemsOf(v);
         return !users.empty() && std::all_of(users.begin(), users.end(), [](const auto& u) { return u == "root"; });
       },
       "every local user speaks for every tenant by sendmail -f", "authorized_submit_users = root"},
      {Severity::critical, "bare-newline", "smtpd_forbid_bare_newline",
       [](const std::string& v) { return isYes(v) || lower(v) == "normalize" || lower(v) == "reject"; },
       "a text with a bare newline smuggles a second mail with another tenant's envelope (SMTP smuggling)",
       "smtpd_forbid_bare_newline = normalize"},
      {Severity::critical, "bare-newline-exclusions", "smtpd_forbid_bare_newline_exclusions", isEmpty,
       "the application's network is exempt from the rule against SMTP smuggling",
       "smtpd_forbid_bare_newline_exclusions ="},
      {Severity::critical, "percent-hack", "allow_percent_hack", isNo,
       "a%TENANT@HOST is checked as TENANT's and leaves as HOST's", "allow_percent_hack = no"},
      {Severity::critical, "bang-path", "swap_bangpath", isNo,
       "TENANT!a@HOST is checked as TENANT's and leaves as HOST's", "swap_bangpath = no"},
      {Severity::critical, "dequoted", "resolve_dequoted_address", isNo,
       "\"a@TENANT\"@HOST is checked as TENANT's and leaves as HOST's", "resolve_dequoted_address = no"},
      {Severity::critical, "parent-domains", "parent_domain_matches_subdomains",
       [](const std::string& v) { return !has(itemsOf(v), "smtpd_access_maps"); },
       "a name in an access map counts for every name below it", "parent_domain_matches_subdomains ="},
      {Severity::critical, "main-relay", "smtpd_relay_restrictions",
       [](const std::string& v) {
         const auto items = itemsOf(v);
         return !has(items, "permit_mynetworks") && !has(items, "permit_sasl_authenticated");
       },
       "doors that do not say otherwise relay, and that mail leaves unsigned",
       "smtpd_relay_restrictions = reject_unauth_destination"},
      {Severity::critical, "no-milters", "receive_override_options",
       [](const std::string& v) { return !has(itemsOf(v), "no_milters"); }, "mail leaves unsigned",
       "remove no_milters"},
      {Severity::warning, "envelope-rewritten", "sender_canonical_maps", isEmpty,
       "tenants' envelopes are rewritten too, after they were checked", "set it in the cleanup of port 25 alone"},
      {Severity::warning, "envelope-rewritten", "canonical_maps", isEmpty,
       "tenants' envelopes are rewritten too, after they were checked", "set it in the cleanup of port 25 alone"},
      {Severity::warning, "header-rewritten", "local_header_rewrite_clients",
       [](const std::string& v) { return !has(itemsOf(v), "permit_sasl_authenticated"); },
       "From: without a domain becomes one of this host", "local_header_rewrite_clients = permit_inet_interfaces"},
      {Severity::warning, "bytes-changed", "disable_mime_output_conversion",
       [](const std::string& v) { return isYes(v); },
       "8-bit mail is converted after signing for hosts without 8BITMIME: the signatures break",
       "disable_mime_output_conversion = yes"},
      {Severity::warning, "bytes-changed", "smtp_line_length_limit", [](const std::string& v) { return v == "0"; },
       "long lines are broken after signing: the signatures break", "smtp_line_length_limit = 0"},
      {Severity::warning, "bytes-changed", "smtp_header_checks", isEmpty, "headers may be changed after signing",
       "leave it empty"},
      {Severity::warning, "bytes-changed", "smtp_body_checks", isEmpty, "the body may be changed after signing",
       "leave it empty"},
      {Severity::warning, "bytes-changed", "smtp_generic_maps", isEmpty,
       "addresses in From: and the envelope are changed after signing", "leave it empty"},
  };
  return rules;
}

}  // namespace

std::string_view word(Severity severity) noexcept {
  return severity == Severity::critical ? "critical" : "warning";
}

std::vector<SigningFinding> checkSigning(const PostfixConfiguration& postfix, const OpenDkimConfiguration& opendkim) {
  return Checker(postfix, opendkim).check();
}

}  // namespace mailzone::rotation
