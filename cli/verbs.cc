#include "cli/verb.h"

namespace mailzone::cli {

const std::vector<Verb>& allVerbs() {
  static const std::vector<Verb> verbs = [] {
    std::vector<Verb> all;
    for (auto* rows : {databaseVerbs, platformVerbs, zoneVerbs, ipVerbs, relayVerbs, streamVerbs, tenantVerbs,
                       domainVerbs, loginVerbs, keyVerbs, dnsVerbs, signingVerbs, statusVerbs}) {
      for (Verb& verb : rows()) all.push_back(std::move(verb));
    }
    return all;
  }();
  return verbs;
}

Report usageError(std::string_view value, std::string rule, std::string remedy) {
  Report report;
  report.status = 2;
  report.errors.push_back({Errc::invalidInput, escapeForDisplay(value), std::move(rule), std::move(remedy)});
  return report;
}

Document documentOf(std::string_view name) {
  return Document::object().set("schema", "mailzone/" + std::string(name) + "/1");
}

}  // namespace mailzone::cli
