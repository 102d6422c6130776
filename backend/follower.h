// Keeps the replica equal to the tenant database: fills it, then follows the feed of changes. A change is a hint: the
// entity is read again and its records are derived again, so that doing it twice is harmless.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/replica_slot.h"
#include "backend/tenant_source.h"

namespace mailzone::backend {

/// step() and the members below it belong to one thread; stop() and status() to any.
class Follower {
 public:
  using Open = std::function<Result<std::unique_ptr<TenantSource>>()>;
  struct Options {
    std::chrono::milliseconds poll{200};
    std::chrono::milliseconds retryFirst{100}, retryLast{1000};
    std::size_t sourcesPerCommit = 2000;  ///< of a fill, or of a change that touches many
    std::int64_t changesPerStep = 1000;
  };
  struct Status {
    bool databaseUp = false;
    std::int64_t seq = 0;
    std::uint64_t fills = 0;
    std::optional<Error> lastError;  ///< of the last step, if it failed
  };

  Follower(ReplicaSlot& slot, Open open, Options options) : slot_(slot), open_(std::move(open)), options_(options) {}

  /// One round: mends the replica, connects, fills or follows. Never throws for what the database does. Returns how
  /// long to wait before the next one.
  [[nodiscard]] std::chrono::milliseconds step();
  /// Ends a fill that is under way; what it had is thrown away.
  void stop() noexcept { stopping_ = true; }
  [[nodiscard]] Status status() const;

 private:
  struct Work;     // what a batch of changes asks for
  struct Stopped;  // thrown out of a database's callback by stop()
  class ContextsGuard;
  using Records = Result<std::vector<zonegen::ZoneRRset>>;

  [[nodiscard]] Result<std::chrono::milliseconds> round(Replica& replica);
  [[nodiscard]] Result<void> fill(Replica& replica, bool raiseSerials);
  /// Whether there are changes beyond these; then serials stay as they are until those are written too.
  [[nodiscard]] Result<bool> follow(Replica& replica, const std::vector<tenantdb::Change>& changes);
  void noteGone(const std::vector<tenantdb::Change>& changes, Work& work) const;
  [[nodiscard]] Result<std::optional<Position>> position(Replica& replica);

  [[nodiscard]] Result<void> readZones();
  /// Reads every context again; notes in `work` what follows from the differences.
  [[nodiscard]] Result<void> readContexts(Work* work);
  [[nodiscard]] Result<void> writeZones(Replica::Writer& writer, bool raise, bool keepSerials);
  [[nodiscard]] Result<void> writeContextSources(Replica::Writer& writer, PlatformId id);
  [[nodiscard]] Result<void> write(Replica::Writer& writer, SourceId source, const Records& records,
                                   const std::vector<DnsName>& names);
  /// As write(), for a row that is asked for by id; needs the connection.
  [[nodiscard]] Result<void> writeRow(Replica::Writer& writer, SourceId source);
  [[nodiscard]] Records derive(const Domain& domain) const;
  [[nodiscard]] Records derive(const Departed& departed) const;
  [[nodiscard]] Records derive(const StaticRecord& record) const;
  [[nodiscard]] const PlatformContext* contextOf(PlatformId id) const;
  [[nodiscard]] const PlatformContext* contextOf(ZoneId id) const;
  void note(const Result<void>& outcome);

  ReplicaSlot& slot_;
  Open open_;
  Options options_;
  std::unique_ptr<TenantSource> source_;
  std::optional<std::int64_t> seenVersion_;
  bool caughtUp_ = false;
  std::chrono::milliseconds retry_{0};
  std::atomic<bool> stopping_{false};

  std::vector<TenantSource::RowOf<ZoneId, Zone>> zones_;
  std::map<std::int32_t, std::map<std::string, std::vector<std::string>>> metadata_;
  std::map<PlatformId, PlatformContext> contexts_;
  std::map<PlatformId, Error> badContexts_;
  PlatformContext allZones_;  ///< for records of zones that no platform owns

  mutable std::mutex statusMutex_;
  Status status_;
};

}  // namespace mailzone::backend
