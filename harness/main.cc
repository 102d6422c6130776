// mailzone-harness: real daemons in a private network, a receiver that judges like a large one, and verdicts. It holds
// no keys but those that its own run makes, and reaches nothing outside its namespaces.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "harness/demo.h"
#include "harness/receive.h"
#include "harness/send.h"

namespace {

using namespace mailzone::harness;

std::string programFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

int runCommand(int argc, char** argv) {
  CLI::App app("mailzone-harness: proves on real daemons that mail authenticates");
  app.set_version_flag("--version", std::string("mailzone-harness ") + MAILZONE_VERSION);
  app.require_subcommand(1);
  DemoOptions options;
  options.layout.source = MAILZONE_SOURCE_DIR;
  options.layout.programs = programFolder();
  std::string database = "sqlite";
  std::string json;
  CLI::App* run = app.add_subcommand("run", "bring everything up in private namespaces, send, judge, print the table");
  run->add_option("DIR", options.scenarioFolder, "folder of scenario files (default: the project's)");
  run->add_option("--database", database, "sqlite, or mysql: a MariaDB of its own")
      ->check(CLI::IsMember({"sqlite", "mysql"}));
  run->add_option("--break", options.breakage, "make one thing wrong: key, body, spf, ptr, dmarc, backend or signer");
  run->add_option("--only", options.only, "rows to run; NAME, or a beginning with a final *")->delimiter(',');
  run->add_flag("--keep", options.keep, "stay up after the table until Ctrl-C, and say how to enter");
  CLI::Option* jsonOption =
      run->add_option("--json", json, "write mailzone/verdicts/1 to FILE; without FILE to standard output, alone")
          ->expected(0, 1);
  run->add_option("--source", options.layout.source, "the project's tree, for configuration files");
  run->add_option("--programs", options.layout.programs, "folder of the other programs");
  std::string address = "127.0.0.1";
  ReceiveOptions receiving;
  receiving.receiver.storage = "mails";
  CLI::App* receive = app.add_subcommand("receive", "listen as a large receiver, print a JSON line for each mail");
  receive->add_option("--address", address, "to listen on");
  receive->add_option("--port", receiving.receiver.port, "to listen on; 0: the kernel chooses");
  receive->add_option("--host-name", receiving.receiver.hostName, "in the greeting and the certificate");
  receive->add_option("--storage", receiving.receiver.storage, "folder for the mails; made when missing");
  receive->add_option("--resolver", receiving.resolver.servers, "ADDRESS[@PORT]; default: those of /etc/resolv.conf");
  receive->add_option("--domain", receiving.receiver.recipientDomains, "take mail for these only; default: for all");
  receive->add_flag("!--not-bulk", receiving.receiver.profile.bulk, "judge as a sender of few mails");
  SendOptions sending;
  CLI::App* send = app.add_subcommand("send", "within a kept demo: one mail by a door of the platform's MTA");
  send->add_option("--door", sending.door, "webapp, submission, marketing, submission-unchecked, submission-naive, mx");
  send->add_option("--login", sending.login, "t1, t2 or t3, at the doors that want one");
  send->add_option("--from", sending.from, "address in From:")->required();
  send->add_option("--envelope", sending.envelope, "MAIL FROM; default: that of From:");
  send->add_option("--to", sending.to, "recipient");
  send->add_option("--stream", sending.stream, "webapp, mailbox or marketing; default: the door's");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  if (send->parsed()) return runSend(sending);
  if (receive->parsed()) {
    const auto parsed = mailzone::IpAddress::parse(address);
    if (!parsed) {
      std::fprintf(stderr, "mailzone-harness: --address: %s\n", describe(parsed.error()).c_str());
      return 2;
    }
    receiving.receiver.address = *parsed;
    return runReceive(receiving);
  }
  options.database = database == "mysql" ? Database::mysql : Database::sqlite;
  options.jsonFile = json;
  options.jsonOnly = jsonOption->count() > 0 && json.empty();
  if (options.scenarioFolder.empty()) options.scenarioFolder = options.layout.source + "/harness/scenarios";
  return runDemo(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return runCommand(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mailzone-harness: %s\n", error.what());
    return 1;
  }
}
