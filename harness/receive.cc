#include "harness/receive.h"

#include <csignal>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "system/daemon.h"
#include "system/log.h"

namespace mailzone::harness {

std::string receivedLine(const ReceivedMail& mail) {
  using Json = nlohmann::ordered_json;
  Json json = Json::object();
  json["schema"] = "mailzone/receive/1";
  json.update(Json::parse(observedJson(mail.verdict)));
  json["client"] = mail.facts.client.text();
  json["recipients"] = mail.facts.recipients;
  json["message"] = mail.message.string();
  json["envelope"] = mail.envelope.string();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int runReceive(const ReceiveOptions& options) {
  // Before any thread is made, so that all of them leave these signals to sigwait().
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  const SystemClock clock;
  const auto failed = [](const Error& error) {
    log::error("the receiver cannot run", {{"error", error}});
    return exitStatus(error.code);
  };
  auto resolver = openResolver(options.resolver);
  if (!resolver) return failed(resolver.error());
  auto receiver = Receiver::start(options.receiver, **resolver, clock);
  if (!receiver) return failed(receiver.error());
  std::mutex printing;
  (*receiver)->onMail([&printing](const ReceivedMail& mail) {
    const std::string line = receivedLine(mail) + '\n';
    const std::lock_guard lock(printing);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
  });
  log::info("listening", {{"address", options.receiver.address.text()},
                          {"port", (*receiver)->port()},
                          {"storage", options.receiver.storage.string()}});
  if (const auto told = notifySupervisor("READY=1"); !told) return failed(told.error());
  int signal = 0;
  sigwait(&ends, &signal);
  log::info("ending", {{"signal", signal}});
  return 0;
}

}  // namespace mailzone::harness
