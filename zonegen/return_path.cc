#include <fmt/format.h>

#include "zonegen/names.h"
#include "zonegen/parts.h"
#include "zonegen/spf.h"

namespace mailzone::zonegen {

Result<void> addText(RecordSet& records, const DnsName& owner, std::string_view text) {
  return records.add(owner, rrtype::TXT, txtContent(text));
}

Result<void> addMailExchangers(RecordSet& records, const Platform& platform, const DnsName& owner) {
  for (const auto& exchanger : platform.mailExchangers) {
    // Never the root: a null MX (RFC 7505 section 4.2) makes receivers refuse mail *from* the name.
    if (auto ok = requireHostName(exchanger.host, "mail_exchanger.host_name"); !ok) return ok;
    const auto content = fmt::format("{} {}", exchanger.preference, exchanger.host.text());
    if (auto ok = records.add(owner, rrtype::MX, content); !ok) return ok;
  }
  return {};
}

Result<void> addReturnPath(RecordSet& records, const PlatformContext& context, std::string_view token,
                           const std::vector<Stream>& streams) {
  const auto name = returnPathName(context.platform, token);
  if (!name) return pass(name);
  const auto spf = spfOfSender(context, streams);
  if (!spf) return pass(spf);
  if (auto ok = addMailExchangers(records, context.platform, *name); !ok) return ok;
  return addText(records, *name, *spf);
}

}  // namespace mailzone::zonegen
