#include "backend/dispatcher.h"

#include <algorithm>
#include <array>

#include "backend/methods/methods.h"
#include "system/log.h"

namespace mailzone::backend {
namespace {

struct Method {
  std::string_view name;
  Result<void> (*answer)(Call);
};
constexpr std::array<Method, 6> kMethods = {{
    {"lookup", lookup},
    {"getAllDomainMetadata", getAllDomainMetadata},
    {"getAllDomains", getAllDomains},
    {"getDomainInfo", getDomainInfo},
    {"getDomainMetadata", getDomainMetadata},
    {"list", list},
}};

/// PowerDNS logs what stands in `log` when it is an array.
void appendLog(std::string& out, std::string_view text) {
  out += R"("log":[)";
  appendJsonString(out, text);
  out += "]}\n";
}

void appendCannotTell(std::string& out, const Error& error) {
  out += '{';
  appendLog(out, describe(error));
}

}  // namespace

void Dispatcher::onLine(std::string_view line, std::string& out) {
  const auto refuse = [&, start = out.size()](const Error& error) {
    log::debug("not answered", {{"method", request_.method()}, {"error", error}});
    out.resize(start);
    appendCannotTell(out, error);
  };
  if (auto parsed = parseRequest(line, request_); !parsed) return refuse(parsed.error());
  // Needs no data: PowerDNS must be able to connect at any time.
  if (request_.method() == "initialize") {
    out += "{\"result\":true}\n";
    return;
  }
  const auto method = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& each) { return each.name == request_.method(); });
  const auto why = method == kMethods.end() ? refusal(request_.method()) : std::string_view{};
  if (method == kMethods.end() && why.empty()) {
    return refuse(fail(Errc::invalidInput, request_.method(), "is no method of PowerDNS's remote protocol").value());
  }
  auto* replica = access_.begin();
  if (replica == nullptr) {
    return refuse(fail(Errc::temporary, request_.method(), "the replica is not filled: cannot tell",
                       "wait until it has read the tenant database")
                      .value());
  }
  if (method == kMethods.end()) {
    out += R"({"result":false,)";
    appendLog(out, why);
  } else {
    out += R"({"result":)";
    if (auto done = method->answer({request_, *replica, out}); done) {
      out += "}\n";
    } else {
      refuse(done.error());
    }
  }
  replica->end();
}

std::string Dispatcher::lineTooLong(std::size_t limit) {
  std::string out;
  appendCannotTell(out,
                   fail(Errc::limitExceeded, {}, "a request has at most " + std::to_string(limit) + " octets").value());
  return out;
}

}  // namespace mailzone::backend
