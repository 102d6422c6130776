#include "harness/send.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "harness/runner.h"
#include "harness/text_file.h"
#include "harness/topology.h"

namespace mailzone::harness {
namespace {

int say(const Error& error) {
  fmt::print(stderr, "mailzone-harness: {}\n", describe(error));
  return exitStatus(error.code) == 1 ? 69 : exitStatus(error.code);
}

Scenario scenarioOf(const SendOptions& options) {
  Scenario row;
  row.name = "send";
  row.door = options.door;
  row.login = options.login;
  row.from = options.from;
  row.envelope = options.envelope.empty() ? options.from : options.envelope;
  row.to = options.to;
  row.stream = options.stream;
  if (row.stream.empty())
    row.stream = options.door.starts_with("webapp")      ? "webapp"
                 : options.door.starts_with("marketing") ? "marketing"
                                                         : "mailbox";
  return row;
}

}  // namespace

int runSend(const SendOptions& options) {
  RunnerOptions runner;
  if (!options.login.empty()) {
    auto password = readFile("/etc/mailzone/logins/" + options.login);
    if (!password) return say(password.error());
    password->erase(password->find_last_not_of('\n') + 1);
    runner.passwords[options.login] = std::make_shared<const Secret>(std::move(*password));
  }
  const SystemClock clock;
  const auto outcome = submitScenario(scenarioOf(options), clock, runner);
  if (!outcome) return say(outcome.error());
  for (const SmtpReply& reply : outcome->replies)
    for (const std::string& line : reply.lines) fmt::print("{}\n", line);
  return outcome->decisive.ok() ? 0 : 1;
}

}  // namespace mailzone::harness
