// mailzone-rotate: makes, proves and activates DKIM keys and exports the signing view. The only program that runs by
// itself and reads private keys: user mailzone-keys, SQL role keys. It listens on nothing.
#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "rotation/service.h"
#include "system/daemon.h"
#include "system/log.h"
#include "system/settings.h"

namespace {

using namespace mailzone;

constexpr std::string_view kUsage =
    "mailzone-rotate [--config FILE] [--check-config]\n"
    "Keeps the DKIM keys of every domain and the signing export. Runs in the foreground; SIGHUP reads the settings\n"
    "again, SIGTERM ends it.\n"
    "  --config FILE    settings; else $MAILZONE_CONFIG, else /etc/mailzone/mailzone.toml\n"
    "  --check-config   check the settings and end: 0, or 78 with the reason\n"
    "  --version        print the version and end\n"
    "  --help           print this and end\n";

struct Options {
  std::string config;
  bool checkOnly = false;
};

int sayError(const Error& error) {
  fmt::print(stderr, "mailzone-rotate: {}\n", describe(error));
  return exitStatus(error.code);
}

int runWith(const Options& options) {
  if (auto set = forbidCoreDumps(); !set) return sayError(set.error());
  const auto settings = loadSettings(options.config);
  if (!settings) return sayError(settings.error());
  const auto level = log::parseLevel(settings->log.level);
  if (!level) return sayError(level.error());
  log::open("mailzone-rotate", *level);
  if (auto own = refuseForeignSecrets(*settings, {SqlRole::keys}); !own) return sayError(own.error());
  if (settings->database.engine == "sqlite" && settings->database.secretsPath.empty()) {
    return sayError({Errc::settings, "database.secrets_path", "mailzone-rotate has no file for the private keys",
                     "set it to a file that only its user can read"});
  }
  if (options.checkOnly) return 0;
  rotation::SignalQueue signals;
  if (auto opened = signals.open(); !opened) return sayError(opened.error());
  const SystemClock clock;
  if (auto ran = rotation::runService(*settings, options.config, signals, clock); !ran) return sayError(ran.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument = argv[i];
      if (argument == "--version") {
        fmt::print("mailzone-rotate {}\n", MAILZONE_VERSION);
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
        fmt::print(stderr, "mailzone-rotate: unknown or incomplete option {}\n{}", escapeForDisplay(argument), kUsage);
        return 2;
      }
    }
    return runWith(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mailzone-rotate: {}\n", error.what());
    return 1;
  }
}
