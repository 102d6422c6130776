#include <array>

#include "backend/methods/methods.h"
#include "backend/replica_rows.h"

namespace mailzone::backend {
namespace {

/// A type that nothing is stored under: what a mnemonic stands for that this project does not know.
constexpr RecordType kNothing{65535};

RecordType typeOf(std::string_view text) {
  if (text == "ANY") return rrtype::ANY;
  if (text == "SOA") return rrtype::SOA;
  auto type = RecordType::parse(text);
  return type && *type != kCannotTell ? *type : kNothing;
}

/// Every zone that the name lies in, the longest first: with zone-id -1 any of them may answer.
Result<Found> lookupEverywhere(Replica::Reader& replica, std::string_view name, RecordType type, std::string& out) {
  Found all = Found::nothing;
  for (std::string_view at = name;; at = rows::parentKey(at)) {
    auto zone = replica.zoneAt(at);
    if (!zone) return pass(zone);
    if (*zone) {
      const Found found = replica.lookup(**zone, name, type, out);
      if (found == Found::broken || found == Found::cannotTell) return found;
      if (found == Found::records) all = found;
    }
    if (at.empty()) return all;
  }
}

}  // namespace

Result<void> lookup(Call call) {
  auto qname = call.request.text("qname");
  if (!qname) return pass(qname);
  auto qtype = call.request.text("qtype");
  if (!qtype) return pass(qtype);
  auto zoneId = call.request.integer("zone-id", -1);
  if (!zoneId) return pass(zoneId);
  if (*zoneId < -1 || *zoneId > INT32_MAX) {
    return fail(Errc::invalidInput, std::to_string(*zoneId), "a zone-id is -1 to 2147483647");
  }
  auto name = canonicalKeyOf(*qname);
  if (!name) return pass(name);
  const RecordType type = typeOf(*qtype);
  call.out += '[';
  Result<Found> found = *zoneId < 0 ? lookupEverywhere(call.replica, *name, type, call.out)
                                    : call.replica.lookup(static_cast<std::int32_t>(*zoneId), *name, type, call.out);
  if (!found) return pass(found);
  call.out += ']';
  return tellable(*found, *qname);
}

}  // namespace mailzone::backend
