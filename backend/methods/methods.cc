#include "backend/methods/methods.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mailzone::backend {
namespace {

constexpr std::string_view kReadOnly = "zones are changed in the tenant database: use mailzone, or plain SQL";
constexpr std::string_view kUnsigned = "zones are not signed: there are no zone keys";
constexpr std::string_view kNative = "zones are native: there are no primaries to follow and nobody to notify";
constexpr std::string_view kNoTsig = "transfers are allowed by address: there are no TSIG keys";

/// What PowerDNS may ask besides the methods of dispatcher.cc.
constexpr std::array<std::pair<std::string_view, std::string_view>, 33> kRefusals = {{
    {"APILookup", "records are searched with mailzone"},
    {"abortTransaction", kReadOnly},
    {"activateDomainKey", kUnsigned},
    {"addDomainKey", kUnsigned},
    {"commitTransaction", kReadOnly},
    {"createSlaveDomain", kReadOnly},
    {"deactivateDomainKey", kUnsigned},
    {"deleteTSIGKey", kNoTsig},
    {"directBackendCmd", "commands are given to mailzone"},
    {"feedEnts", kReadOnly},
    {"feedEnts3", kReadOnly},
    {"feedRecord", kReadOnly},
    {"getBeforeAndAfterNames", kUnsigned},
    {"getBeforeAndAfterNamesAbsolute", kUnsigned},
    {"getDomainKeys", kUnsigned},
    {"getTSIGKey", kNoTsig},
    {"getTSIGKeys", kNoTsig},
    {"getUnfreshSlaveInfos", kNative},
    {"getUpdatedMasters", kNative},
    {"publishDomainKey", kUnsigned},
    {"removeDomainKey", kUnsigned},
    {"replaceRRSet", kReadOnly},
    {"searchRecords", "records are searched with mailzone"},
    {"setDomainMetadata", kReadOnly},
    {"setFresh", kNative},
    {"setNotified", kNative},
    {"setStale", kNative},
    {"setTSIGKey", kNoTsig},
    {"startTransaction", kReadOnly},
    {"superMasterBackend", kNative},
    {"unpublishDomainKey", kUnsigned},
    {"autoPrimaryBackend", kNative},
    {"createSecondaryDomain", kReadOnly},
}};

}  // namespace

std::string_view refusal(std::string_view method) noexcept {
  const auto at =
      std::find_if(kRefusals.begin(), kRefusals.end(), [&](const auto& row) { return row.first == method; });
  return at == kRefusals.end() ? std::string_view{} : at->second;
}

Result<std::string> canonicalKeyOf(std::string_view name) {
  auto parsed = DnsName::parse(name);
  if (!parsed) return pass(parsed);
  return parsed->canonicalKey();
}

Result<std::optional<ServedZone>> zoneNamed(const Call& call, std::string_view parameter) {
  auto name = call.request.text(parameter);
  if (!name) return pass(name);
  auto key = canonicalKeyOf(*name);
  if (!key) return pass(key);
  auto id = call.replica.zoneAt(*key);
  if (!id) return pass(id);
  if (!*id) return std::nullopt;
  return call.replica.zone(**id);
}

void appendValues(std::string& out, const std::vector<std::string>& values) {
  out += '[';
  for (const auto& value : values) {
    if (out.back() != '[') out += ',';
    appendJsonString(out, value);
  }
  out += ']';
}

Result<void> tellable(Found found, std::string_view name) {
  if (found == Found::broken) {
    return fail(Errc::corrupt, name, "the replica is broken: cannot tell", "it is filled again by itself");
  }
  if (found == Found::cannotTell) {
    return fail(Errc::temporary, name, "its row cannot be turned into records: cannot tell",
                "mailzone db check names the row");
  }
  return {};
}

}  // namespace mailzone::backend
