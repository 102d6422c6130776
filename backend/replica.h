// The replica: every answer of the platform in one LMDB file, so that DNS goes on while the database is away.
//
// Keys are the zone's id (big-endian) and the owner's canonical key, so that a zone is one range in DNSSEC order. Each
// value carries a checksum over key and value: LMDB itself serves a flipped page silently. A file that fails in any way
// is `broken` as a whole and never answered from again; the follower makes a new one.
//
// Two generations of tables stand side by side. A full fill writes into the idle one, then switches one number; readers
// keep the old one until that moment.
//
// Threads: one Writer at a time; any number of Readers, each used by one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/lmdb.h"
#include "backend/node.h"
#include "backend/source_id.h"
#include "core/dns_name.h"
#include "core/model.h"
#include "core/result.h"
#include "zonegen/zonegen.h"

namespace mailzone::backend {

/// Zone id and canonical name: at most 4 + 507 octets, and LMDB allows 511.
[[nodiscard]] std::string nodeKey(std::int32_t zoneId, std::string_view canonicalName);

/// Up to where in the feed the replica has followed.
struct Position {
  std::int64_t seq = 0;
  std::string nonce;  ///< of the change_log row at seq; "" when there was none
  friend bool operator==(const Position&, const Position&) = default;
};

/// A zone as PowerDNS is told of it.
struct ServedZone {
  std::int32_t id = 0;
  DnsName name;
  std::uint32_t serial = 0;                                  ///< as served: the database's serial and serialOffset
  std::uint32_t serialOffset = 0;                            ///< not 0 once the database was restored to an older state
  std::map<std::string, std::vector<std::string>> metadata;  ///< by kind
  friend bool operator==(const ServedZone&, const ServedZone&) = default;
};

/// A source that cannot be served as its row says.
struct BadSource {
  SourceId source;
  std::string where;   ///< "" for the whole source, or the owner name at which it lost
  std::string reason;  ///< one line: value, rule, remedy
  friend bool operator==(const BadSource&, const BadSource&) = default;
};

/// Version of the stored form. A file of another one is filled anew.
inline constexpr std::uint32_t kReplicaFormat = 1;

class Replica {
 public:
  class Reader;
  class Writer;
  struct Options {
    std::size_t mapBytes = std::size_t{1} << 40;  ///< address space only: the file grows as it is filled
    bool durable = true;                          ///< each commit waits for the disk
  };

  /// Opens or makes the file in `folder` (which is made, mode 0750). Errc::conflict: another process has it open.
  /// A file that cannot be used (truncated, another format, not LMDB) is moved aside to a new empty one.
  [[nodiscard]] static Result<std::shared_ptr<Replica>> open(const std::string& folder, const Options& options);
  [[nodiscard]] static Result<std::shared_ptr<Replica>> open(const std::string& folder) {
    return open(folder, Options{});
  }
  /// Takes the place of a broken one in the same folder, empty; the old one's readers keep their mapping.
  [[nodiscard]] Result<std::shared_ptr<Replica>> replace();
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// Answers come from a completed fill and nothing was found broken.
  [[nodiscard]] bool ready() const noexcept { return filled() && !broken(); }
  [[nodiscard]] bool filled() const noexcept { return generation_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] bool broken() const noexcept { return broken_.load(std::memory_order_relaxed); }
  void setBroken() noexcept { broken_.store(true, std::memory_order_relaxed); }
  /// Looks whether the file is still there and whole; else setBroken().
  void checkFile() noexcept;

 private:
  /// The tables of one generation.
  struct Tables {
    MDB_dbi nodes = 0, zones = 0, zoneNames = 0, sources = 0, bad = 0;
  };
  friend class Reader;
  friend class Writer;
  Replica(lmdb::Environment env, std::string folder, Options options, std::shared_ptr<int> lock);
  [[nodiscard]] static Result<std::shared_ptr<Replica>> openLocked(const std::string& folder, const Options& options,
                                                                   std::shared_ptr<int> lock);
  [[nodiscard]] Result<void> load();

  lmdb::Environment env_;
  std::string folder_;
  Options options_;
  std::shared_ptr<int> lock_;
  MDB_dbi meta_ = 0;
  std::array<Tables, 2> tables_;
  std::atomic<std::uint64_t> generation_{0};  ///< 0: never filled; its tables are generation % 2
  std::atomic<std::uint64_t> markers_{0};     ///< names with kCannotTell in the live generation
  std::atomic<bool> broken_{false};
};

/// Reads one moment at a time: begin(), questions, end(). Keep it: a begin() costs a tenth of a microsecond.
class Replica::Reader {
 public:
  [[nodiscard]] static Result<Reader> open(std::shared_ptr<Replica> replica);
  Reader(Reader&&) noexcept = default;
  Reader& operator=(Reader&&) noexcept = default;

  [[nodiscard]] const Replica& replica() const noexcept { return *replica_; }
  /// False: not filled, broken, or LMDB refuses. Nothing may be asked then.
  [[nodiscard]] bool begin() noexcept;
  void end() noexcept {
    if (active_) txn_.reset();
    active_ = false;
  }

  /// Appends records as JSON objects (see appendJson). `canonicalName` need not exist.
  [[nodiscard]] Found lookup(std::int32_t zoneId, std::string_view canonicalName, RecordType type, std::string& out);
  /// Appends the whole zone.
  [[nodiscard]] Found transfer(std::int32_t zoneId, std::string& out);
  /// The zone whose apex this is. Error: broken.
  [[nodiscard]] Result<std::optional<std::int32_t>> zoneAt(std::string_view canonicalName);
  [[nodiscard]] Result<std::optional<ServedZone>> zone(std::int32_t zoneId);
  [[nodiscard]] Result<void> eachZone(const std::function<void(const ServedZone&)>& onZone);

  // For the follower, status and tests.
  [[nodiscard]] Result<std::vector<BadSource>> badSources();
  [[nodiscard]] Result<Position> position();
  /// Every node as stored, in order: two replicas of the same rows are equal.
  [[nodiscard]] Result<void> eachNode(const std::function<void(std::string_view key, const Node& node)>& onNode);

 private:
  Reader(std::shared_ptr<Replica> replica, lmdb::Transaction txn)
      : replica_(std::move(replica)), txn_(std::move(txn)) {}
  [[nodiscard]] const Tables& tables() const noexcept { return replica_->tables_[generation_ % 2]; }
  [[nodiscard]] Found broken() noexcept {
    replica_->setBroken();
    return Found::broken;
  }
  /// The payload at a key; a checksum that does not fit makes the replica broken.
  [[nodiscard]] Result<std::optional<std::string_view>> get(MDB_dbi dbi, std::string_view key);
  [[nodiscard]] Found belowMarker(std::int32_t zoneId, std::string_view canonicalName);

  std::shared_ptr<Replica> replica_;
  lmdb::Transaction txn_;
  std::uint64_t generation_ = 0;
  bool active_ = false;
};

/// One write transaction. Nothing is visible before commit(); without it nothing happened.
class Replica::Writer {
 public:
  /// Into the live tables.
  [[nodiscard]] static Result<Writer> begin(Replica& replica) { return begin(replica, false, false); }
  /// Into the idle tables, emptied first.
  [[nodiscard]] static Result<Writer> beginFill(Replica& replica) { return begin(replica, true, true); }
  /// Into the idle tables, going on.
  [[nodiscard]] static Result<Writer> continueFill(Replica& replica) { return begin(replica, true, false); }
  Writer(Writer&&) noexcept = default;
  Writer& operator=(Writer&&) noexcept = default;

  /// All zones there are: others are forgotten. A served serial never falls (RFC 1982): see ServedZone::serialOffset.
  /// `raise`: the database is another one than before, so every serial has to rise above what was served.
  /// Returns those whose row, as served, differs from before.
  [[nodiscard]] Result<std::vector<ServedZone>> setZones(std::span<const ServedZone> zones, bool raise = false);
  [[nodiscard]] Result<std::optional<ServedZone>> zone(std::int32_t zoneId);
  /// What the live tables know of the zone (while filling: the generation before).
  [[nodiscard]] Result<std::optional<ServedZone>> liveZone(std::int32_t zoneId) { return zoneFrom(live(), zoneId); }

  /// The source's records from now on (none: it is gone). An Error of Errc::invalidInput is the source's own fault (a
  /// zone that is not ours, a name outside its zone, an alias beside other data): nothing of it has changed.
  [[nodiscard]] Result<void> apply(SourceId source, std::span<const zonegen::ZoneRRset> records);
  /// The source cannot be derived: its last good records stay (while filling they are taken over from the live tables).
  /// If it never had any, each of `names` answers "cannot tell".
  [[nodiscard]] Result<void> setBad(SourceId source, const Error& why, std::span<const DnsName> names);
  /// The sources of the live tables.
  [[nodiscard]] Result<std::vector<SourceId>> liveSources();

  [[nodiscard]] Result<void> setPosition(const Position& position);
  [[nodiscard]] Result<void> commit();
  /// commit(), and the filled tables are the live ones.
  [[nodiscard]] Result<void> commitFill();

 private:
  struct SourceRow;
  using Key = std::string;
  using Keyed = std::pair<Key, Contribution>;
  Writer(Replica& replica, lmdb::Transaction txn, bool filling)
      : replica_(&replica), txn_(std::move(txn)), filling_(filling) {}
  [[nodiscard]] static Result<Writer> begin(Replica& replica, bool filling, bool clear);
  [[nodiscard]] std::size_t liveSlot() const noexcept { return replica_->generation_.load() % 2; }
  [[nodiscard]] std::size_t targetSlot() const noexcept { return filling_ ? 1 - liveSlot() : liveSlot(); }
  [[nodiscard]] const Tables& target() const noexcept { return replica_->tables_[targetSlot()]; }
  [[nodiscard]] const Tables& live() const noexcept { return replica_->tables_[liveSlot()]; }

  [[nodiscard]] Result<std::optional<std::string>> get(MDB_dbi dbi, std::string_view key);
  [[nodiscard]] Result<void> put(MDB_dbi dbi, std::string_view key, std::string_view payload);
  [[nodiscard]] Result<std::optional<Node>> node(MDB_dbi dbi, const Key& key);
  [[nodiscard]] Result<SourceRow> sourceRow(MDB_dbi dbi, SourceId source);
  [[nodiscard]] Result<std::optional<ServedZone>> zoneFrom(const Tables& tables, std::int32_t zoneId);
  [[nodiscard]] Result<std::optional<ServedZone>> zoneBefore(const ServedZone& zone);
  [[nodiscard]] Result<Key> apexKey(std::int32_t zoneId);
  [[nodiscard]] Result<std::optional<Key>> keyOf(const DnsName& name);
  [[nodiscard]] Result<std::vector<Keyed>> keyed(SourceId source, std::span<const zonegen::ZoneRRset> records);
  [[nodiscard]] Result<std::vector<Keyed>> lastGood(SourceId source);
  [[nodiscard]] Result<void> writeSource(SourceId source, std::vector<Keyed> records, bool markersOnly);
  [[nodiscard]] Result<void> updateNode(SourceId source, const Key& key, std::vector<Contribution> mine);
  [[nodiscard]] Result<void> noteConflicts(const Key& key, const Node& before, const Node& after);
  [[nodiscard]] Result<void> setCutBelow(const Key& key, const Key& apex);
  [[nodiscard]] Result<void> addAncestors(const Key& key, const Key& apex);
  [[nodiscard]] Result<void> removeEmpty(const Key& key, const Key& apex);
  [[nodiscard]] Result<bool> hasBelow(const Key& key);
  [[nodiscard]] Result<bool> belowCut(const Key& key, const Key& apex);
  [[nodiscard]] Result<void> writeNode(const Key& key, const Node& node);

  Replica* replica_;
  lmdb::Transaction txn_;
  bool filling_;
  std::map<std::int32_t, Key> apexes_;
  std::uint64_t markers_ = 0;
  std::uint64_t markersBefore_ = 0;
};

}  // namespace mailzone::backend
