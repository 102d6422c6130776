#include "zonegen/dmarc.h"

#include "mailauth/dmarc_record.h"
#include "zonegen/names.h"

namespace mailzone::zonegen {
namespace {

using mailauth::AlignmentMode;
using mailauth::DmarcRecord;

DmarcRecord recordOf(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  DmarcRecord record;
  record.policy = policy;
  for (const auto& report : reports) record.rua.push_back(report.text);
  return record;
}

DmarcRecord strict(DmarcRecord record) {
  record.adkim = AlignmentMode::strict;
  record.aspf = AlignmentMode::strict;
  return record;
}

}  // namespace

std::string dmarcOfTenant(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  auto record = strict(recordOf(policy, reports));
  record.psd = mailauth::PublicSuffix::no;
  return printDmarcRecord(record);
}

std::string dmarcOfPlatform(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  auto record = strict(recordOf(policy, reports));
  record.subdomainPolicy = DmarcPolicy::reject;
  record.nonexistentPolicy = DmarcPolicy::reject;
  return printDmarcRecord(record);
}

std::string dmarcOfCustomer(DmarcPolicy policy, const std::vector<ReportUri>& reports) {
  return printDmarcRecord(recordOf(policy, reports));
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
