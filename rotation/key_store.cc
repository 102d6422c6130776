#include "rotation/key_store.h"

#include "rotation/key_generation.h"

namespace mailzone::rotation {

Result<KeyId> DatabaseKeyStore::insertKey(const tenantdb::NewKey& key) {
  return store_.insertKey(key);
}
Result<std::int64_t> DatabaseKeyStore::spareCount() {
  return store_.spareCount(KeyAlgorithm::rsaSha256, kRsaBits);
}
Result<std::vector<tenantdb::KeyNeed>> DatabaseKeyStore::domainsLackingKeys(std::int64_t limit) {
  return store_.domainsLackingKeys(limit);
}
Result<std::optional<tenantdb::SelectorRow>> DatabaseKeyStore::assignSpare(DomainId domain, Slot slot, TimePoint now) {
  return store_.assignSpare(domain, slot, KeyAlgorithm::rsaSha256, kRsaBits, now);
}
Result<std::vector<tenantdb::SelectorRow>> DatabaseKeyStore::slots(DomainId domain) {
  return store_.slots(domain);
}
Result<std::vector<tenantdb::SelectorRow>> DatabaseKeyStore::pendingSelectors(std::int64_t limit) {
  return store_.pendingSelectors(limit);
}
Result<std::int64_t> DatabaseKeyStore::setFact(SelectorId id, std::int64_t generation, tenantdb::KeyFact fact,
                                               TimePoint at) {
  return store_.setFact(id, generation, fact, at);
}
Result<std::int64_t> DatabaseKeyStore::activate(SelectorId id, std::int64_t generation, TimePoint at) {
  return store_.activate(id, generation, at);
}
Result<std::vector<tenantdb::DepartedProgress>> DatabaseKeyStore::departedInProgress() {
  return store_.departedInProgress();
}
Result<void> DatabaseKeyStore::markRevoked(DepartedId id, TimePoint at) {
  return store_.markRevoked(id, at);
}
Result<void> DatabaseKeyStore::markGone(DepartedId id, TimePoint at) {
  return store_.markGone(id, at);
}
Result<void> DatabaseKeyStore::destroyPrivateKey(KeyId id, TimePoint at) {
  return store_.destroyPrivateKey(id, at);
}
Result<void> DatabaseKeyStore::eachSigningRow(const std::function<void(tenantdb::SigningRow)>& onRow) {
  return store_.eachSigningRow(onRow);
}
Result<std::string> DatabaseKeyStore::signingFingerprint() {
  return store_.signingFingerprint();
}

}  // namespace mailzone::rotation
