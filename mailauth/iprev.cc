#include "mailauth/iprev.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailzone::mailauth {

IprevResult checkIprev(const IpAddress& given, Resolver& resolver) {
  IprevResult result;
  const auto client = given.unmapped();
  const auto reverse = client.reverseName();
  const auto pointers = resolver.ptr(reverse);
  if (!pointers) {
    result.verdict = Verdict::temperror;
    result.reason = fmt::format("{} could not be looked up: {}", reverse.textNoDot(), describe(pointers.error()));
    return result;
  }
  if (pointers->records.empty()) {
    result.reason = reverse.textNoDot() + " has no PTR record";
    return result;
  }
  result.names = pointers->records;
  if (result.names.size() > kIprevNames) result.names.resize(kIprevNames);
  std::string unknown;
  for (const auto& name : result.names) {
    const auto answer = client.isV4() ? resolver.a(name) : resolver.aaaa(name);
    if (!answer) {
      unknown = fmt::format("{} could not be looked up: {}", name.textNoDot(), describe(answer.error()));
      continue;
    }
    if (std::find(answer->records.begin(), answer->records.end(), client) != answer->records.end()) {
      result.verdict = Verdict::pass;
      result.name = name;
      result.reason = fmt::format("{} is {} and back", client.text(), name.textNoDot());
      return result;
    }
  }
  // One name that cannot be told may have been the one that leads back: that is no "no".
  result.verdict = unknown.empty() ? Verdict::fail : Verdict::temperror;
  result.reason = unknown.empty() ? fmt::format("{} says {}, which does not lead back to {}", reverse.textNoDot(),
                                                result.names.front().textNoDot(), client.text())
                                  : unknown;
  return result;
}

}  // namespace mailzone::mailauth
