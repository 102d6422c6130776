// DMARC records: what is read prints and reads back equal; an author whose record is anything gets a verdict.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mailauth/dmarc.h"
#include "tests/support/fake_resolver.h"

using namespace mailzone;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto record = mailauth::parseDmarcRecord(text)) {
    require(mailauth::parseDmarcRecord(mailauth::printDmarcRecord(*record)) == *record);
  }
  if (const auto uris = mailauth::parseReportUris(text)) {
    // What we accept for our own records survives a record.
    mailauth::DmarcRecord record;
    record.rua = *uris;
    require(mailauth::parseDmarcRecord(mailauth::printDmarcRecord(record)) == record);
  }
  testing::FakeResolver dns;
  dns.txtRecords[*DnsName::parse("_dmarc.b.example")] = {std::string(text)};
  mailauth::SpfResult spf;
  const auto result = mailauth::evaluateDmarc(*DnsName::parse("a.b.example"), spf, {}, dns);
  require(result.verdict != mailauth::Verdict::pass && !result.reason.empty());
  return 0;
}
