// Master files: what is read prints as a file that reads back as the same records, and is within the limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "zonegen/master_file.h"

using namespace mailzone;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}

const DnsName& zone() {
  static const DnsName name = *DnsName::parse("shop.example");
  return name;
}

std::vector<RRset> rrsetsOf(const std::vector<StaticRecord>& records) {
  std::vector<RRset> out;
  for (const auto& record : records) out.push_back({record.owner, record.type, record.ttl, {record.content}});
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = zonegen::readMasterFile(text, zone(), ZoneId{1}, {65536, 1000});
  if (!file) {
    require(file.error().code == Errc::invalidInput || file.error().code == Errc::limitExceeded);
    require(!file.error().rule.empty());
    return 0;
  }
  require(file->records.size() <= 1000);
  for (const auto& record : file->records) require(record.owner.isAtOrBelow(zone()));
  const auto printed = zonegen::writeMasterFile(zone(), rrsetsOf(file->records));
  const auto again = zonegen::readMasterFile(printed, zone(), ZoneId{1});
  require(again.has_value());
  require(again->records.size() == file->records.size());
  require(zonegen::writeMasterFile(zone(), rrsetsOf(again->records)) == printed);
  return 0;
}
