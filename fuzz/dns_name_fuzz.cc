// Names: what is read is within the limits of the wire and reads back equal from each of its three forms.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/dns_name.h"

using mailzone::DnsName;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
void checkName(const DnsName& name) {
  require(name.wire().size() <= 255);
  require(*DnsName::parse(name.text()) == name);
  require(*DnsName::fromWire(name.wire()) == name);
  require(name.canonicalKey().size() <= 507);
  require(*DnsName::fromCanonicalKey(name.canonicalKey()) == name);
  require(name.isAtOrBelow(name.parent()));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = DnsName::parse(text)) checkName(*name);
  if (const auto name = DnsName::parseUnicode(text)) checkName(*name);
  if (const auto name = DnsName::fromWire(text)) checkName(*name);
  if (const auto name = DnsName::fromCanonicalKey(text)) checkName(*name);
  return 0;
}
