// A Resolver that is data: maps of records, a set of names that cannot be told, a set that DNSSEC vouches for.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/resolver.h"

namespace mailzone::testing {

struct FakeResolver final : Resolver {
  std::map<DnsName, std::vector<std::string>> txtRecords;
  std::map<DnsName, std::vector<IpAddress>> aRecords;
  std::map<DnsName, std::vector<IpAddress>> aaaaRecords;
  std::map<DnsName, std::vector<MailExchanger>> mxRecords;
  std::map<DnsName, std::vector<DnsName>> ptrRecords;
  std::map<DnsName, std::vector<DnsName>> nsRecords;
  std::map<DnsName, DnsName> cnameRecords;
  /// Names of which nothing can be told, whatever the type.
  std::set<DnsName> servfail;
  /// Names that exist without any record (empty non-terminals need not be listed).
  std::set<DnsName> empty;
  std::set<DnsName> secureNames;
  /// When set and true for a question, that one fails: for types that time out while others answer.
  std::function<bool(const DnsName&, RecordType)> fails;
  /// Every question asked, CNAMEs followed included.
  std::vector<std::pair<DnsName, RecordType>> asked;

  /// Parses or throws: a name in a test is always right.
  static DnsName name(std::string_view text) { return DnsName::parse(text).value(); }
  static IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

  Result<Answer<std::string>> txt(const DnsName& at) override { return look(txtRecords, at, rrtype::TXT); }
  Result<Answer<IpAddress>> a(const DnsName& at) override { return look(aRecords, at, rrtype::A); }
  Result<Answer<IpAddress>> aaaa(const DnsName& at) override { return look(aaaaRecords, at, rrtype::AAAA); }
  Result<Answer<MailExchanger>> mx(const DnsName& at) override { return look(mxRecords, at, rrtype::MX); }
  Result<Answer<DnsName>> ptr(const DnsName& at) override { return look(ptrRecords, at, rrtype::PTR); }
  Result<Answer<DnsName>> ns(const DnsName& at) override { return look(nsRecords, at, rrtype::NS); }
  Result<Answer<DnsName>> cname(const DnsName& at) override {
    std::map<DnsName, std::vector<DnsName>> records;
    if (const auto found = cnameRecords.find(at); found != cnameRecords.end()) records[at] = {found->second};
    return look(records, at, rrtype::CNAME);
  }

 private:
  template <class T>
  Result<Answer<T>> look(const std::map<DnsName, std::vector<T>>& records, const DnsName& at, RecordType type) {
    DnsName current = at;
    Answer<T> answer;
    answer.secure = true;
    for (int hops = 0; hops <= 8; ++hops) {
      asked.emplace_back(current, type);
      if (servfail.count(current) != 0 || (fails && fails(current, type))) {
        return fail(Errc::temporary, current.text(), "SERVFAIL");
      }
      answer.secure = answer.secure && secureNames.count(current) != 0;
      answer.canonicalName = current;
      const auto alias = cnameRecords.find(current);
      if (alias != cnameRecords.end() && type != rrtype::CNAME) {
        current = alias->second;
        continue;
      }
      if (const auto found = records.find(current); found != records.end()) answer.records = found->second;
      answer.nameExists = !answer.records.empty() || exists(current);
      answer.ttl = Ttl::of(300).value();
      return answer;
    }
    return fail(Errc::temporary, at.text(), "a loop of CNAME records");
  }

  /// A name exists when it, or a name below it, has a record (RFC 8020, RFC 4592 section 2.2.2).
  bool exists(const DnsName& at) const {
    const auto below = [&at](const auto& map) {
      for (const auto& [owner, records] : map) {
        if (owner.isAtOrBelow(at)) return true;
      }
      return false;
    };
    for (const auto& owner : empty) {
      if (owner.isAtOrBelow(at)) return true;
    }
    return below(txtRecords) || below(aRecords) || below(aaaaRecords) || below(mxRecords) || below(ptrRecords) ||
           below(nsRecords) || below(cnameRecords);
  }
};

}  // namespace mailzone::testing
