// mailzone-backend: answers PowerDNS from the replica and keeps the replica equal to the tenant database. Faces DNS:
// user mailzone-dns, SQL role dns; can read no private key, and does not link the code that could. Listens on one unix
// socket and on nothing else.
#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "backend/follower.h"
#include "backend/replica.h"
#include "backend/unix_server.h"
#include "system/daemon.h"
#include "system/log.h"
#include "system/settings.h"

namespace {

using namespace mailzone;
using namespace mailzone::backend;

constexpr std::string_view kUsage =
    "mailzone-backend [--config FILE] [--check-config]\n"
    "Answers PowerDNS's remote backend from a replica of the tenant database. Runs in the foreground; SIGHUP reads "
    "the\n"
    "settings again, SIGTERM ends it.\n"
    "  --config FILE    settings; else $MAILZONE_CONFIG, else /etc/mailzone/mailzone.toml\n"
    "  --check-config   check the settings and end: 0, or 78 with the reason\n"
    "  --version        print the version and end\n"
    "  --help           print this and end\n";

struct Options {
  std::string config;
  bool checkOnly = false;
};

int sayError(const Error& error) {
  fmt::print(stderr, "mailzone-backend: {}\n", describe(error));
  return exitStatus(error.code);
}

/// The settings that a reload may change, shared by the threads.
class LiveSettings {
 public:
  explicit LiveSettings(Settings settings) : settings_(std::move(settings)) {}
  [[nodiscard]] Settings get() const {
    const std::lock_guard guard(mutex_);
    return settings_;
  }
  void set(Settings settings) {
    const std::lock_guard guard(mutex_);
    settings_ = std::move(settings);
  }

 private:
  mutable std::mutex mutex_;
  Settings settings_;
};

Result<Settings> readSettings(const std::string& path) {
  auto settings = loadSettings(path);
  if (!settings) return settings;
  if (auto level = log::parseLevel(settings->log.level); !level) return pass(level);
  if (auto own = refuseForeignSecrets(*settings, {SqlRole::dns}); !own) return pass(own);
  return settings;
}

/// The socket and the replica are what they were at the start: they belong to connections that are open.
void reload(LiveSettings& live, const std::string& path) {
  auto fresh = readSettings(path);
  if (!fresh) {
    log::error("the settings are wrong: the old ones stay", {{"error", fresh.error()}});
    return;
  }
  const auto old = live.get();
  if (fresh->backend.socket != old.backend.socket || fresh->backend.replicaPath != old.backend.replicaPath ||
      fresh->backend.socketGroup != old.backend.socketGroup) {
    log::warn("backend.socket, backend.socket_group and backend.replica_path change with a restart only");
  }
  log::open("mailzone-backend", log::parseLevel(fresh->log.level).value());
  live.set(std::move(*fresh));
  log::info("settings read again");
}

void follow(Follower& follower, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    std::chrono::milliseconds wait{1000};
    try {
      wait = follower.step();
    } catch (const std::exception& error) {
      log::error("following failed", {{"error", error.what()}});
    }
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, wait, [] { return false; });
  }
}

/// Waits for signals on a thread of its own: every other thread has them blocked.
void waitForSignals(const sigset_t& set, UnixServer& server, LiveSettings& live, const std::string& path) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&set, &signal) != 0) continue;
    if (signal == SIGHUP) {
      reload(live, path);
      continue;
    }
    server.stop();
    return;
  }
}

int runWith(const Options& options) {
  if (auto set = forbidCoreDumps(); !set) return sayError(set.error());
  auto settings = readSettings(options.config);
  if (!settings) return sayError(settings.error());
  if (options.checkOnly) return 0;
  log::open("mailzone-backend", log::parseLevel(settings->log.level).value());

  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, each);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  auto replica = Replica::open(settings->backend.replicaPath);
  if (!replica) {
    // Another process that holds it is a service in the way, not a finding.
    auto error = replica.error();
    if (error.code == Errc::conflict) error.code = Errc::unavailable;
    return sayError(error);
  }
  ReplicaSlot slot(*replica);
  UnixServer::Options serverOptions;
  serverOptions.path = settings->backend.socket;
  serverOptions.group = settings->backend.socketGroup;
  UnixServer server(slot, serverOptions);
  if (auto done = server.listen(); !done) return sayError(done.error());

  LiveSettings live(*settings);
  Follower::Options followerOptions;
  followerOptions.poll = std::chrono::milliseconds(settings->backend.pollMs);
  Follower follower(
      slot, [&live] { return openTenantSource(live.get()); }, followerOptions);
  replica->reset();  // the slot's is the one that is replaced
  std::jthread following([&](const std::stop_token& stop) { follow(follower, stop); });
  std::jthread listening([&] { waitForSignals(signals, server, live, options.config); });

  bool told = false;
  const std::function<void()> onTick = [&] {
    // PowerDNS does not start against a backend that cannot tell its zones: READY only with a filled replica.
    if (!told && slot.get()->ready()) {
      const auto done = notifySupervisor("READY=1");
      told = done || done.error().code != Errc::temporary;
      log::info("serving", {{"socket", settings->backend.socket}});
      if (!done) log::warn("cannot tell the supervisor", {{"error", done.error()}});
    }
    (void)notifySupervisor("WATCHDOG=1");
  };
  server.run(onTick);
  (void)notifySupervisor("STOPPING=1");
  follower.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument = argv[i];
      if (argument == "--version") {
        fmt::print("mailzone-backend {}\n", MAILZONE_VERSION);
        return 0;
      }
      if (argument == "--help") {
        fmt::print("{}", kUsage);
        return 0;
      }
      if (argument == "--check-config") {
        options.checkOnly = true;
      } else if (argument == "--config" && i + 1 < argc) {
        options.config = argv[++i];
      } else if (argument.substr(0, 9) == "--config=") {
        options.config = argument.substr(9);
      } else {
        fmt::print(stderr, "mailzone-backend: unknown or incomplete option {}\n{}", escapeForDisplay(argument), kUsage);
        return 2;
      }
    }
    return runWith(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mailzone-backend: {}\n", error.what());
    return 1;
  }
}
