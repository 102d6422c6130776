// SPF records: what is read prints and reads back equal; evaluating it ends, within its limits, and never asks too
// much.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mailauth/spf.h"
#include "mailauth/spf_record.h"
#include "tests/support/fake_resolver.h"

using namespace mailzone;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = mailauth::parseSpfRecord(text);
  if (record) require(mailauth::parseSpfRecord(mailauth::printSpfRecord(*record)) == *record);

  // The text is the record of every domain that it can name.
  static const auto kOwner = *DnsName::parse("b.example");
  testing::FakeResolver dns;
  dns.txtRecords[kOwner] = {std::string(text)};
  dns.txtRecords[*DnsName::parse("c.example")] = {"v=spf1 include:b.example a mx ptr ~all", "token"};
  dns.mxRecords[kOwner] = {{1, *DnsName::parse("mx.b.example")}};
  dns.aRecords[*DnsName::parse("mx.b.example")] = {*IpAddress::parse("192.0.2.2")};
  mailauth::SpfRequest request;
  request.client = *IpAddress::parse("192.0.2.1");
  request.helo = "mx.b.example";
  request.mailFrom = "a+x=y@b.example";
  const auto result = mailauth::checkSpf(request, dns);
  require(!result.reason.empty());
  if (!record && mailauth::isSpfRecord(text)) require(result.verdict == mailauth::Verdict::permerror);
  require(dns.asked.size() <= 1 + mailauth::kSpfLookupLimit * 12 + 1);
  return 0;
}
