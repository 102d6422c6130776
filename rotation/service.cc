#include "rotation/service.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "rotation/keeper.h"
#include "rotation/key_generation.h"
#include "rotation/signing_export.h"
#include "system/daemon.h"
#include "system/log.h"
#include "system/resolver.h"
#include "tenantdb/migrator.h"

namespace mailzone::rotation {
namespace {

constexpr std::size_t kProofThreads = 8;
constexpr std::chrono::milliseconds kReconnectDelay{1000};

/// Exports when the view's content has changed, and reloads OpenDKIM after a switch until it has heard it.
class Exporter {
 public:
  Exporter(ExportOptions options, std::string pidFile) : options_(std::move(options)), pidFile_(std::move(pidFile)) {}

  Result<void> round(KeyStore& store, TimePoint now) {
    if (options_.path.empty()) return {};
    const auto fingerprint = store.signingFingerprint();
    if (!fingerprint) return pass(fingerprint);
    if (*fingerprint != exported_) {
      const auto report = writeSigningExport(store, options_, now);
      if (!report) return report.error().code == Errc::temporary ? waitFor(report.error()) : pass(report);
      exported_ = *fingerprint;
      waiting_.clear();
      reloadDue_ = !pidFile_.empty();
      log::info("signing export written", {{"generation", report->generation},
                                           {"rows", report->rows},
                                           {"keys", report->keys},
                                           {"left_out", report->badRows.size()}});
      for (const Error& bad : report->badRows) log::warn("row left out of the signing export", {{"error", bad}});
    }
    if (reloadDue_) reload();
    return {};
  }

 private:
  Result<void> waitFor(const Error& error) {
    const std::string text = describe(error);
    if (text != waiting_) log::info("signing export waits", {{"reason", text}});
    waiting_ = text;
    return {};
  }
  void reload() {
    const auto told = reloadOpenDkim(pidFile_);
    // Not running: it reads the tables at its start.
    reloadDue_ = !told && told.error().code != Errc::notFound;
    const std::string text = told ? std::string() : describe(told.error());
    if (!told && text != reloadProblem_) log::warn("OpenDKIM not reloaded", {{"error", text}});
    reloadProblem_ = text;
  }

  ExportOptions options_;
  std::string pidFile_;
  std::string exported_, waiting_, reloadProblem_;
  bool reloadDue_ = false;
};

/// What lives as long as one connection.
struct Session {
  std::unique_ptr<sql::Connection> connection;
  std::unique_ptr<DatabaseKeyStore> store;
  std::unique_ptr<Keeper> keeper;
};

class Service {
 public:
  Service(Settings settings, std::string configPath, SignalQueue& signals, const Clock& clock)
      : settings_(std::move(settings)),
        configPath_(std::move(configPath)),
        signals_(signals),
        clock_(clock),
        spares_(
            clock, [](TimePoint now) { return generateRsaKey(kRsaBits, now); }, [this] { wake_.now(); }) {}

  Result<void> run() {
    if (auto set = configure(settings_); !set) return set;
    if (auto connected = connect(); !connected) return connected;
    if (auto first = round(); !first) return first;
    if (auto told = notifySupervisor("READY=1"); !told) log::warn("supervisor not told", {{"error", told.error()}});
    log::info("ready", {{"engine", settings_.database.engine}, {"export", settings_.rotation.exportPath}});
    while (true) {
      const Signals asked =
          waitForWork(session_ ? std::chrono::milliseconds(settings_.rotation.pollMs) : kReconnectDelay);
      if (asked.stop) break;
      if (asked.reload) reload();
      if (!session_) {
        if (auto connected = connect(); !connected) {
          noteProblem("database away", connected.error());
          continue;
        }
        log::info("database is back");
      }
      if (auto done = round(); !done) {
        noteProblem("round failed", done.error());
        if (done.error().code == Errc::unavailable) session_.reset();
      } else {
        lastProblem_.clear();
      }
    }
    log::info("stopping");
    return {};
  }

 private:
  Result<void> configure(const Settings& settings) {
    auto resolver = openResolver({settings.resolver.servers, settings.resolver.trustAnchorFile,
                                  std::chrono::milliseconds(settings.resolver.timeoutMs)});
    if (!resolver) return pass(resolver);
    session_.reset();
    prover_.reset();  // its threads use the resolver
    resolver_ = std::move(*resolver);
    prover_ = std::make_unique<Prover>(*resolver_, kProofThreads, [this] { wake_.now(); });
    ExportOptions options;
    options.path = settings.rotation.exportPath;
    options.group = settings.rotation.exportGroup;
    options.keys = settings.rotation.exportKeys;
    exporter_.emplace(std::move(options), settings.rotation.opendkimPidFile);
    settings_ = settings;
    return {};
  }

  Result<void> connect() {
    Session next;
    auto connection = openDatabase(settings_, SqlRole::keys);
    if (!connection) return pass(connection);
    next.connection = std::move(*connection);
    if (auto fits = tenantdb::requireSchema(*next.connection); !fits) return fits;
    next.store = std::make_unique<DatabaseKeyStore>(*next.connection);
    KeeperOptions options;
    options.spareKeys = settings_.rotation.spareKeys;
    next.keeper = std::make_unique<Keeper>(*next.store, clock_, *prover_, &spares_, options);
    session_ = std::move(next);
    return {};
  }

  Result<void> round() {
    const auto done = session_->keeper->round();
    if (!done) return pass(done);
    if (done->wrote()) {
      log::info("keys moved on", {{"spares", done->sparesAdded},
                                  {"filled", done->filled},
                                  {"proven", done->proven},
                                  {"activated", done->activated},
                                  {"revoked", done->revoked},
                                  {"gone", done->gone}});
    }
    for (const Error& problem : done->problems) log::warn("step put off", {{"error", problem}});
    return exporter_->round(*session_->store, clock_.now());
  }

  void reload() {
    const auto read = loadSettings(configPath_);
    const auto used = read ? refuseForeignSecrets(*read, {SqlRole::keys}) : Result<void>(pass(read));
    const auto set = used ? configure(*read) : used;
    if (!set) {
      log::error("settings not reloaded, the old ones stay", {{"error", set.error()}});
    } else {
      log::info("settings reloaded");
    }
  }

  Signals waitForWork(std::chrono::milliseconds longest) {
    pollfd watched[2] = {{signals_.descriptor(), POLLIN, 0}, {wake_.descriptor(), POLLIN, 0}};
    ::poll(watched, 2, static_cast<int>(longest.count()));
    wake_.clear();
    return signals_.take();
  }

  /// Once per cause: a database that is away for an hour is one line.
  void noteProblem(std::string_view what, const Error& error) {
    const std::string text = describe(error);
    if (text != lastProblem_) log::error(what, {{"error", text}});
    lastProblem_ = text;
  }

  Settings settings_;
  std::string configPath_;
  SignalQueue& signals_;
  const Clock& clock_;
  Wake wake_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Prover> prover_;
  SpareMaker spares_;
  std::optional<Exporter> exporter_;
  std::optional<Session> session_;
  std::string lastProblem_;
};

}  // namespace

Wake::Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wake::~Wake() {
  ::close(fd_);
}
void Wake::now() noexcept {
  const std::uint64_t one = 1;
  // Full means that it is awake already.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}
void Wake::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

Result<void> SignalQueue::open() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail(Errc::internal, "pthread_sigmask", std::strerror(error));
  }
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd_ < 0) return fail(Errc::internal, "signalfd", std::strerror(errno));
  return {};
}
SignalQueue::~SignalQueue() {
  if (fd_ >= 0) ::close(fd_);
}
Signals SignalQueue::take() {
  Signals taken;
  signalfd_siginfo info{};
  while (::read(fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    (info.ssi_signo == SIGHUP ? taken.reload : taken.stop) = true;
  }
  return taken;
}

Result<void> runService(Settings settings, const std::string& configPath, SignalQueue& signals, const Clock& clock) {
  return Service(std::move(settings), configPath, signals, clock).run();
}

}  // namespace mailzone::rotation
