#include "harness/demo.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/clock.h"
#include "harness/accounts.h"
#include "harness/breakage.h"
#include "harness/dns_world.h"
#include "harness/keep.h"
#include "harness/namespace.h"
#include "harness/platform.h"
#include "harness/postfix.h"
#include "harness/private_files.h"
#include "harness/receiver.h"
#include "harness/run_lock.h"
#include "harness/runner.h"
#include "harness/scenario.h"
#include "harness/signer.h"
#include "harness/topology.h"
#include "harness/verdict.h"
#include "system/resolver.h"

namespace mailzone::harness {
namespace {

/// Lines for the person who waits, on standard error: standard output may be one JSON document.
class Progress {
 public:
  void say(const std::string& text) const {
    const auto passed = std::chrono::steady_clock::now() - start_;
    fmt::print(stderr, "[{:5.1f} s] {}\n", std::chrono::duration<double>(passed).count(), text);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

bool selected(const std::string& name, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return true;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
    return name == pattern;
  });
}

std::vector<std::string> loopbackAddresses() {
  std::vector<std::string> addresses;
  for (const Host& host : hosts()) addresses.push_back(std::string(host.address) + "/32");
  return addresses;
}

/// What the person outside gave us, opened before their file system is hidden.
struct Outside {
  int jsonFile = -1;
};

/// Everything within the namespaces, in the order in which one thing needs another.
class Run {
 public:
  Run(const DemoOptions& options, ScenarioSet scenarios, Breakage breakage, Outside outside)
      : options_(options), scenarios_(std::move(scenarios)), breakage_(breakage), outside_(outside) {
    stage_.layout = options.layout;
    stage_.database = options.database;
  }
  Result<bool> perform();

 private:
  Result<void> ground();
  Result<void> daemons();
  Result<void> breakIt();
  Result<std::vector<Verdict>> mails();
  Result<void> report(const std::vector<Verdict>& verdicts) const;

  const DemoOptions& options_;
  ScenarioSet scenarios_;
  Breakage breakage_;
  Outside outside_;
  pid_t outerPid_ = 0;
  Stage stage_;
  Progress progress_;
  SystemClock clock_;
  RunnerOptions runner_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Receiver> receiver_;
};

Result<void> Run::ground() {
  outerPid_ = outerPid();
  if (auto done = makeFilesPrivate({options_.layout.source, options_.layout.programs, options_.layout.work}); !done)
    return done;
  if (auto done = setUpLoopback(loopbackAddresses()); !done) return done;
  if (auto done = addAccounts({{"mailzone-dns", {"mailzone", "pdns"}}, {"mailzone-keys", {"mailzone", "opendkim"}}});
      !done)
    return done;
  if (auto done = writeFile("/etc/resolv.conf", "nameserver " + addressText("resolver") + "\n"); !done) return done;
  for (const std::string& folder : {stage_.layout.logs(), stage_.layout.mails(), std::string("/run/mailzone-harness")})
    if (auto made = makeFolder(folder); !made) return made;
  auto syslog = SyslogSink::start("/dev/log", stage_.layout.logs());
  if (!syslog) return pass(syslog);
  stage_.syslog = std::move(*syslog);
  stage_.supervisor = std::make_unique<Supervisor>(stage_.layout.logs(), "/run/mailzone-harness");
  progress_.say(fmt::format("private namespaces (process {} outside)", outerPid_));
  return {};
}

Result<void> Run::daemons() {
  const WorldFaults faults{.platformReverseZoneLost = breakage_.reverseZoneLost,
                           .customerWithoutDmarc = breakage_.customerWithoutDmarc};
  if (auto done = startCustomerDns(stage_, faults); !done) return done;
  if (auto done = startResolver(stage_); !done) return done;
  if (auto done = startRelay(stage_, breakage_.relayChangesBodies); !done) return done;
  progress_.say("the world: customers' DNS (NSD), a resolver (unbound), a relay (Postfix)");
  const auto platform = setUpPlatform(stage_, scenarios_.setup);
  if (!platform) return pass(platform);
  progress_.say(fmt::format("the platform's database ({}), tenants and logins, by mailzone",
                            stage_.database == Database::sqlite ? "SQLite" : "MariaDB"));
  if (auto done = startPlatformDns(stage_); !done) return done;
  progress_.say("mailzone-backend, PowerDNS, mailzone-rotate");
  if (auto done = startPasswordCheck(stage_, platform->values); !done) return done;
  if (auto done = startPlatformMta(stage_, platform->values); !done) return done;
  progress_.say("Postfix and Dovecot's password check");
  if (auto done = verifyCustomerDomains(stage_, scenarios_.setup, faults); !done) return done;
  if (auto done = waitForKeys(stage_, *platform); !done) return done;
  progress_.say("customers' domains verified, every domain has its key");
  if (auto done = startSigner(stage_, platform->values); !done) return done;
  if (auto done = startCrippledSigners(stage_, platform->values); !done) return done;
  progress_.say("OpenDKIM, and two crippled ones for the forgeries");
  runner_.passwords = platform->passwords;
  if (!breakage_.name.empty()) runner_.deadline = std::chrono::seconds{8};  // long enough for a refusal for good
  runner_.returnPaths = platform->returnPaths;
  return {};
}

Result<void> Run::breakIt() {
  if (breakage_.name.empty()) return {};
  progress_.say(fmt::format("BROKEN on purpose ({}): {}", breakage_.name, breakage_.what));
  if (!breakage_.sql.empty()) {
    if (auto done = plainSql(stage_, breakage_.sql); !done) return pass(done);
    // The change must be what is served, and the old answer in no cache.
    if (auto done = waitForReplica(stage_); !done) return done;
  }
  if (!breakage_.kill.empty()) {
    if (auto done = stage_.supervisor->stop(std::string(breakage_.kill), std::chrono::seconds{5}); !done) return done;
  }
  if (!breakage_.sql.empty() || !breakage_.kill.empty()) outliveCaches();
  return {};
}

Result<std::vector<Verdict>> Run::mails() {
  ResolverOptions resolving;
  resolving.servers = {addressText("resolver")};
  auto resolver = openResolver(resolving);
  if (!resolver) return pass(resolver);
  resolver_ = std::move(*resolver);
  ReceiverOptions receiving;
  const auto address = addressOf("receiver");
  if (!address) return pass(address);
  receiving.address = *address;
  receiving.storage = stage_.layout.mails();
  auto receiver = Receiver::start(receiving, *resolver_, clock_);
  if (!receiver) return pass(receiver);
  receiver_ = std::move(*receiver);
  std::vector<Scenario> rows;
  for (const Scenario& row : scenarios_.rows)
    if (selected(row.name, options_.only)) rows.push_back(row);
  progress_.say(fmt::format("sending {} mails", rows.size()));
  runner_.onFreshTenant = [this](const std::string& slug) { return insertTenant(stage_, slug); };
  runner_.say = [this](const std::string& text) { progress_.say(text); };
  return runScenarios(stage_, rows, *receiver_, clock_, runner_);
}

Result<void> Run::report(const std::vector<Verdict>& verdicts) const {
  const std::string document = verdictsJson(verdicts);
  if (options_.jsonOnly)
    fmt::print("{}", document);
  else
    fmt::print("{}", verdictTable(verdicts));
  std::fflush(stdout);
  std::ofstream(stage_.layout.work + "/verdicts.json") << document;
  for (std::string_view rest = document; outside_.jsonFile >= 0 && !rest.empty();) {
    const ssize_t written = ::write(outside_.jsonFile, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return fail(Errc::io, options_.jsonFile, "cannot be written: " + std::string(std::strerror(errno)));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<bool> Run::perform() {
  if (auto done = ground(); !done) return pass(done);
  if (auto done = daemons(); !done) return pass(done);
  if (auto done = breakIt(); !done) return pass(done);
  const auto verdicts = mails();
  if (!verdicts) return pass(verdicts);
  progress_.say("verdicts");
  if (auto done = report(*verdicts); !done) return pass(done);
  const bool ok = std::all_of(verdicts->begin(), verdicts->end(), isOk);
  if (options_.keep) keepRunning(stage_, *receiver_, outerPid_);
  return ok;
}

int say(const Error& error, int status) {
  fmt::print(stderr, "mailzone-harness: {}\n", describe(error));
  return status;
}

/// Within the namespaces: everything is torn down before the status is returned.
int inner(const DemoOptions& options, const ScenarioSet& scenarios, const Breakage& breakage, Outside outside) {
  ::signal(SIGINT, SIG_DFL);
  auto run = std::make_unique<Run>(options, scenarios, breakage, outside);
  const auto ok = run->perform();
  if (!ok) return say(ok.error(), ok.error().code == Errc::settings ? 78 : 69);
  return *ok ? 0 : 1;
}

/// Before anything is started: each pattern of --only selects a row, or it is a mistake.
Result<void> checkOnly(const std::vector<std::string>& patterns, const ScenarioSet& scenarios) {
  for (const std::string& pattern : patterns) {
    const bool selects = std::any_of(scenarios.rows.begin(), scenarios.rows.end(),
                                     [&](const Scenario& row) { return selected(row.name, {pattern}); });
    if (!selects) {
      return fail(Errc::invalidInput, pattern, "--only selects no row by it",
                  "write the name of a row as the table shows it, or its beginning or end with a *");
    }
  }
  return {};
}

Result<std::string> makeWorkFolder() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base != nullptr && *base != '\0' ? base : "/var/tmp") + "/mailzone-demo-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return fail(Errc::io, pattern, "cannot make a folder for logs and mails");
  return pattern;
}

}  // namespace

int runDemo(const DemoOptions& wanted) {
  DemoOptions options = wanted;
  Breakage breakage{};
  if (!options.breakage.empty()) {
    const auto found = breakageOf(options.breakage);
    if (!found) return say(found.error(), 2);
    breakage = *found;
    if (options.only.empty()) options.only = {std::string(breakage.rows)};
  }
  if (::geteuid() != 0)
    return say({Errc::forbidden, "", "the demo makes namespaces, mounts and users of its own, which needs root",
                "run it as root, or by sudo"},
               2);
  const auto scenarios = loadScenarios(options.scenarioFolder);
  if (!scenarios) return say(scenarios.error(), 78);
  if (const auto known = checkOnly(options.only, *scenarios); !known) return say(known.error(), 2);
  const auto lock = RunLock::take();
  if (!lock) return say(lock.error(), 75);
  Outside outside;
  if (!options.jsonFile.empty()) {
    outside.jsonFile = ::open(options.jsonFile.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (outside.jsonFile < 0) return say({Errc::io, options.jsonFile, std::strerror(errno), "choose another file"}, 2);
  }
  const auto work = makeWorkFolder();
  if (!work) return say(work.error(), 69);
  options.layout.work = *work;
  fmt::print(stderr, "logs and mails: {}\n", *work);
  const auto status =
      runInNamespaces("mx1.shop.example", [&] { return inner(options, *scenarios, breakage, outside); });
  if (!status) return say(status.error(), 69);
  if (*status == 0) {
    std::error_code ignored;
    std::filesystem::remove_all(*work, ignored);
  } else {
    fmt::print(stderr, "logs and mails of this run are kept in {}\n", *work);
  }
  return *status;
}

}  // namespace mailzone::harness
