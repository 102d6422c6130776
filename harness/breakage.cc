#include "harness/breakage.h"

#include <array>

namespace mailzone::harness {
namespace {

constexpr std::array<Breakage, 7> kBreakages{{
    {.name = "key",
     .what = "the published key of t1.shop.example is that of another domain",
     // An UPDATE of the public half alone, as a restore of one table would leave it.
     .sql =
         "UPDATE dkim_key SET public_key = (SELECT p FROM (SELECT public_key AS p FROM dkim_key WHERE assigned_at "
         "IS NULL LIMIT 1) AS spare) WHERE id IN (SELECT key_id FROM dkim_selector WHERE domain_id = (SELECT id FROM "
         "domain WHERE name = 't1.shop.example'))",
     .rows = "t1-*"},
    {.name = "body",
     .what = "the relay appends to the body of every mail",
     .rows = "*marketing",
     .relayChangesBodies = true},
    {.name = "spf",
     .what = "the platform's streams leave by a pool that has no address",
     .sql = "INSERT INTO ip_pool (platform_id, name) SELECT id, 'elsewhere' FROM platform; UPDATE stream SET pool_id = "
            "(SELECT id FROM ip_pool WHERE name = 'elsewhere') WHERE pool_id IS NOT NULL",
     .rows = "t1-*"},
    {.name = "ptr",
     .what = "the delegation of the platform's reverse zone is gone",
     .rows = "t1-webapp",
     .reverseZoneLost = true},
    {.name = "dmarc",
     .what = "custom.example has no _dmarc record at its own DNS",
     .rows = "custom-*",
     .customerWithoutDmarc = true},
    {.name = "backend", .what = "mailzone-backend is stopped", .rows = "t1-webapp", .kill = "mailzone-backend"},
    {.name = "signer", .what = "OpenDKIM is stopped", .rows = "t1-webapp", .kill = "opendkim"},
}};

}  // namespace

std::span<const Breakage> breakages() noexcept {
  return kBreakages;
}

Result<Breakage> breakageOf(std::string_view name) {
  std::string known;
  for (const Breakage& breakage : kBreakages) {
    if (breakage.name == name) return breakage;
    known += (known.empty() ? "" : ", ") + std::string(breakage.name);
  }
  return fail(Errc::invalidInput, name, "is nothing that can be broken", "there are: " + known);
}

}  // namespace mailzone::harness
