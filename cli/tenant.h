// Pieces of the tenant verbs that the bulk form shares.
#pragma once

#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/verb.h"

namespace mailzone::cli {

/// A tenant with its subdomain.
struct TenantView {
  tenantdb::TenantRow row;
  tenantdb::DomainRow domain;
};
[[nodiscard]] Result<std::optional<TenantView>> tenantView(Context& context, PlatformId platform,
                                                           const std::string& slug);
[[nodiscard]] Document documentOfTenant(const TenantView& tenant);
[[nodiscard]] Result<tenantdb::PlatformRow> platformRow(Context& context, PlatformId platform);
[[nodiscard]] Result<DnsName> platformName(Context& context, PlatformId platform);

/// Checks the fields of one tenant to be: slug, external_id, signing, dmarc_policy; "" is "not given".
struct TenantFields {
  std::string slug, externalId, signing, dmarcPolicy;
};
[[nodiscard]] Result<tenantdb::NewTenant> readTenant(const TenantFields& fields, const DnsName& platform);
/// What the tenant that is there has otherwise than wanted, in words; "" for nothing.
/// A row's DMARC policy is the platform's where the domain has none of its own.
[[nodiscard]] std::string differencesOf(const TenantView& present, const tenantdb::NewTenant& wanted,
                                        const std::string& platformPolicy);

/// `tenant add --from FILE`
[[nodiscard]] Result<Report> addTenantsFrom(Context& context, const std::string& file, bool ifNotExists);

/// What is not yet so that a tenant's mail would authenticate: one sentence each; empty when all is.
[[nodiscard]] Result<std::vector<std::string>> missingForMail(Context& context, PlatformId platform,
                                                              const std::string& slug);

}  // namespace mailzone::cli
