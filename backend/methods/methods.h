// The methods of the remote protocol, one function and one file each. A method appends the value of `result`.
#pragma once

#include <string>

#include "backend/replica.h"
#include "backend/request.h"

namespace mailzone::backend {

/// A method asked of a filled replica at one moment. An Error becomes a reply without `result`.
struct Call {
  const Request& request;
  Replica::Reader& replica;
  std::string& out;
};

[[nodiscard]] Result<void> lookup(Call call);
[[nodiscard]] Result<void> list(Call call);
[[nodiscard]] Result<void> getAllDomains(Call call);
[[nodiscard]] Result<void> getDomainInfo(Call call);
[[nodiscard]] Result<void> getDomainMetadata(Call call);
[[nodiscard]] Result<void> getAllDomainMetadata(Call call);

/// Why a method of PowerDNS is answered `false`; "" for a name that is no method of PowerDNS.
[[nodiscard]] std::string_view refusal(std::string_view method) noexcept;

/// {"id":…,"zone":…,…} as getDomainInfo and getAllDomains tell it.
void appendDomainInfo(std::string& out, const ServedZone& zone);
/// ["a","b"]
void appendValues(std::string& out, const std::vector<std::string>& values);
/// The zone whose apex is the request's `name`.
[[nodiscard]] Result<std::optional<ServedZone>> zoneNamed(const Call& call, std::string_view parameter);
/// The canonical key of a name as PowerDNS writes it, in whatever case.
[[nodiscard]] Result<std::string> canonicalKeyOf(std::string_view name);
/// The Error of what Reader found, if it is one.
[[nodiscard]] Result<void> tellable(Found found, std::string_view name);

}  // namespace mailzone::backend
