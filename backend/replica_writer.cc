#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backend/bytes.h"
#include "backend/replica.h"
#include "backend/replica_rows.h"

namespace mailzone::backend {
namespace {

constexpr std::size_t kMaxRecordsPerName = 4096;
constexpr std::size_t kMaxContent = 262144;  // presentation form of 64 KiB of rdata, every octet escaped

std::string badKey(SourceId source, std::uint64_t where) {
  std::string key = source.key();
  appendBigEndian(key, where);
  return key;
}

/// The owner name in a node's key.
DnsName ownerOf(std::string_view key) {
  auto name = DnsName::fromCanonicalKey(key.substr(4));
  return name ? *name : DnsName();
}

Result<void> checkAliases(SourceId source, const std::vector<std::pair<std::string, Contribution>>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].second.type != rrtype::CNAME) continue;
    for (std::size_t j : {i == 0 ? i : i - 1, i + 1}) {
      if (j == i || j >= records.size() || records[j].first != records[i].first) continue;
      return fail(Errc::invalidInput, ownerOf(records[i].first).textNoDot(),
                  fmt::format("an alias stands alone at its name (RFC 1034 section 3.6.2), and {} puts more there",
                              source.text()),
                  "remove the CNAME or the other records");
    }
  }
  return {};
}

std::string conflictReason(const DnsName& owner) {
  return describe(
      Error{Errc::conflict, escapeForDisplay(owner.textNoDot()),
            "an alias stands alone at its name (RFC 1034 section 3.6.2), and something else has records there",
            "remove the CNAME or the other records"});
}

}  // namespace

struct Replica::Writer::SourceRow {
  std::uint64_t sum = 0;
  bool markersOnly = false;
  std::vector<Key> keys;  // sorted
};

Result<Replica::Writer> Replica::Writer::begin(Replica& replica, bool filling, bool clear) {
  auto txn = replica.env_.beginWrite();
  if (!txn) return pass(txn);
  Writer writer(replica, std::move(*txn), filling);
  if (clear) {
    const auto& t = writer.target();
    for (const MDB_dbi dbi : {t.nodes, t.zones, t.zoneNames, t.sources, t.bad}) {
      if (auto done = writer.txn_.clear(dbi); !done) return pass(done);
    }
    if (auto done = rows::writeNumber(writer.txn_, replica.meta_, rows::markersKey(writer.targetSlot()), 0); !done) {
      return pass(done);
    }
  }
  auto markers = rows::readNumber(writer.txn_, replica.meta_, rows::markersKey(writer.targetSlot()));
  if (!markers) return pass(markers);
  writer.markers_ = writer.markersBefore_ = *markers;
  return writer;
}

Result<std::optional<std::string>> Replica::Writer::get(MDB_dbi dbi, std::string_view key) {
  auto stored = txn_.find(dbi, key);
  if (!stored) return pass(stored);
  if (!*stored) return std::nullopt;
  std::string_view payload;
  if (!unseal(key, **stored, payload)) {
    replica_->setBroken();
    return fail(Errc::corrupt, key, "a checksum in the replica does not fit");
  }
  return std::string(payload);
}

Result<void> Replica::Writer::put(MDB_dbi dbi, std::string_view key, std::string_view payload) {
  return txn_.put(dbi, key, seal(key, payload));
}

Result<std::optional<Node>> Replica::Writer::node(MDB_dbi dbi, const Key& key) {
  auto stored = get(dbi, key);
  if (!stored) return pass(stored);
  if (!*stored) return std::nullopt;
  auto node = decodeNode(**stored);
  if (!node) return pass(node);
  return std::move(*node);
}

// ---- zones

Result<std::optional<ServedZone>> Replica::Writer::zoneFrom(const Tables& tables, std::int32_t zoneId) {
  auto stored = get(tables.zones, rows::zoneKey(zoneId));
  if (!stored) return pass(stored);
  if (!*stored) return std::nullopt;
  auto zone = rows::decodeZone(zoneId, **stored);
  if (!zone) return pass(zone);
  return *zone;
}

Result<std::optional<ServedZone>> Replica::Writer::zone(std::int32_t zoneId) {
  return zoneFrom(target(), zoneId);
}

Result<std::optional<ServedZone>> Replica::Writer::zoneBefore(const ServedZone& zone) {
  auto before = zoneFrom(live(), zone.id);
  if (!before || (*before && (*before)->name == zone.name)) return before;
  // The same name under another id: its secondaries know the old serial.
  auto id = get(live().zoneNames, rows::zoneNameKey(zone.name.canonicalKey()));
  if (!id) return pass(id);
  if (!*id || (*id)->size() != 4) return std::nullopt;
  return zoneFrom(live(), static_cast<std::int32_t>(readBigEndian<std::uint32_t>(**id)));
}

Result<std::vector<ServedZone>> Replica::Writer::setZones(std::span<const ServedZone> zones, bool raise) {
  std::vector<ServedZone> changed;
  std::vector<ServedZone> served;
  for (ServedZone zone : zones) {
    auto before = zoneBefore(zone);
    if (!before) return pass(before);
    if (*before) {
      zone.serialOffset = (*before)->serialOffset;
      const std::uint32_t database = zone.serial;
      zone.serial = database + zone.serialOffset;
      // RFC 1982 section 3.2: the difference says which one is newer. Zero means nothing new, unless the database is
      // another one.
      const auto ahead = static_cast<std::int32_t>(zone.serial - (*before)->serial);
      if (ahead < 0 || (raise && ahead == 0)) {
        zone.serial = (*before)->serial + 1;
        zone.serialOffset = zone.serial - database;
      }
    }
    auto now = zoneFrom(target(), zone.id);
    if (!now) return pass(now);
    if (!*now || **now != zone) changed.push_back(zone);
    served.push_back(std::move(zone));
  }
  std::vector<std::pair<Key, Key>> known;
  {
    auto cursor = lmdb::Cursor::open(txn_, target().zones);
    if (!cursor) return pass(cursor);
    auto more = cursor->seek({});
    for (; more && *more; more = cursor->next()) known.emplace_back(cursor->key(), cursor->value());
    if (!more) return pass(more);
  }
  std::set<Key> wanted;
  for (const auto& zone : served) wanted.insert(rows::zoneKey(zone.id));
  const auto forgetName = [&](std::int32_t id) -> Result<void> {
    auto old = zoneFrom(target(), id);
    if (!old || !*old) return old ? Result<void>{} : pass(old);
    return txn_.erase(target().zoneNames, rows::zoneNameKey((*old)->name.canonicalKey()));
  };
  for (const auto& [key, value] : known) {
    if (wanted.contains(key)) continue;
    if (auto done = forgetName(static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key))); !done) return pass(done);
    if (auto done = txn_.erase(target().zones, key); !done) return pass(done);
  }
  for (const auto& zone : changed) {
    if (auto done = forgetName(zone.id); !done) return pass(done);
  }
  for (const auto& zone : changed) {
    std::string id;
    appendBigEndian(id, static_cast<std::uint32_t>(zone.id));
    if (auto done = put(target().zones, rows::zoneKey(zone.id), rows::encodeZone(zone)); !done) return pass(done);
    if (auto done = put(target().zoneNames, rows::zoneNameKey(zone.name.canonicalKey()), id); !done) return pass(done);
  }
  apexes_.clear();
  return changed;
}

Result<Replica::Writer::Key> Replica::Writer::apexKey(std::int32_t zoneId) {
  if (const auto at = apexes_.find(zoneId); at != apexes_.end()) return at->second;
  auto zone = zoneFrom(target(), zoneId);
  if (!zone) return pass(zone);
  if (!*zone) return fail(Errc::invalidInput, std::to_string(zoneId), "is not the id of a zone", "add the zone");
  return apexes_.emplace(zoneId, nodeKey(zoneId, (*zone)->name.canonicalKey())).first->second;
}

Result<std::optional<Replica::Writer::Key>> Replica::Writer::keyOf(const DnsName& name) {
  const std::string canonical = name.canonicalKey();
  for (std::string_view at = canonical;; at = rows::parentKey(at)) {
    auto id = get(target().zoneNames, rows::zoneNameKey(at));
    if (!id) return pass(id);
    if (*id && (*id)->size() == 4) {
      return nodeKey(static_cast<std::int32_t>(readBigEndian<std::uint32_t>(**id)), canonical);
    }
    if (at.empty()) return std::nullopt;
  }
}

// ---- sources

Result<Replica::Writer::SourceRow> Replica::Writer::sourceRow(MDB_dbi dbi, SourceId source) {
  SourceRow row;
  auto stored = get(dbi, source.key());
  if (!stored) return pass(stored);
  if (!*stored) return row;
  ByteReader reader(**stored);
  row.sum = reader.number<std::uint64_t>();
  row.markersOnly = reader.number<std::uint8_t>() != 0;
  while (reader.ok() && !reader.atEnd()) row.keys.emplace_back(reader.text(reader.number<std::uint16_t>()));
  if (!reader.ok()) return fail(Errc::corrupt, source.text(), "a stored source is cut short");
  return row;
}

Result<std::vector<Replica::Writer::Keyed>> Replica::Writer::keyed(SourceId source,
                                                                   std::span<const zonegen::ZoneRRset> records) {
  std::vector<Keyed> out;
  for (const auto& [zone, rrset] : records) {
    auto apex = apexKey(static_cast<std::int32_t>(raw(zone)));
    if (!apex) return pass(apex);
    Key key = nodeKey(static_cast<std::int32_t>(raw(zone)), rrset.owner.canonicalKey());
    if (!key.starts_with(*apex)) {
      return fail(Errc::invalidInput, rrset.owner.textNoDot(), "the name does not lie in its zone",
                  "move the record to the zone that holds the name");
    }
    for (const auto& content : rrset.contents) {
      if (content.size() > kMaxContent) {
        return fail(Errc::limitExceeded, rrset.owner.textNoDot(),
                    "a record's data has at most 65535 octets (RFC 1035 section 3.2.1)", "shorten it");
      }
      out.emplace_back(key, Contribution{source, rrset.type, rrset.ttl.seconds(), content, RecordState::visible, 0});
    }
  }
  std::sort(out.begin(), out.end(), [](const Keyed& a, const Keyed& b) {
    return std::tie(a.first, a.second.type, a.second.content) < std::tie(b.first, b.second.type, b.second.content);
  });
  if (auto done = checkAliases(source, out); !done) return pass(done);
  return out;
}

Result<void> Replica::Writer::apply(SourceId source, std::span<const zonegen::ZoneRRset> records) {
  auto wanted = keyed(source, records);
  if (!wanted) return pass(wanted);
  if (auto done = writeSource(source, std::move(*wanted), false); !done) return done;
  return txn_.erase(target().bad, badKey(source, 0));
}

Result<std::vector<Replica::Writer::Keyed>> Replica::Writer::lastGood(SourceId source) {
  std::vector<Keyed> out;
  auto row = sourceRow(live().sources, source);
  if (!row) return pass(row);
  if (row->markersOnly) return out;
  for (const auto& key : row->keys) {
    auto apex = apexKey(static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key)));
    if (!apex && apex.error().code != Errc::invalidInput) return pass(apex);
    if (!apex || !key.starts_with(*apex)) continue;  // the zone went, or has another name now
    auto stored = node(live().nodes, key);
    if (!stored) return pass(stored);
    if (!*stored) continue;
    for (auto& c : (*stored)->records) {
      if (c.source == source) out.emplace_back(key, std::move(c));
    }
  }
  return out;
}

Result<void> Replica::Writer::setBad(SourceId source, const Error& why, std::span<const DnsName> names) {
  auto row = sourceRow(target().sources, source);
  if (!row) return pass(row);
  if (row->keys.empty() || row->markersOnly) {
    std::vector<Keyed> records;
    if (filling_ && replica_->filled()) {
      auto kept = lastGood(source);
      if (!kept) return pass(kept);
      records = std::move(*kept);
    }
    const bool markersOnly = records.empty();
    if (markersOnly) {
      for (const auto& name : names) {
        auto key = keyOf(name);
        if (!key) return pass(key);
        if (*key) records.emplace_back(**key, Contribution{source, kCannotTell, 0, {}, RecordState::marker, 0});
      }
      std::sort(records.begin(), records.end(), [](const Keyed& a, const Keyed& b) { return a.first < b.first; });
    }
    if (auto done = writeSource(source, std::move(records), markersOnly); !done) return done;
  }
  std::string reason(1, '\0');
  reason += describe(why);
  return put(target().bad, badKey(source, 0), reason);
}

Result<std::vector<SourceId>> Replica::Writer::liveSources() {
  std::vector<SourceId> out;
  auto cursor = lmdb::Cursor::open(txn_, live().sources);
  if (!cursor) return pass(cursor);
  auto more = cursor->seek({});
  for (; more && *more; more = cursor->next()) {
    auto source = SourceId::fromKey(cursor->key());
    if (!source) return pass(source);
    out.push_back(*source);
  }
  if (!more) return pass(more);
  return out;
}

Result<void> Replica::Writer::writeSource(SourceId source, std::vector<Keyed> records, bool markersOnly) {
  SourceRow wanted;
  wanted.markersOnly = markersOnly;
  std::map<Key, std::vector<Contribution>> byKey;
  std::string summed;
  for (auto& [key, c] : records) {
    appendNumber(summed, static_cast<std::uint32_t>(key.size()));
    summed += key;
    appendNumber(summed, c.type.number());
    appendNumber(summed, c.ttl);
    appendNumber(summed, static_cast<std::uint32_t>(c.content.size()));
    summed += c.content;
    byKey[key].push_back(std::move(c));
  }
  wanted.sum = sum64(summed);
  auto before = sourceRow(target().sources, source);
  if (!before) return pass(before);
  if (!before->keys.empty() && before->sum == wanted.sum && before->markersOnly == markersOnly) return {};
  if (before->keys.empty() && byKey.empty()) return {};

  for (const auto& [key, mine] : byKey) {
    if (mine.size() > kMaxRecordsPerName) {
      return fail(Errc::limitExceeded, ownerOf(key).textNoDot(),
                  fmt::format("a name has at most {} records", kMaxRecordsPerName), "spread them over several names");
    }
    wanted.keys.push_back(key);
  }
  for (const auto& key : before->keys) {
    if (byKey.contains(key)) continue;
    if (auto done = updateNode(source, key, {}); !done) return done;
  }
  for (auto& [key, mine] : byKey) {
    if (auto done = updateNode(source, key, std::move(mine)); !done) return done;
  }
  if (wanted.keys.empty()) return txn_.erase(target().sources, source.key());
  std::string payload;
  appendNumber(payload, wanted.sum);
  appendNumber(payload, static_cast<std::uint8_t>(wanted.markersOnly));
  for (const auto& key : wanted.keys) {
    appendNumber(payload, static_cast<std::uint16_t>(key.size()));
    payload += key;
  }
  return put(target().sources, source.key(), payload);
}

// ---- nodes

Result<void> Replica::Writer::updateNode(SourceId source, const Key& key, std::vector<Contribution> mine) {
  auto stored = node(target().nodes, key);
  if (!stored) return pass(stored);
  const auto zoneId = static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key));
  auto apexOr = apexKey(zoneId);
  // The zone went before its records did: they are taken out all the same, down to the zone's own key.
  if (!apexOr && apexOr.error().code != Errc::invalidInput) return pass(apexOr);
  const Key apex = apexOr ? *apexOr : nodeKey(zoneId, {});

  const Node before = *stored ? std::move(**stored) : Node{};
  std::vector<Contribution> all;
  for (const auto& c : before.records) {
    if (c.source != source) all.push_back(c);
  }
  for (auto& c : mine) all.push_back(std::move(c));
  if (all.size() > kMaxRecordsPerName) {
    return fail(Errc::limitExceeded, ownerOf(key).textNoDot(),
                fmt::format("a name has at most {} records", kMaxRecordsPerName), "spread them over several names");
  }
  Place place;
  place.apex = key == apex;
  place.belowCut = before.belowCut;
  if (!*stored) {
    auto below = belowCut(key, apex);
    if (!below) return pass(below);
    place.belowCut = *below;
  }
  const Node after = merge(ownerOf(key), std::move(all), place);
  if (*stored && after == before) return {};

  const auto marked = [](const Node& n) {
    return std::any_of(n.records.begin(), n.records.end(), [](const auto& c) { return c.type == kCannotTell; });
  };
  markers_ += static_cast<std::uint64_t>(marked(after));
  markers_ -= static_cast<std::uint64_t>(marked(before));
  if (auto done = noteConflicts(key, before, after); !done) return done;
  if (after.records.empty()) {
    if (auto done = removeEmpty(key, apex); !done) return done;
  } else {
    if (auto done = writeNode(key, after); !done) return done;
    if (!*stored) {
      if (auto done = addAncestors(key, apex); !done) return done;
    }
  }
  if (before.cut != after.cut) return setCutBelow(key, apex);
  return {};
}

Result<void> Replica::Writer::writeNode(const Key& key, const Node& node) {
  return put(target().nodes, key, encodeNode(node, ownerOf(key).text()));
}

Result<void> Replica::Writer::noteConflicts(const Key& key, const Node& before, const Node& after) {
  const auto losers = [](const Node& node) {
    std::set<SourceId> out;
    for (const auto& c : node.records) {
      if (c.state == RecordState::conflict) out.insert(c.source);
    }
    return out;
  };
  const auto was = losers(before);
  const auto is = losers(after);
  const std::uint64_t where = sum64(key) | 1;  // never 0, which stands for the whole source
  for (const auto source : was) {
    if (is.contains(source)) continue;
    if (auto done = txn_.erase(target().bad, badKey(source, where)); !done) return done;
  }
  for (const auto source : is) {
    if (was.contains(source)) continue;
    const DnsName owner = ownerOf(key);
    std::string payload = owner.textNoDot();
    payload += '\0';
    payload += conflictReason(owner);
    if (auto done = put(target().bad, badKey(source, where), payload); !done) return done;
  }
  return {};
}

Result<bool> Replica::Writer::belowCut(const Key& key, const Key& apex) {
  for (std::string_view at = rows::parentKey(std::string_view(key).substr(4)); 4 + at.size() > apex.size();
       at = rows::parentKey(at)) {
    auto above = node(target().nodes, nodeKey(static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key)), at));
    if (!above) return pass(above);
    if (*above && ((*above)->cut || (*above)->belowCut)) return true;
  }
  return false;
}

Result<void> Replica::Writer::setCutBelow(const Key& key, const Key& apex) {
  std::vector<Key> below;
  {
    auto cursor = lmdb::Cursor::open(txn_, target().nodes);
    if (!cursor) return pass(cursor);
    auto more = cursor->seek(key);
    for (; more && *more && cursor->key().starts_with(key); more = cursor->next()) {
      if (cursor->key() != key) below.emplace_back(cursor->key());
    }
    if (!more) return pass(more);
  }
  // In canonical order: ancestors come first, so each one finds its ancestors as they are now.
  for (const auto& each : below) {
    auto stored = node(target().nodes, each);
    if (!stored) return pass(stored);
    auto cut = belowCut(each, apex);
    if (!cut) return pass(cut);
    if (!*stored || (*stored)->belowCut == *cut) continue;
    (*stored)->belowCut = *cut;
    if (auto done = writeNode(each, **stored); !done) return done;
  }
  return {};
}

Result<void> Replica::Writer::addAncestors(const Key& key, const Key& apex) {
  const auto zoneId = static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key));
  for (std::string_view at = rows::parentKey(std::string_view(key).substr(4)); 4 + at.size() >= apex.size();
       at = rows::parentKey(at)) {
    const Key above = nodeKey(zoneId, at);
    auto there = txn_.find(target().nodes, above);
    if (!there) return pass(there);
    if (*there) return {};
    Node terminal;
    auto cut = belowCut(above, apex);
    if (!cut) return pass(cut);
    terminal.belowCut = *cut;
    if (auto done = writeNode(above, terminal); !done) return done;
    if (at.empty()) return {};
  }
  return {};
}

Result<bool> Replica::Writer::hasBelow(const Key& key) {
  auto cursor = lmdb::Cursor::open(txn_, target().nodes);
  if (!cursor) return pass(cursor);
  auto more = cursor->seek(key);
  if (more && *more && cursor->key() == key) more = cursor->next();
  if (!more) return pass(more);
  return *more && cursor->key().starts_with(key);
}

Result<void> Replica::Writer::removeEmpty(const Key& key, const Key& apex) {
  const auto zoneId = static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key));
  Key at = key;
  for (;;) {
    auto below = hasBelow(at);
    if (!below) return pass(below);
    auto cut = belowCut(at, apex);
    if (!cut) return pass(cut);
    if (*below) {
      Node terminal;
      terminal.belowCut = *cut;
      return at == key ? writeNode(at, terminal) : Result<void>{};
    }
    if (auto done = txn_.erase(target().nodes, at); !done) return done;
    if (at.size() <= apex.size()) return {};
    at = nodeKey(zoneId, rows::parentKey(std::string_view(at).substr(4)));
    auto above = node(target().nodes, at);
    if (!above) return pass(above);
    if (!*above || !(*above)->records.empty()) return {};
  }
}

// ---- the end

Result<void> Replica::Writer::setPosition(const Position& position) {
  return rows::writePosition(txn_, replica_->meta_, targetSlot(), position);
}

Result<void> Replica::Writer::commit() {
  if (markers_ != markersBefore_) {
    if (auto done = rows::writeNumber(txn_, replica_->meta_, rows::markersKey(targetSlot()), markers_); !done)
      return done;
  }
  if (filling_) return txn_.commit();
  // Readers may look for a marker that is not there yet, never the other way round.
  replica_->markers_ = std::max(markers_, markersBefore_);
  auto done = txn_.commit();
  if (done) replica_->markers_ = markers_;
  return done;
}

Result<void> Replica::Writer::commitFill() {
  const auto generation = replica_->generation_.load() + 1;
  const Tables old = live();
  if (auto done = rows::writeNumber(txn_, replica_->meta_, "generation", generation); !done) return done;
  if (auto done = rows::writeNumber(txn_, replica_->meta_, rows::markersKey(targetSlot()), markers_); !done)
    return done;
  replica_->markers_ = std::max(markers_, replica_->markers_.load());
  if (auto done = txn_.commit(); !done) return done;
  replica_->generation_.store(generation, std::memory_order_release);
  replica_->markers_ = markers_;
  // Only now, in a transaction of its own: see Reader::begin().
  auto txn = replica_->env_.beginWrite();
  if (!txn) return pass(txn);
  for (const MDB_dbi dbi : {old.nodes, old.zones, old.zoneNames, old.sources, old.bad}) {
    if (auto done = txn->clear(dbi); !done) return done;
  }
  return txn->commit();
}

}  // namespace mailzone::backend
