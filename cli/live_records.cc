#include "cli/live_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

constexpr int kMaxChain = 8;

Live unknown(const Error& error) {
  return {LiveState::unknown, "could not be asked, no action is needed: " + describe(error)};
}

/// Follows CNAMEs from `name` to `target`; flattened records show none.
Result<bool> leadsTo(Resolver& resolver, const DnsName& name, const DnsName& target, std::string& seen) {
  DnsName at = name;
  for (int step = 0; step < kMaxChain; ++step) {
    const auto answer = resolver.cname(at);
    if (!answer) return pass(answer);
    if (answer->records.empty()) return false;
    at = answer->records.front();
    seen = at.textNoDot();
    if (at == target) return true;
  }
  return false;
}

/// Many providers' forms add the domain themselves: the record then stands at NAME.DOMAIN.
Result<bool> standsTwice(Resolver& resolver, const DnsName& name, const DnsName& domain) {
  const auto doubled = name.under(domain);
  if (!doubled) return false;
  const auto answer = resolver.cname(*doubled);
  if (!answer) return pass(answer);
  return !answer->records.empty();
}

Live lookAtCname(Resolver& resolver, const WantedRecord& wanted, const DnsName& domain) {
  const auto target = DnsName::parse(wanted.value);
  if (!target) return unknown(target.error());
  std::string seen;
  const auto leads = leadsTo(resolver, wanted.name, *target, seen);
  if (!leads) return unknown(leads.error());
  if (*leads) {
    return wanted.keyText.empty() ? Live{LiveState::valid, ""} : lookAtText(resolver, wanted.name, wanted.keyText);
  }
  if (!seen.empty()) return {LiveState::mismatch, fmt::format("leads to {}, not to {}", seen, wanted.value)};
  const auto text = resolver.txt(wanted.name);
  if (!text) return unknown(text.error());
  if (!text->records.empty()) {
    return {LiveState::mismatch, "is a TXT record, which stays behind when keys change: set the CNAME in its place"};
  }
  const auto twice = standsTwice(resolver, wanted.name, domain);
  if (twice && *twice) {
    return {LiveState::missing, fmt::format("stands at {}.{}: the provider adds the domain itself, enter only {}",
                                            wanted.name.textNoDot(), domain.textNoDot(), registrarHost(wanted.name))};
  }
  return {LiveState::missing, "no such record"};
}

Live lookAtPolicy(Resolver& resolver, const WantedRecord& wanted) {
  const auto answer = resolver.txt(wanted.name);
  if (!answer) return unknown(answer.error());
  std::vector<std::string> policies;
  for (const std::string& text : answer->records) {
    if (text.rfind("v=DMARC1", 0) == 0) policies.push_back(text);
  }
  if (policies.empty()) return {LiveState::missing, "no DMARC policy: large receivers refuse bulk mail without one"};
  // RFC 9989 section 4.7: several records are no policy at all.
  if (policies.size() > 1) return {LiveState::mismatch, "more than one DMARC record: none of them counts"};
  return {LiveState::valid, policies.front() == wanted.value ? "" : "a policy of its own: " + policies.front()};
}

}  // namespace

std::string_view word(LiveState state) noexcept {
  switch (state) {
    case LiveState::valid:
      return "valid";
    case LiveState::mismatch:
      return "mismatch";
    case LiveState::missing:
      return "missing";
    case LiveState::unknown:
      return "unknown";
  }
  return "unknown";
}

Live lookAtText(Resolver& resolver, const DnsName& name, const std::string& text) {
  const auto answer = resolver.txt(name);
  if (!answer) return unknown(answer.error());
  if (answer->records.empty()) return {LiveState::missing, "no such record"};
  if (std::find(answer->records.begin(), answer->records.end(), text) == answer->records.end()) {
    return {LiveState::mismatch, fmt::format("says {}", escapeForDisplay(answer->records.front(), 60))};
  }
  return {LiveState::valid, ""};
}

Live lookAt(Resolver& resolver, const WantedRecord& wanted, const DnsName& domain) {
  return wanted.type == rrtype::CNAME ? lookAtCname(resolver, wanted, domain) : lookAtPolicy(resolver, wanted);
}

Result<std::vector<WantedRecord>> wantedRecords(const tenantdb::DomainRow& domain, const DnsName& platform,
                                                const std::string& dmarcPolicy, const std::string& dmarcRua,
                                                const std::vector<RRset>& published) {
  std::vector<WantedRecord> wanted;
  const auto add = [&](std::string purpose, bool required, const std::string& label, RecordType type,
                       std::string value) -> Result<void> {
    const auto name = DnsName::parse(label + "." + domain.name);
    if (!name) return pass(name);
    wanted.push_back({std::move(purpose), required, *name, type, std::move(value), "", std::nullopt});
    return {};
  };
  for (const Slot slot : kSlots) {
    const std::string target =
        fmt::format("{}.{}.{}.{}", slotName(slot), domain.token, label::kKeyTarget, platform.textNoDot());
    if (auto added = add(fmt::format("signing key {}", slotName(slot)), true,
                         fmt::format("{}._domainkey", slotName(slot)), rrtype::CNAME, target);
        !added) {
      return pass(added);
    }
    const auto set = std::find_if(published.begin(), published.end(), [&](const RRset& each) {
      return each.type == rrtype::TXT && each.owner.textNoDot() == target;
    });
    if (set != published.end() && !set->contents.empty()) {
      wanted.back().keyText = txtText(set->contents.front()).value_or("");
    }
  }
  auto bounce = add("bounces, so that SPF aligns", false, std::string(label::kBounce), rrtype::CNAME,
                    fmt::format("{}.{}.{}", domain.token, label::kReturnPath, platform.textNoDot()));
  if (!bounce) return pass(bounce);
  auto policy = add("policy, unless the domain has one", false, "_dmarc", rrtype::TXT,
                    fmt::format("v=DMARC1; p={}{}", dmarcPolicy, dmarcRua.empty() ? "" : "; rua=" + dmarcRua));
  if (!policy) return pass(policy);
  return wanted;
}

Document documentOfRecords(const std::vector<WantedRecord>& records) {
  Document list{Document::Array{}};
  for (const WantedRecord& record : records) {
    list.push(Document::object()
                  .set("purpose", record.purpose)
                  .set("required", record.required)
                  .set("host", registrarHost(record.name))
                  .set("name", record.name.textNoDot())
                  .set("type", record.type.text())
                  .set("value", record.value)
                  .set("state", record.live ? Document(word(record.live->state)) : Document())
                  .set("detail", record.live ? Document::orNull(record.live->detail) : Document()));
  }
  return list;
}

std::string tableOfRecords(const std::vector<WantedRecord>& records) {
  std::string text;
  for (const WantedRecord& record : records) {
    text += fmt::format("{} ({})\n  host   {}\n  type   {}\n  value  {}\n  name   {}\n", record.purpose,
                        record.required ? "needed" : "recommended", registrarHost(record.name), record.type.text(),
                        record.value, record.name.textNoDot());
    if (record.live) {
      text += fmt::format("  now    {}{}{}\n", word(record.live->state), record.live->detail.empty() ? "" : ": ",
                          record.live->detail);
    }
  }
  return text;
}

}  // namespace mailzone::cli
