#include "zonegen/spf_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "zonegen/spf.h"

namespace mailzone::zonegen {
namespace {

/// The domain-specs of our own pools.
std::set<std::string> poolSpecs(const PlatformContext& context) {
  std::set<std::string> out;
  for (const auto& pool : context.pools) {
    out.insert(fmt::format("{}.{}.{}", pool.name, label::kPoolSpf, context.platform.name.textNoDot()));
  }
  return out;
}

Error ofRelay(Error error, const std::string& include) {
  error.rule = fmt::format("the SPF include of a relay, {}: {}", include, error.rule);
  if (error.remedy.empty()) error.remedy = "ask the relay's operator, or correct relay.spf_include";
  return error;
}

}  // namespace

Result<unsigned> spfLookups(const PlatformContext& context, const std::vector<Stream>& streams, Resolver& resolver) {
  const auto text = spfOfSender(context, streams);
  if (!text) return pass(text);
  const auto record = mailauth::parseSpfRecord(*text);
  if (!record) return pass(record);
  const auto pools = poolSpecs(context);
  unsigned total = 0, most = 0;
  std::string costliest;
  for (const auto& mechanism : record->mechanisms) {
    if (mechanism.kind != mailauth::SpfMechanismKind::include) continue;
    if (pools.count(mechanism.domainSpec) != 0) {
      ++total;
      continue;
    }
    mailauth::SpfRecord alone;
    alone.mechanisms.push_back(mechanism);
    const auto budget = mailauth::countLookups(alone, resolver);
    if (!budget) return tl::unexpected<Error>(ofRelay(budget.error(), mechanism.domainSpec));
    total += budget->lookups;
    if (budget->lookups > most) costliest = mechanism.domainSpec;
    most = std::max(most, budget->lookups);
  }
  if (total <= mailauth::kSpfLookupLimit) return total;
  return fail(
      Errc::limitExceeded, costliest,
      fmt::format("the SPF record would cause {} lookups, {} of them by this include; a receiver allows {} (RFC "
                  "7208 section 4.6.4)",
                  total, most, mailauth::kSpfLookupLimit),
      "send by fewer relays, or let the relay put its own envelope sender (relay.envelope)");
}

}  // namespace mailzone::zonegen
