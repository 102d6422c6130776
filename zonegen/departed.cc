// Records of what was deleted, renamed or moved: mail on its way must still be verified and bounced.
#include "zonegen/parts.h"

namespace mailzone::zonegen {
namespace {

Domain domainOf(const Departed& departed) {
  Domain domain;
  domain.platform = departed.platform;
  domain.name = departed.name;
  domain.kind = departed.kind;
  domain.token = departed.token;
  domain.state = departed.wasVerified ? DomainState::verified : DomainState::unverified;
  domain.dmarcPolicy = departed.dmarcPolicy;
  domain.dmarcRua = departed.dmarcRua;
  domain.slots = departed.slots;
  return domain;
}

}  // namespace

Result<std::vector<ZoneRRset>> recordsForDeparted(const PlatformContext& context, const Departed& departed) {
  auto domain = domainOf(departed);
  if (!departed.revoked) return recordsForDomain(context, domain);
  for (auto& content : domain.slots) content.key.reset();
  RecordSet records(context.zones);
  if (auto ok = addKeys(records, context, domain); !ok) return pass(ok);
  return records.sorted();
}

}  // namespace mailzone::zonegen
