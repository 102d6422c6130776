// What the keeper and the export need of a store. tenantdb::SecretStore is the real one; tests have one in memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "tenantdb/secret/secret_store.h"

namespace mailzone::rotation {

/// One thread. Each write is one transaction; the contract of every function is that of tenantdb::SecretStore.
class KeyStore {
 public:
  virtual ~KeyStore() = default;

  [[nodiscard]] virtual Result<KeyId> insertKey(const tenantdb::NewKey& key) = 0;
  [[nodiscard]] virtual Result<std::int64_t> spareCount() = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::KeyNeed>> domainsLackingKeys(std::int64_t limit) = 0;
  [[nodiscard]] virtual Result<std::optional<tenantdb::SelectorRow>> assignSpare(DomainId domain, Slot slot,
                                                                                 TimePoint now) = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::SelectorRow>> slots(DomainId domain) = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::SelectorRow>> pendingSelectors(std::int64_t limit) = 0;
  [[nodiscard]] virtual Result<std::int64_t> setFact(SelectorId id, std::int64_t generation, tenantdb::KeyFact fact,
                                                     TimePoint at) = 0;
  [[nodiscard]] virtual Result<std::int64_t> activate(SelectorId id, std::int64_t generation, TimePoint at) = 0;
  [[nodiscard]] virtual Result<std::vector<tenantdb::DepartedProgress>> departedInProgress() = 0;
  [[nodiscard]] virtual Result<void> markRevoked(DepartedId id, TimePoint at) = 0;
  [[nodiscard]] virtual Result<void> markGone(DepartedId id, TimePoint at) = 0;
  [[nodiscard]] virtual Result<void> destroyPrivateKey(KeyId id, TimePoint at) = 0;

  [[nodiscard]] virtual Result<void> eachSigningRow(const std::function<void(tenantdb::SigningRow)>& onRow) = 0;
  [[nodiscard]] virtual Result<std::string> signingFingerprint() = 0;
};

/// RSA-2048 spares of the tenant database.
class DatabaseKeyStore final : public KeyStore {
 public:
  explicit DatabaseKeyStore(sql::Connection& connection) : store_(connection) {}

  [[nodiscard]] Result<KeyId> insertKey(const tenantdb::NewKey& key) override;
  [[nodiscard]] Result<std::int64_t> spareCount() override;
  [[nodiscard]] Result<std::vector<tenantdb::KeyNeed>> domainsLackingKeys(std::int64_t limit) override;
  [[nodiscard]] Result<std::optional<tenantdb::SelectorRow>> assignSpare(DomainId domain, Slot slot,
                                                                         TimePoint now) override;
  [[nodiscard]] Result<std::vector<tenantdb::SelectorRow>> slots(DomainId domain) override;
  [[nodiscard]] Result<std::vector<tenantdb::SelectorRow>> pendingSelectors(std::int64_t limit) override;
  [[nodiscard]] Result<std::int64_t> setFact(SelectorId id, std::int64_t generation, tenantdb::KeyFact fact,
                                             TimePoint at) override;
  [[nodiscard]] Result<std::int64_t> activate(SelectorId id, std::int64_t generation, TimePoint at) override;
  [[nodiscard]] Result<std::vector<tenantdb::DepartedProgress>> departedInProgress() override;
  [[nodiscard]] Result<void> markRevoked(DepartedId id, TimePoint at) override;
  [[nodiscard]] Result<void> markGone(DepartedId id, TimePoint at) override;
  [[nodiscard]] Result<void> destroyPrivateKey(KeyId id, TimePoint at) override;
  [[nodiscard]] Result<void> eachSigningRow(const std::function<void(tenantdb::SigningRow)>& onRow) override;
  [[nodiscard]] Result<std::string> signingFingerprint() override;

 private:
  tenantdb::SecretStore store_;
};

}  // namespace mailzone::rotation
