// The secret half of the tenant database: DKIM private keys and the life of the keys. Linked by mailzone-rotate and
// mailzone only; what faces DNS has neither this code nor an SQL grant (cmake/layers.cmake, docs/sql-contract.md).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/model.h"
#include "core/result.h"
#include "core/secret.h"
#include "system/sql.h"

namespace mailzone::tenantdb {

/// A key pair just made. It enters the pool of spares.
struct NewKey {
  KeyAlgorithm algorithm = KeyAlgorithm::rsaSha256;
  int bits = 2048;
  std::string publicBase64;  ///< as PublicKey::base64
  std::string fingerprint;   ///< SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hexadecimal digits
  TimePoint generatedAt;
  Secret privatePem;
};

/// A row of dkim_selector with its key's public half: what stands in one slot of one domain. Times are facts.
struct SelectorRow {
  SelectorId id{};
  DomainId domain{};
  DnsName domainName;
  Slot slot = Slot::mz1;
  KeyId key{};
  PublicKey publicKey;
  std::int64_t generation = 1;  ///< rises with every fact: compare-and-set on it
  std::optional<TimePoint> generatedAt, publishedAt, provenAt, activatedAt, drainedAt, revokedAt, emptiedAt;
  std::optional<std::string> owner;  ///< the worker that holds the lease
  std::optional<TimePoint> leaseUntil;
  bool active = false;  ///< active_key points here
};

/// The facts of a selector's life, in their order.
enum class KeyFact { published, proven, activated, drained, revoked, emptied };

/// A domain that has fewer than two live slots.
struct KeyNeed {
  DomainId domain{};
  DnsName name;
  DomainKind kind = DomainKind::subdomain;
  std::vector<Slot> emptySlots;  ///< that may be filled: no departed row of the name still holds them
  bool hasActiveKey = false;     ///< those without come first
};

/// One row of the signing view. The same rows as the MySQL view `signing`.
struct SigningRow {
  std::string name;      ///< envelope domain, or "common"
  std::string author;    ///< whose From: the envelope may carry (envelope_domain.author), whoever signs
  std::string d;         ///< d= of the signature
  std::string selector;  ///< s=
  KeyId key{};
  Secret privatePem;
};

/// A departed row that is not gone, with the times that its platform gives it.
struct DepartedProgress {
  DepartedId id{};
  std::string name;
  std::optional<KeyId> mz1, mz2;
  TimePoint leftAt;
  std::optional<TimePoint> revokedAt;
  std::chrono::seconds drain{0};   ///< from leftAt on it answers as before
  std::chrono::seconds revoke{0};  ///< from revokedAt on its keys are empty
};

/// One connection (role keys or admin; SQLite: with secretsPath), one thread. Every write is one transaction.
class SecretStore {
 public:
  explicit SecretStore(sql::Connection& connection) : connection_(connection) {}

  // The pool of spares.
  [[nodiscard]] Result<KeyId> insertKey(const NewKey& key);
  [[nodiscard]] Result<std::int64_t> spareCount(KeyAlgorithm algorithm, int bits);

  // Domains and their slots.
  /// At most `limit` domains that lack a key in a slot, those without an active key first, then by id.
  [[nodiscard]] Result<std::vector<KeyNeed>> domainsLackingKeys(std::int64_t limit);
  /// Takes one spare of the pool for the slot, atomically: whatever else runs, a spare goes to one slot. nullopt: the
  /// pool is empty. Errc::conflict: the slot is filled already (another worker was first), or the domain is gone.
  [[nodiscard]] Result<std::optional<SelectorRow>> assignSpare(DomainId domain, Slot slot, KeyAlgorithm algorithm,
                                                               int bits, TimePoint now);
  /// Live selectors (not emptied) of one domain, by slot.
  [[nodiscard]] Result<std::vector<SelectorRow>> slots(DomainId domain);
  /// Live selectors that lack `published` or `proven`, or that are proven while their domain has no active key; by id.
  [[nodiscard]] Result<std::vector<SelectorRow>> pendingSelectors(std::int64_t limit);
  /// Every live selector, by domain name and slot: `mailzone key list`.
  [[nodiscard]] Result<void> eachSelector(const std::function<void(const SelectorRow&)>& onSelector);

  // The life of a key. Compare-and-set: Errc::temporary when the row has another generation by now (read it again);
  // the new generation otherwise.
  [[nodiscard]] Result<std::int64_t> setFact(SelectorId id, std::int64_t generation, KeyFact fact, TimePoint at);
  /// Sets activated_at and makes the selector the domain's active key. The one that was active before keeps its row: it
  /// drains from now on.
  [[nodiscard]] Result<std::int64_t> activate(SelectorId id, std::int64_t generation, TimePoint at);
  /// A committed lease: true when `worker` holds it now until `until`; false when another worker's runs on.
  [[nodiscard]] Result<bool> claim(SelectorId id, std::int64_t generation, const std::string& worker, TimePoint now,
                                   TimePoint until);

  // Private halves.
  [[nodiscard]] Result<std::optional<Secret>> privateKey(KeyId id);
  /// Deletes the private half and writes dkim_key.destroyed_at. Errc::conflict while a domain signs with it.
  [[nodiscard]] Result<void> destroyPrivateKey(KeyId id, TimePoint at);
  /// All rows of the signing view, by name.
  [[nodiscard]] Result<void> eachSigningRow(const std::function<void(SigningRow)>& onRow);
  /// A text that is equal as long as eachSigningRow would give the same rows: cheap, without private keys.
  [[nodiscard]] Result<std::string> signingFingerprint();

  // What departed.
  [[nodiscard]] Result<std::vector<DepartedProgress>> departedInProgress();
  [[nodiscard]] Result<void> markRevoked(DepartedId id, TimePoint at);
  [[nodiscard]] Result<void> markGone(DepartedId id, TimePoint at);

 private:
  sql::Connection& connection_;
};

}  // namespace mailzone::tenantdb
