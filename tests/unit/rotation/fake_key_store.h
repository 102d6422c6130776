// A KeyStore in memory. Every call may be made to fail once (failAt), to show that a crash or an outage at any step is
// only another input.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rotation/key_store.h"

namespace mailzone::rotation::testing {

class FakeKeyStore final : public KeyStore {
 public:
  struct DomainRow {
    DnsName name;
    bool signsOwn = true;
    std::set<Slot> held;  ///< slots that a departed row of the name still holds
  };
  std::map<std::int64_t, DomainRow> domains;
  std::vector<tenantdb::SelectorRow> selectors;
  std::map<std::int64_t, std::string> privateKeys;
  std::set<std::int64_t> spares;
  struct DepartedRow {
    tenantdb::DepartedProgress progress;
    bool gone = false;
  };
  std::vector<DepartedRow> departed;
  std::vector<tenantdb::SigningRow> extraRows;  ///< handed out once, after the computed ones
  int failAt = 0;                               ///< number of the call that fails, from 1; 0: none
  Errc failWith = Errc::unavailable;
  int calls = 0;
  bool unreachable = false;

  DomainId addDomain(std::string_view name) {
    const auto id = static_cast<std::int64_t>(domains.size() + 1);
    domains.insert({id, {DnsName::parse(name).value(), true, {}}});
    return DomainId{id};
  }
  void addSpare() {
    const std::int64_t id = nextKey_++;
    spares.insert(id);
    privateKeys[id] = "private " + std::to_string(id);
  }
  [[nodiscard]] const tenantdb::SelectorRow* at(DomainId domain, Slot slot) const {
    for (const auto& row : selectors) {
      if (row.domain == domain && row.slot == slot && !row.emptiedAt) return &row;
    }
    return nullptr;
  }

  Result<KeyId> insertKey(const tenantdb::NewKey& key) override {
    if (auto step = enter(); !step) return pass(step);
    const std::int64_t id = nextKey_++;
    spares.insert(id);
    privateKeys[id] = std::string(key.privatePem.reveal());
    return KeyId{id};
  }
  Result<std::int64_t> spareCount() override {
    if (auto step = enter(); !step) return pass(step);
    return static_cast<std::int64_t>(spares.size());
  }
  Result<std::vector<tenantdb::KeyNeed>> domainsLackingKeys(std::int64_t limit) override {
    if (auto step = enter(); !step) return pass(step);
    std::vector<tenantdb::KeyNeed> needs;
    for (const auto& [id, row] : domains) {
      tenantdb::KeyNeed need{DomainId{id}, row.name, DomainKind::subdomain, {}, hasActive(DomainId{id})};
      for (const Slot slot : kSlots) {
        if (at(DomainId{id}, slot) == nullptr && row.held.count(slot) == 0) need.emptySlots.push_back(slot);
      }
      if (!need.emptySlots.empty()) needs.push_back(need);
    }
    std::stable_sort(needs.begin(), needs.end(),
                     [](const auto& a, const auto& b) { return !a.hasActiveKey && b.hasActiveKey; });
    if (static_cast<std::int64_t>(needs.size()) > limit) needs.resize(static_cast<std::size_t>(limit));
    return needs;
  }
  Result<std::optional<tenantdb::SelectorRow>> assignSpare(DomainId domain, Slot slot, TimePoint now) override {
    if (auto step = enter(); !step) return pass(step);
    const auto row = domains.find(raw(domain));
    if (row == domains.end() || at(domain, slot) != nullptr || row->second.held.count(slot) != 0) {
      return fail(Errc::conflict, slotName(slot), "the slot is filled");
    }
    if (spares.empty()) return std::nullopt;
    tenantdb::SelectorRow selector;
    selector.id = SelectorId{nextSelector_++};
    selector.domain = domain;
    selector.domainName = row->second.name;
    selector.slot = slot;
    selector.key = KeyId{*spares.begin()};
    selector.publicKey = publicKeyOf(*spares.begin());
    selector.generatedAt = now - std::chrono::hours{1};  // the key's own time: it was a spare
    spares.erase(spares.begin());
    selectors.push_back(selector);
    return selector;
  }
  Result<std::vector<tenantdb::SelectorRow>> slots(DomainId domain) override {
    if (auto step = enter(); !step) return pass(step);
    std::vector<tenantdb::SelectorRow> rows;
    for (const Slot slot : kSlots) {
      if (const auto* row = at(domain, slot)) rows.push_back(*row);
    }
    return rows;
  }
  Result<std::vector<tenantdb::SelectorRow>> pendingSelectors(std::int64_t) override {
    if (auto step = enter(); !step) return pass(step);
    std::vector<tenantdb::SelectorRow> rows;
    for (const auto& row : selectors) {
      if (!row.emptiedAt && (!row.publishedAt || !row.provenAt || !hasActive(row.domain))) rows.push_back(row);
    }
    return rows;
  }
  Result<std::int64_t> setFact(SelectorId id, std::int64_t generation, tenantdb::KeyFact fact, TimePoint at) override {
    if (auto step = enter(); !step) return pass(step);
    auto* row = find(id, generation);
    if (row == nullptr) return fail(Errc::temporary, {}, "another generation");
    switch (fact) {
      case tenantdb::KeyFact::published:
        row->publishedAt = at;
        break;
      case tenantdb::KeyFact::proven:
        row->provenAt = at;
        break;
      case tenantdb::KeyFact::activated:
        row->activatedAt = at;
        break;
      case tenantdb::KeyFact::drained:
        row->drainedAt = at;
        break;
      case tenantdb::KeyFact::revoked:
        row->revokedAt = at;
        break;
      case tenantdb::KeyFact::emptied:
        row->emptiedAt = at;
        break;
    }
    return ++row->generation;
  }
  Result<std::int64_t> activate(SelectorId id, std::int64_t generation, TimePoint at) override {
    if (auto step = enter(); !step) return pass(step);
    auto* row = find(id, generation);
    if (row == nullptr) return fail(Errc::temporary, {}, "another generation");
    for (auto& other : selectors) {
      if (other.domain == row->domain) other.active = false;
    }
    row->active = true;
    row->activatedAt = at;
    return ++row->generation;
  }
  Result<std::vector<tenantdb::DepartedProgress>> departedInProgress() override {
    if (auto step = enter(); !step) return pass(step);
    std::vector<tenantdb::DepartedProgress> rows;
    for (const auto& row : departed) {
      if (!row.gone) rows.push_back(row.progress);
    }
    return rows;
  }
  Result<void> markRevoked(DepartedId id, TimePoint at) override {
    if (auto step = enter(); !step) return step;
    for (auto& row : departed) {
      if (row.progress.id == id) row.progress.revokedAt = at;
    }
    return {};
  }
  Result<void> markGone(DepartedId id, TimePoint) override {
    if (auto step = enter(); !step) return step;
    for (auto& row : departed) {
      if (row.progress.id == id) row.gone = true;
    }
    return {};
  }
  Result<void> destroyPrivateKey(KeyId id, TimePoint) override {
    if (auto step = enter(); !step) return step;
    privateKeys.erase(raw(id));
    return {};
  }
  Result<void> eachSigningRow(const std::function<void(tenantdb::SigningRow)>& onRow) override {
    if (auto step = enter(); !step) return step;
    for (const auto& row : selectors) {
      if (!row.active) continue;
      const std::string name = row.domainName.textNoDot();
      onRow({name == "sig.shop.example" ? "common" : name, name, name, std::string(slotName(row.slot)), row.key,
             Secret(std::string(privateKeys[raw(row.key)]))});
    }
    for (auto& row : std::exchange(extraRows, {})) onRow(std::move(row));
    // An outage in the middle of the rows.
    return enter();
  }
  Result<std::string> signingFingerprint() override {
    if (auto step = enter(); !step) return pass(step);
    std::string text;
    for (const auto& row : selectors) {
      if (row.active) text += row.domainName.text() + std::to_string(raw(row.key)) + "\n";
    }
    return text;
  }

  static PublicKey publicKeyOf(std::int64_t key);

 private:
  Result<void> enter() {
    if (unreachable || ++calls == failAt) return fail(failWith, "database", "made to fail");
    return {};
  }
  [[nodiscard]] bool hasActive(DomainId domain) const {
    return std::any_of(selectors.begin(), selectors.end(),
                       [&](const auto& row) { return row.domain == domain && row.active; });
  }
  tenantdb::SelectorRow* find(SelectorId id, std::int64_t generation) {
    for (auto& row : selectors) {
      if (row.id == id && row.generation == generation) return &row;
    }
    return nullptr;
  }

  std::int64_t nextKey_ = 1, nextSelector_ = 1;
};

}  // namespace mailzone::rotation::testing
