#include "harness/signer.h"

#include <fmt/format.h>

#include <sstream>

#include "harness/topology.h"
#include "system/units.h"

namespace mailzone::harness {
namespace {

constexpr const char* kShipped = "rotation/signing/opendkim/";

/// `text` without the lines that set one of `names`.
std::string without(const std::string& text, const std::vector<std::string>& names) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const std::string key = line.substr(0, line.find_first_of(" \t"));
    bool drop = false;
    for (const std::string& name : names) drop = drop || key == name;
    if (!drop) result += line + "\n";
  }
  return result;
}

Result<void> start(Stage& stage, const std::string& name, const TemplateValues& values, const std::string& config) {
  const std::string path = values.at("OPENDKIM_CONF");
  if (auto done = writeFile(path, config, 0640, {"root", "opendkim"}); !done) return done;
  const auto dropIn = shippedFile(stage, std::string(kShipped) + "opendkim.service.d/mailzone.conf", values);
  const auto base = readFile("/lib/systemd/system/opendkim.service");
  if (!dropIn) return pass(dropIn);
  if (!base) return pass(base);
  const auto unit = parseUnit({{"opendkim.service", *base}, {"opendkim.service.d/mailzone.conf", *dropIn}});
  if (!unit) return pass(unit);
  return startByUnit(stage, name, *unit);
}

TemplateValues at(TemplateValues values, const std::string& name, std::uint16_t port) {
  values["OPENDKIM_CONF"] = "/etc/mailzone/" + name + ".conf";
  values["OPENDKIM_PIDFILE"] = "/run/opendkim/" + name + ".pid";
  values["SIGNER_SOCKET"] = fmt::format("inet:{}@127.0.0.1", port);
  return values;
}

}  // namespace

Result<void> startSigner(Stage& stage, const TemplateValues& values) {
  if (auto made = makeFolder("/run/opendkim", 0750, {"opendkim", "opendkim"}); !made) return made;
  for (const char* file : {"author.lua", "signingtable"}) {
    const std::string target =
        file == std::string_view("author.lua") ? values.at("AUTHOR_LUA") : values.at("SIGNING_TABLE");
    if (auto done = installShipped(stage, std::string(kShipped) + file, target, values, 0640, {"root", "opendkim"});
        !done)
      return done;
  }
  const TemplateValues own = at(values, "opendkim", kSignerPort);
  const auto config = shippedFile(stage, std::string(kShipped) + "opendkim.conf", own);
  if (!config) return pass(config);
  if (auto done = start(stage, "opendkim", own, *config); !done) return done;
  return waitForPort(stage, "OpenDKIM", "127.0.0.1", kSignerPort);
}

Result<void> startCrippledSigners(Stage& stage, const TemplateValues& values) {
  const TemplateValues unchecked = at(values, "opendkim-unchecked", kUncheckedSignerPort);
  auto config = shippedFile(stage, std::string(kShipped) + "opendkim.conf", unchecked);
  if (!config) return pass(config);
  if (auto done = start(stage, "opendkim-unchecked", unchecked, without(*config, {"SetupPolicyScript"})); !done)
    return done;
  // What tutorials show: no SenderMacro, so OpenDKIM looks the key up by the From header; one signature.
  TemplateValues naive = at(values, "opendkim-naive", kNaiveSignerPort);
  naive["SIGNING_TABLE"] = "/etc/mailzone/signingtable-naive";
  if (auto done = writeFile(naive["SIGNING_TABLE"], fmt::format("*@sig.{} common\n* %\n", kPlatform), 0644); !done)
    return done;
  config = shippedFile(stage, std::string(kShipped) + "opendkim.conf", naive);
  if (!config) return pass(config);
  if (auto done = start(stage, "opendkim-naive", naive,
                        without(*config, {"SetupPolicyScript", "SenderMacro", "MultipleSignatures"}));
      !done)
    return done;
  if (auto done = waitForPort(stage, "OpenDKIM without From check", "127.0.0.1", kUncheckedSignerPort); !done)
    return done;
  return waitForPort(stage, "OpenDKIM by From", "127.0.0.1", kNaiveSignerPort);
}

Result<void> startPasswordCheck(Stage& stage, const TemplateValues& values) {
  const std::string engine = stage.database == Database::sqlite ? "sqlite" : "mysql";
  if (auto done = installShipped(stage, "rotation/signing/dovecot/dovecot-sql-" + engine + ".conf.ext",
                                 values.at("DOVECOT_SQL_CONF"), values, 0600);
      !done)
    return done;
  if (auto done = installShipped(stage, "rotation/signing/dovecot/dovecot-auth.conf", "/etc/mailzone/dovecot-auth.conf",
                                 values);
      !done)
    return done;
  if (auto made = makeFolder(values.at("DOVECOT_RUN")); !made) return made;
  // The socket's folder is Postfix's and stands before Postfix does.
  if (auto made = makeFolder("/var/spool/postfix/private", 0700, {"postfix", "root"}); !made) return made;
  const auto unit = loadUnit({"/lib/systemd/system/dovecot.service"});
  if (!unit) return pass(unit);
  if (auto done =
          startByUnit(stage, "dovecot", *unit, {"/usr/sbin/dovecot", "-F", "-c", "/etc/mailzone/dovecot-auth.conf"});
      !done)
    return done;
  return stage.supervisor->waitReady("dovecot", kStartDeadline);
}

}  // namespace mailzone::harness
