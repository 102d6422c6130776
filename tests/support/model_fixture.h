// A platform with every kind of thing in it, as values: shop.example with its zones, pools, relays, tenants, customers'
// domains, departed names and records that an operator wrote. What its zones must say stands in tests/golden/zonegen.
#pragma once

#include <map>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "zonegen/merge.h"
#include "zonegen/zonegen.h"

namespace mailzone::test {

struct Model {
  PlatformContext context;
  std::vector<Domain> domains;
  std::vector<Departed> departed;
  std::vector<StaticRecord> staticRecords;
};

/// Throws std::logic_error when a literal of the fixture itself is wrong.
[[nodiscard]] Model modelFixture();

/// Tokens of the fixture's domains: 32 times the digit.
[[nodiscard]] std::string token(char digit);
/// DnsName::parse for literals.
[[nodiscard]] DnsName name(std::string_view text);
/// A SubjectPublicKeyInfo of an RSA-2048 key by its form; the modulus is made of `seed`, nobody has the private half.
[[nodiscard]] PublicKey rsaKey(unsigned seed);

/// Everything that zonegen makes of the model, by zone and merged, in canonical order: each zone whole, with its SOA.
/// The first Error of any source fails the whole.
[[nodiscard]] Result<std::map<ZoneId, std::vector<RRset>>> wholeZones(const Model& model);

}  // namespace mailzone::test
