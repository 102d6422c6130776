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
     .sql = "",
     .rows = "*marketing",
     .relayChangesBodies = true},
    {.name = "spf",
     .what = "a static record v=spf1 -all stands at t1.shop.example",
     .sql = "INSERT INTO static_record (zone_id, owner, type, content) SELECT id, 't1.shop.example', 'TXT', "
            "'\"v=spf1 -all\"' FROM zone WHERE name = 'shop.example'",
     .rows = "t1-*"},
    {.name = "ptr",
     .what = "the delegation of the platform's reverse zone is gone",
     .sql = "",
     .rows = "t1-webapp",
     .reverseZoneLost = true},
    {.name = "dmarc",
     .what = "a static record without a policy stands at _dmarc.t1.shop.example",
     .sql = "INSERT INTO static_record (zone_id, owner, type, content) SELECT id, '_dmarc.t1.shop.example', 'TXT', "
            "'\"v=DMARC1 p=quarantine\"' FROM zone WHERE name = 'shop.example'",
     .rows = "t1-*"},
    {.name = "backend",
     .what = "mailzone-backend is stopped",
     .sql = "",
     .rows = "t1-webapp",
     .kill = "mailzone-backend"},
    {.name = "signer", .what = "OpenDKIM is stopped", .sql = "", .rows = "t1-webapp", .kill = "opendkim"},
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
