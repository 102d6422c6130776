// DKIM fields and key records: what is read prints and reads back equal; verifying anything ends in a verdict.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mailauth/dkim.h"
#include "tests/support/fake_resolver.h"

using namespace mailzone;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}

// Every name has the key record of the input, so that verification goes all the way.
struct OneKey final : Resolver {
  std::string text;
  Result<Answer<std::string>> txt(const DnsName&) override {
    Answer<std::string> answer;
    answer.records = {text};
    return answer;
  }
  Result<Answer<IpAddress>> a(const DnsName&) override { return Answer<IpAddress>(); }
  Result<Answer<IpAddress>> aaaa(const DnsName&) override { return Answer<IpAddress>(); }
  Result<Answer<MailExchanger>> mx(const DnsName&) override { return Answer<MailExchanger>(); }
  Result<Answer<DnsName>> ptr(const DnsName&) override { return Answer<DnsName>(); }
  Result<Answer<DnsName>> ns(const DnsName&) override { return Answer<DnsName>(); }
  Result<Answer<DnsName>> cname(const DnsName&) override { return Answer<DnsName>(); }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto record = mailauth::parseDkimKeyRecord(text)) {
    if (const auto again = mailauth::parseDkimKeyRecord(mailauth::printDkimKeyRecord(*record))) {
      require(*again == *record);
    } else {
      require(false);
    }
  }
  if (const auto signature = mailauth::parseDkimSignature(text)) {
    const auto again = mailauth::parseDkimSignature(mailauth::printDkimSignature(*signature));
    require(again && *again == *signature);
    require(signature->timesSigned("from") > 0);
    require(signature->identityDomain.isAtOrBelow(signature->domain));
  }
  // The first line is a key record, the rest is a message.
  const auto line = text.find('\n');
  OneKey dns;
  dns.text = text.substr(0, line);
  const auto message = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  const auto results = mailauth::verifyDkim(message, dns, TimePoint{});
  for (const auto& result : results) {
    require(!result.reason.empty());
    if (result.verdict == mailauth::Verdict::pass) require(result.domain && result.selector && result.keyBits != 0);
  }
  return 0;
}
