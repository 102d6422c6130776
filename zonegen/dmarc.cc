#include "zonegen/dmarc.h"

#include <fmt/format.h>

#include "zonegen/names.h"

namespace mailzone::zonegen {
namespace {

std::string withReports(std::string text, const std::vector<ReportUri>& reports) {
  for (std::size_t i = 0; i < reports.size(); ++i) {
    text += i == 0 ? "; rua=" : ",";
    text += reports[i].text;
  }
  return text;
}

}  // namespace

std::string dmarcOfTenant(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  return withReports(fmt::format("v=DMARC1; p={}; adkim=s; aspf=s; psd=n", word(policy)), reports);
}

std::string dmarcOfPlatform(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  return withReports(fmt::format("v=DMARC1; p={}; sp=reject; np=reject; adkim=s; aspf=s", word(policy)), reports);
}

std::string dmarcOfCustomer(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  return withReports(fmt::format("v=DMARC1; p={}", word(policy)), reports);
}

Result<void> addReportConsent(RecordSet& records, const DnsName& policyDomain, const std::vector<ReportUri>& reports) {
  for (const auto& report : reports) {
    // Within one organizational domain nobody asks; one authorisation too many changes nothing, so that what the
    // organizational domain is (psd=n, or a public suffix list) need not be known here.
    if (report.host == policyDomain || !records.holds(report.host)) continue;
    const auto owner = reportName(policyDomain, report.host);
    if (!owner) return pass(owner);
    if (auto ok = records.add(*owner, rrtype::TXT, txtContent(kDmarcReportConsent)); !ok) return ok;
  }
  return {};
}

}  // namespace mailzone::zonegen
