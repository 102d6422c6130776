#include "backend/follower.h"

#include <algorithm>

#include "system/log.h"

namespace mailzone::backend {
namespace {

/// The row's own fault, in contrast to "the database cannot be asked".
bool isFaultOfRow(const Error& error) noexcept {
  return error.code == Errc::invalidInput || error.code == Errc::limitExceeded || error.code == Errc::conflict ||
         error.code == Errc::notFound;
}

Result<void> nothing() {
  return {};
}

std::vector<Zone> withoutSerials(std::vector<Zone> zones) {
  for (auto& zone : zones) zone.serial = 0;
  return zones;
}

/// Whether domains' records may differ: of pools they use the names alone.
bool domainsDepend(const PlatformContext& before, const PlatformContext& after) {
  const auto poolNames = [](const PlatformContext& context) {
    std::vector<std::tuple<PoolId, std::string, PoolPurpose, bool>> out;
    for (const auto& pool : context.pools) out.emplace_back(pool.id, pool.name, pool.purpose, pool.addresses.empty());
    return out;
  };
  return before.platform != after.platform || before.relays != after.relays || before.streams != after.streams ||
         withoutSerials(before.zones) != withoutSerials(after.zones) || poolNames(before) != poolNames(after);
}

/// Puts the row of that id back where it stood, in the order of `less`.
template <class T, class Less>
void putBack(std::vector<T>& list, const std::vector<T>& before, std::int64_t id, Less less) {
  const auto was = std::find_if(before.begin(), before.end(), [&](const T& each) { return raw(each.id) == id; });
  if (was != before.end()) list.insert(std::upper_bound(list.begin(), list.end(), *was, less), *was);
}

void putBack(PlatformContext& fresh, const PlatformContext& before, const tenantdb::BadPart& part) {
  const auto byId = [](const auto& a, const auto& b) { return a.id < b.id; };
  const auto byName = [](const auto& a, const auto& b) { return a.name < b.name; };
  if (part.table == "ip_pool") {
    putBack(fresh.pools, before.pools, part.id, byId);
  } else if (part.table == "relay") {
    putBack(fresh.relays, before.relays, part.id, byId);
  } else if (part.table == "stream") {
    putBack(fresh.streams, before.streams, part.id, byName);
  } else if (part.table == "zone") {
    putBack(fresh.zones, before.zones, part.id, byId);
  } else if (part.table == "ip_address") {
    for (const auto& pool : before.pools) {
      for (auto& each : fresh.pools) {
        if (each.id == pool.id) putBack(each.addresses, pool.addresses, part.id, byId);
      }
    }
  } else if (part.table == "mail_exchanger" &&
             fresh.platform.mailExchangers.size() < before.platform.mailExchangers.size()) {
    // These have no id here. One set of records: it stays as it was until each of its rows can be read again.
    fresh.platform.mailExchangers = before.platform.mailExchangers;
  }
}

/// A row that was good and is spoilt goes on as it was: leaving it out would change what good rows answer (an address
/// less in everybody's SPF).
PlatformContext withLastGood(PlatformContext fresh, const PlatformContext& before,
                             const std::vector<tenantdb::BadPart>& badParts) {
  // Pools first: an address is put back into its pool.
  for (const auto& part : badParts) {
    if (part.table == "ip_pool") putBack(fresh, before, part);
  }
  for (const auto& part : badParts) {
    if (part.table != "ip_pool") putBack(fresh, before, part);
  }
  return fresh;
}

SourceId idOf(SourceKind kind, std::int64_t id) noexcept {
  return {kind, id};
}

}  // namespace

struct Follower::Stopped {};

/// What was read is compared with, next time, as what the replica holds. When that was not written it is forgotten:
/// else the difference would never be seen again.
class Follower::ContextsGuard {
 public:
  explicit ContextsGuard(std::map<PlatformId, PlatformContext>& contexts) : contexts_(contexts) {}
  ContextsGuard(const ContextsGuard&) = delete;
  ContextsGuard& operator=(const ContextsGuard&) = delete;
  ~ContextsGuard() {
    if (!kept_) contexts_.clear();
  }
  void keep() noexcept { kept_ = true; }

 private:
  std::map<PlatformId, PlatformContext>& contexts_;
  bool kept_ = false;
};

struct Follower::Work {
  std::set<SourceId> rows;          // domain, departed, static: read again one by one
  std::set<PlatformId> contexts;    // platform and pool sources
  std::set<PlatformId> everything;  // all of their domains, departed names
  bool statics = false;             // all static records
  std::set<SourceId> gone;
};

Follower::Status Follower::status() const {
  const std::lock_guard guard(statusMutex_);
  return status_;
}

void Follower::note(const Result<void>& outcome) {
  const std::lock_guard guard(statusMutex_);
  const bool wasDown = status_.lastError.has_value();
  if (outcome) {
    if (wasDown) log::info("following the tenant database again", {{"seq", status_.seq}});
    status_.lastError.reset();
    status_.databaseUp = true;
    return;
  }
  if (!wasDown || status_.lastError->rule != outcome.error().rule) {
    log::warn("cannot follow the tenant database; answers go on from the replica", {{"error", outcome.error()}});
  }
  status_.lastError = outcome.error();
  status_.databaseUp = source_ != nullptr;
}

std::chrono::milliseconds Follower::step() {
  auto replica = slot_.get();
  replica->checkFile();
  if (replica->broken()) {
    log::error("the replica is broken and is made anew");
    auto fresh = replica->replace();
    if (!fresh) {
      note(pass(fresh));
      return options_.retryLast;
    }
    replica = *fresh;
    slot_.set(replica);
    seenVersion_.reset();
    caughtUp_ = false;
  }
  Result<std::chrono::milliseconds> wait = options_.poll;
  if (!source_) {
    auto opened = open_();
    if (opened) {
      source_ = std::move(*opened);
      seenVersion_.reset();
      caughtUp_ = false;
    } else {
      wait = pass(opened);
    }
  }
  if (source_) {
    try {
      wait = round(*replica);
    } catch (const Stopped&) {
      return std::chrono::milliseconds(0);
    }
  }
  if (wait) {
    retry_ = std::chrono::milliseconds(0);
    note({});
    return *wait;
  }
  if (wait.error().code == Errc::corrupt) {
    replica->setBroken();
  } else {
    source_.reset();
  }
  note(pass(wait));
  retry_ = std::clamp(retry_ * 2, options_.retryFirst, options_.retryLast);
  return retry_;
}

Result<std::optional<Position>> Follower::position(Replica& replica) {
  auto reader = Replica::Reader::open(slot_.get());
  if (!reader) return pass(reader);
  if (!reader->begin()) {
    if (replica.broken()) return fail(Errc::corrupt, {}, "the replica is broken");
    return std::nullopt;
  }
  auto at = reader->position();
  if (!at) return pass(at);
  return *at;
}

Result<std::chrono::milliseconds> Follower::round(Replica& replica) {
  auto version = source_->dataVersion();
  if (!version) return pass(version);
  if (*version && *version == seenVersion_ && caughtUp_) return options_.poll;

  auto head = source_->advance(10 * options_.changesPerStep);
  if (!head) return pass(head);
  auto at = position(replica);
  if (!at) return pass(at);
  bool refill = !*at;
  bool raise = false;
  if (*at) {
    auto nonce = source_->nonceAt((*at)->seq);
    if (!nonce) return pass(nonce);
    if (*head < (*at)->seq || (*nonce && !(*at)->nonce.empty() && **nonce != (*at)->nonce)) {
      log::warn("the tenant database is another one or was restored: the replica is filled again",
                {{"seq", (*at)->seq}, {"head", *head}});
      refill = raise = true;
    }
  }
  if (!refill) {
    auto changes = source_->changesAfter((*at)->seq, options_.changesPerStep);
    if (!changes && changes.error().code == Errc::notFound) {
      log::warn("changes were compacted away before they were followed: the replica is filled again",
                {{"seq", (*at)->seq}, {"head", *head}});
      refill = true;
    } else if (!changes) {
      return pass(changes);
    } else {
      auto more = follow(replica, *changes);
      if (!more) return pass(more);
      caughtUp_ = !*more && static_cast<std::int64_t>(changes->size()) < options_.changesPerStep;
    }
  }
  if (refill) {
    if (auto done = fill(replica, raise); !done) return pass(done);
    caughtUp_ = false;  // what was committed meanwhile
  }
  seenVersion_ = *version;
  return caughtUp_ ? options_.poll : std::chrono::milliseconds(0);
}

// ---- reading

Result<void> Follower::readZones() {
  auto zones = source_->zones();
  if (!zones) return pass(zones);
  auto metadata = source_->zoneMetadata();
  if (!metadata) return pass(metadata);
  zones_ = std::move(*zones);
  metadata_.clear();
  for (auto& each : *metadata) metadata_[static_cast<std::int32_t>(raw(each.zone))][each.kind].push_back(each.value);
  allZones_ = PlatformContext{};
  for (const auto& row : zones_) {
    if (row.value) allZones_.zones.push_back(*row.value);
  }
  return {};
}

Result<void> Follower::readContexts(Work* work) {
  auto ids = source_->platforms();
  if (!ids) return pass(ids);
  std::map<PlatformId, PlatformContext> fresh;
  badContexts_.clear();
  for (const auto id : *ids) {
    std::vector<tenantdb::BadPart> badParts;
    auto context = source_->context(id, &badParts);
    if (!context && !isFaultOfRow(context.error())) return pass(context);
    const auto before = contexts_.find(id);
    if (!context) {
      badContexts_.emplace(id, context.error());
      if (before != contexts_.end()) fresh.emplace(id, before->second);  // its last good form
      if (work != nullptr) work->contexts.insert(id);
      continue;
    }
    if (!*context) continue;
    for (const auto& part : badParts) {
      log::warn("a row makes no records", {{"platform", raw(id)}, {"table", part.table}, {"error", part.error}});
    }
    if (before != contexts_.end()) *context = withLastGood(std::move(**context), before->second, badParts);
    if (work != nullptr && (before == contexts_.end() || before->second != **context)) {
      work->contexts.insert(id);
      if (before == contexts_.end() || domainsDepend(before->second, **context)) work->everything.insert(id);
      if (before == contexts_.end() || withoutSerials(before->second.zones) != withoutSerials((*context)->zones)) {
        work->statics = true;
      }
      if (before != contexts_.end()) {
        for (const auto& pool : before->second.pools) work->gone.insert(idOf(SourceKind::pool, raw(pool.id)));
      }
    }
    fresh.emplace(id, std::move(**context));
  }
  if (work != nullptr) {
    for (const auto& [id, context] : contexts_) {
      if (fresh.contains(id)) continue;
      work->gone.insert(idOf(SourceKind::platform, raw(id)));
      for (const auto& pool : context.pools) work->gone.insert(idOf(SourceKind::pool, raw(pool.id)));
    }
    for (const auto& [id, context] : fresh) {
      for (const auto& pool : context.pools) work->gone.erase(idOf(SourceKind::pool, raw(pool.id)));
    }
  }
  contexts_ = std::move(fresh);
  return {};
}

const PlatformContext* Follower::contextOf(PlatformId id) const {
  const auto at = contexts_.find(id);
  return at == contexts_.end() ? nullptr : &at->second;
}

const PlatformContext* Follower::contextOf(ZoneId id) const {
  for (const auto& [_, context] : contexts_) {
    for (const auto& zone : context.zones) {
      if (zone.id == id) return &context;
    }
  }
  return &allZones_;
}

Follower::Records Follower::derive(const Domain& domain) const {
  const auto* context = contextOf(domain.platform);
  if (context == nullptr) return fail(Errc::invalidInput, std::to_string(raw(domain.platform)), "is no platform");
  return zonegen::recordsForDomain(*context, domain);
}
Follower::Records Follower::derive(const Departed& departed) const {
  const auto* context = contextOf(departed.platform);
  if (context == nullptr) return fail(Errc::invalidInput, std::to_string(raw(departed.platform)), "is no platform");
  return zonegen::recordsForDeparted(*context, departed);
}
Follower::Records Follower::derive(const StaticRecord& record) const {
  return zonegen::recordsForStatic(*contextOf(record.zone), record);
}

// ---- writing

Result<void> Follower::write(Replica::Writer& writer, SourceId source, const Records& records,
                             const std::vector<DnsName>& names) {
  Result<void> done = records ? writer.apply(source, *records) : Result<void>(pass(records));
  if (done || !isFaultOfRow(done.error())) return done;
  log::warn("a row makes no records", {{"source", source.text()}, {"error", done.error()}});
  return writer.setBad(source, done.error(), names);
}

Result<void> Follower::writeZones(Replica::Writer& writer, bool raise, bool keepSerials) {
  std::vector<ServedZone> wanted;
  std::vector<std::pair<SourceId, Error>> bad;
  for (const auto& row : zones_) {
    const auto id = static_cast<std::int32_t>(raw(row.id));
    auto before = writer.zone(id);
    if (before && !*before) before = writer.liveZone(id);
    if (!before) return pass(before);
    ServedZone zone;
    if (row.value) {
      zone.id = id;
      zone.name = row.value->name;
      zone.serial = row.value->serial;
      if (const auto at = metadata_.find(id); at != metadata_.end()) zone.metadata = at->second;
    } else {
      bad.emplace_back(idOf(SourceKind::zone, id), row.value.error());
      if (!*before) continue;
      zone = **before;
    }
    if (*before && (keepSerials || !row.value)) zone.serial = (*before)->serial - (*before)->serialOffset;
    wanted.push_back(std::move(zone));
  }
  auto changed = writer.setZones(wanted, raise);
  if (!changed) return pass(changed);
  for (const auto& row : zones_) {
    if (!row.value) continue;
    auto served = writer.zone(static_cast<std::int32_t>(raw(row.id)));
    if (!served) return pass(served);
    Zone zone = *row.value;
    if (*served) zone.serial = (*served)->serial;
    if (auto done = write(writer, idOf(SourceKind::zone, raw(row.id)), zonegen::recordsForZone(zone), {zone.name});
        !done) {
      return done;
    }
  }
  for (const auto& [source, why] : bad) {
    if (auto done = writer.setBad(source, why, {}); !done) return done;
  }
  return {};
}

Result<void> Follower::writeContextSources(Replica::Writer& writer, PlatformId id) {
  const auto platform = idOf(SourceKind::platform, raw(id));
  if (const auto bad = badContexts_.find(id); bad != badContexts_.end()) {
    return writer.setBad(platform, bad->second, {});
  }
  const auto* context = contextOf(id);
  if (context == nullptr) return nothing();
  if (auto done = write(writer, platform, zonegen::recordsForPlatform(*context), {}); !done) return done;
  for (const auto& pool : context->pools) {
    if (auto done = write(writer, idOf(SourceKind::pool, raw(pool.id)), zonegen::recordsForPool(*context, pool), {});
        !done) {
      return done;
    }
  }
  return {};
}

Result<void> Follower::writeRow(Replica::Writer& writer, SourceId source) {
  const auto writeAsked = [&](const auto& asked) -> Result<void> {
    if (!asked) return pass(asked);
    if (!*asked) return writer.apply(source, {});
    const auto& value = (*asked)->value;
    const Records records = value ? derive(*value) : Records(pass(value));
    std::vector<DnsName> names;
    if (!records) {
      auto read = source_->namesOf(source);
      if (!read) return pass(read);
      names = std::move(*read);
    }
    return write(writer, source, records, names);
  };
  switch (source.kind) {
    case SourceKind::domain:
      return writeAsked(source_->domain(DomainId{source.id}));
    case SourceKind::departed:
      return writeAsked(source_->departed(DepartedId{source.id}));
    case SourceKind::staticRecord:
      return writeAsked(source_->staticRecord(StaticRecordId{source.id}));
    default:
      return nothing();
  }
}

// ---- a full fill

Result<void> Follower::fill(Replica& replica, bool raiseSerials) {
  const auto begun = std::chrono::steady_clock::now();
  // The head first: what is committed from here on is followed afterwards.
  auto head = source_->advance(10 * options_.changesPerStep);
  if (!head) return pass(head);
  auto nonce = source_->nonceAt(*head);
  if (!nonce) return pass(nonce);
  ContextsGuard guard(contexts_);
  if (auto done = readZones(); !done) return done;
  if (auto done = readContexts(nullptr); !done) return done;

  auto begin = Replica::Writer::beginFill(replica);
  if (!begin) return pass(begin);
  std::optional<Replica::Writer> writer(std::move(*begin));
  if (auto done = writeZones(*writer, raiseSerials, false); !done) return done;
  std::size_t sources = 0;
  Result<void> outcome;  // of the callbacks below
  std::vector<SourceId> bad;
  const auto put = [&](SourceKind kind, const auto& row) {
    if (stopping_) throw Stopped{};
    if (!outcome) return;
    const auto source = idOf(kind, raw(row.id));
    const Records records = row.value ? derive(*row.value) : Records(pass(row.value));
    auto done = records ? writer->apply(source, *records) : Result<void>(pass(records));
    if (!done && isFaultOfRow(done.error())) {
      bad.push_back(source);  // its names are another question, and this one is not over
    } else if (!done) {
      outcome = done;
      return;
    }
    if (++sources % options_.sourcesPerCommit != 0) return;
    outcome = writer->commit();
    writer.reset();
    if (!outcome) return;
    auto next = Replica::Writer::continueFill(replica);
    if (next) {
      writer.emplace(std::move(*next));
    } else {
      outcome = pass(next);
    }
  };
  const auto ended = [&](const Result<void>& asked) { return !asked ? asked : outcome; };
  if (auto done = ended(source_->eachStaticRecord([&](auto row) { put(SourceKind::staticRecord, row); })); !done) {
    return done;
  }
  std::set<PlatformId> platforms;
  for (const auto& [id, _] : contexts_) platforms.insert(id);
  for (const auto& [id, _] : badContexts_) platforms.insert(id);
  for (const auto id : platforms) {
    if (auto done = writeContextSources(*writer, id); !done) return done;
    if (auto done = ended(source_->eachDomain(id, [&](auto row) { put(SourceKind::domain, row); })); !done) return done;
    if (auto done = ended(source_->eachDeparted(id, [&](auto row) { put(SourceKind::departed, row); })); !done) {
      return done;
    }
  }
  if (!badContexts_.empty()) {
    // Which pools an unreadable platform has is not known: what the last generation said of them stays.
    auto known = writer->liveSources();
    if (!known) return pass(known);
    std::set<std::int64_t> written;
    for (const auto& [_, context] : contexts_) {
      for (const auto& pool : context.pools) written.insert(raw(pool.id));
    }
    for (const auto source : *known) {
      if (source.kind != SourceKind::pool || written.contains(source.id)) continue;
      if (auto done = writer->setBad(source, badContexts_.begin()->second, {}); !done) return done;
    }
  }
  for (const auto source : bad) {
    if (auto done = writeRow(*writer, source); !done) return done;
  }
  if (auto done = writer->setPosition({*head, *nonce ? **nonce : std::string()}); !done) return done;
  if (auto done = writer->commitFill(); !done) return done;
  guard.keep();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  log::info(
      "the replica is filled",
      {{"sources", sources}, {"bad", bad.size()}, {"zones", zones_.size()}, {"seq", *head}, {"ms", took.count()}});
  const std::lock_guard lock(statusMutex_);
  status_.seq = *head;
  ++status_.fills;
  return {};
}

// ---- following

void Follower::noteGone(const std::vector<tenantdb::Change>& changes, Work& work) const {
  // Asked of the rows, not of what this process has seen before: it may have started after they went.
  const auto isZone = [&](std::int64_t id) {
    return std::any_of(zones_.begin(), zones_.end(), [&](const auto& row) { return raw(row.id) == id; });
  };
  const auto isPool = [&](std::int64_t id) {
    return std::any_of(contexts_.begin(), contexts_.end(), [&](const auto& each) {
      const auto& pools = each.second.pools;
      return std::any_of(pools.begin(), pools.end(), [&](const Pool& pool) { return raw(pool.id) == id; });
    });
  };
  for (const auto& change : changes) {
    if (change.entity == tenantdb::Entity::zone && !isZone(change.id)) {
      work.gone.insert(idOf(SourceKind::zone, change.id));
    }
    // Which pools an unreadable platform has is not known.
    if (change.entity == tenantdb::Entity::pool && badContexts_.empty() && !isPool(change.id)) {
      work.gone.insert(idOf(SourceKind::pool, change.id));
    }
  }
}

Result<bool> Follower::follow(Replica& replica, const std::vector<tenantdb::Change>& changes) {
  if (changes.empty()) return false;
  Work work;
  bool contextsChanged = contexts_.empty();
  for (const auto& change : changes) {
    switch (change.entity) {
      case tenantdb::Entity::platform:
        work.contexts.insert(PlatformId{change.id});
        work.everything.insert(PlatformId{change.id});
        work.statics = true;
        contextsChanged = true;
        break;
      case tenantdb::Entity::pool:
      case tenantdb::Entity::zone:
        contextsChanged = true;
        break;
      case tenantdb::Entity::staticRecord:
        work.rows.insert(idOf(SourceKind::staticRecord, change.id));
        break;
      case tenantdb::Entity::domain:
        work.rows.insert(idOf(SourceKind::domain, change.id));
        break;
      case tenantdb::Entity::departed:
        work.rows.insert(idOf(SourceKind::departed, change.id));
        break;
      case tenantdb::Entity::zoneMetadata:
        break;  // read with the zones
    }
  }
  // Serials rise with every change, so the zones are read each time.
  const bool firstLook = contexts_.empty();
  ContextsGuard guard(contexts_);
  if (auto done = readZones(); !done) return pass(done);
  // A serial may have risen for changes beyond these: secondaries that took it now would never ask for those.
  const auto later = source_->changesAfter(changes.back().seq, 1);
  if (!later) return pass(later);
  const bool more = !later->empty();
  if (contextsChanged) {
    // After a restart the replica is warm and the contexts are not known yet: read them, compare with nothing.
    const bool compare = !firstLook || std::any_of(changes.begin(), changes.end(), [](const tenantdb::Change& change) {
      return change.entity == tenantdb::Entity::pool || change.entity == tenantdb::Entity::zone;
    });
    if (auto done = readContexts(compare ? &work : nullptr); !done) return pass(done);
  }
  noteGone(changes, work);

  // Whole tables are listed first and read row by row afterwards: only ids are held.
  const auto list = [&](SourceKind kind) {
    return [&work, kind](const auto& row) { work.rows.insert(idOf(kind, raw(row.id))); };
  };
  for (const auto id : work.everything) {
    if (auto done = source_->eachDomain(id, list(SourceKind::domain)); !done) return pass(done);
    if (auto done = source_->eachDeparted(id, list(SourceKind::departed)); !done) return pass(done);
  }
  if (work.statics) {
    if (auto done = source_->eachStaticRecord(list(SourceKind::staticRecord)); !done) return pass(done);
  }

  auto begin = Replica::Writer::begin(replica);
  if (!begin) return pass(begin);
  std::optional<Replica::Writer> writer(std::move(*begin));
  // A serial becomes visible together with the last of the changes that raised it.
  const bool severalCommits = work.rows.size() > options_.sourcesPerCommit;
  if (auto done = writeZones(*writer, false, severalCommits || more); !done) return pass(done);
  for (const auto source : work.gone) {
    if (auto done = writer->apply(source, {}); !done) return pass(done);
  }
  for (const auto id : work.contexts) {
    if (auto done = writeContextSources(*writer, id); !done) return pass(done);
  }
  std::size_t written = 0;
  for (const auto source : work.rows) {
    if (stopping_) throw Stopped{};
    if (auto done = writeRow(*writer, source); !done) return pass(done);
    if (++written % options_.sourcesPerCommit != 0) continue;
    if (auto done = writer->commit(); !done) return pass(done);
    writer.reset();
    auto next = Replica::Writer::begin(replica);
    if (!next) return pass(next);
    writer.emplace(std::move(*next));
  }
  if (severalCommits && !more) {
    if (auto done = writeZones(*writer, false, false); !done) return pass(done);
  }
  if (auto done = writer->setPosition({changes.back().seq, changes.back().nonce}); !done) return pass(done);
  if (auto done = writer->commit(); !done) return pass(done);
  guard.keep();
  const std::lock_guard lock(statusMutex_);
  status_.seq = changes.back().seq;
  return more;
}

}  // namespace mailzone::backend
