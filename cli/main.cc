// `mailzone`: the administrator's program. It is the one that may write every table of the tenant database, and reads
// private keys only to export them; it serves nothing and listens nowhere.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "system/log.h"

namespace mailzone::cli {
namespace {

constexpr int kUsage = 2;

Document errorDocument(std::string_view code, int status, const std::string& message) {
  return documentOf("error").set("code", code).set("status", status).set("message", message);
}

Document documentOfError(const Error& error) {
  return Document::object()
      .set("code", errcName(error.code))
      .set("message", describe(error))
      .set("value", Document::orNull(error.value))
      .set("rule", error.rule)
      .set("remedy", Document::orNull(error.remedy));
}

/// Errors go to standard error, and nothing else of a failed verb goes anywhere.
int complain(const std::vector<Error>& errors, bool json, bool usage = false) {
  const Error& first = errors.front();
  const int status = usage ? kUsage : exitStatus(first.code);
  if (!json) {
    for (const Error& error : errors) std::fputs(("mailzone: " + describe(error) + "\n").c_str(), stderr);
    return status;
  }
  Document document = errorDocument(usage ? "usage" : errcName(first.code), status, describe(first));
  document.set("value", Document::orNull(first.value))
      .set("rule", first.rule)
      .set("remedy", Document::orNull(first.remedy));
  Document all{Document::Array{}};
  for (const Error& error : errors) all.push(documentOfError(error));
  document.set("errors", std::move(all));
  std::fputs((document.jsonLine() + "\n").c_str(), stderr);
  return status;
}

int complainOfUsage(const std::string& message, bool json) {
  const std::string line = json ? errorDocument("usage", kUsage, message)
                                      .set("value", Document())
                                      .set("rule", message)
                                      .set("remedy", Document())
                                      .set("errors", Document(Document::Array{}))
                                      .jsonLine()
                                : "mailzone: " + message;
  std::fputs((line + "\n").c_str(), stderr);
  return kUsage;
}

/// All of `text`, or the failure of standard output (a full disk must not look like success).
int print(const std::string& text, int status) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return status;
  if (errno != EPIPE) std::fputs("mailzone: standard output cannot be written\n", stderr);  // `| head` is no mishap
  return exitStatus(Errc::io);
}

/// `mailzone harness ...` is mailzone-harness, beside this program or on the path.
int runHarness(const std::vector<std::string>& words) {
  std::string self(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
  std::string program = "mailzone-harness";
  if (length > 0) {
    self.resize(static_cast<std::size_t>(length));
    const std::string beside = self.substr(0, self.rfind('/') + 1) + program;
    if (::access(beside.c_str(), X_OK) == 0) program = beside;
  }
  std::vector<std::string> owned = words;
  owned.front() = program;
  std::vector<char*> arguments;
  for (std::string& word : owned) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(program.c_str(), arguments.data());
  return complain({{Errc::unavailable, program, fmt::format("cannot be started: {}", std::strerror(errno)),
                    "install mailzone-harness beside mailzone"}},
                  false);
}

int runVerb(const Request& request) {
  Context context(request.globals);
  auto report = request.verb->run(context, request.arguments);
  if (!report) return complain({report.error()}, request.globals.json);
  if (!report->errors.empty()) return complain(report->errors, request.globals.json, report->status == kUsage);
  return print(request.globals.json ? report->document.json() : report->text, report->status);
}

int checkSettings(const Request& request) {
  Context context(request.globals);
  const auto settings = context.settings();
  if (!settings) return complain({settings.error()}, request.globals.json);
  log::open("mailzone", log::parseLevel((*settings)->log.level).value_or(log::Level::info));
  return print(request.globals.json ? documentOf("check-config").set("ok", true).json() : "the settings are right\n",
               0);
}

int run(const std::vector<std::string>& words) {
  if (!words.empty() && words.front() == "harness") return runHarness(words);
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  const auto request = parseCommandLine(words);
  if (!request) return complainOfUsage(request.error(), json);
  switch (request->kind) {
    case Request::Kind::help:
      if (request->verb != nullptr) return print(helpOf(*request->verb), 0);
      return print(request->object.empty() ? helpOfProgram() : helpOfObject(request->object), 0);
    case Request::Kind::version:
      return print("mailzone " MAILZONE_VERSION "\n", 0);
    case Request::Kind::settingsHelp:
      return print(settingsAsMarkdown(), 0);
    case Request::Kind::checkSettings:
      return checkSettings(*request);
    case Request::Kind::verb:
      return runVerb(*request);
  }
  return kUsage;
}

}  // namespace
}  // namespace mailzone::cli

int main(int argc, char** argv) {
  // A closed socket is an error to report, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return mailzone::cli::run({argv + 1, argv + argc});
  } catch (const std::exception& defect) {
    std::fprintf(stderr, "mailzone: internal error: %s\n", defect.what());
    return mailzone::exitStatus(mailzone::Errc::internal);
  }
}
