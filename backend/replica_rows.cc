#include "backend/replica_rows.h"

#include <optional>

#include "backend/bytes.h"

namespace mailzone::backend::rows {
namespace {

Result<std::optional<std::string_view>> read(const lmdb::Transaction& txn, MDB_dbi dbi, std::string_view key) {
  auto stored = txn.find(dbi, key);
  if (!stored || !*stored) return stored;
  std::string_view payload;
  if (!unseal(key, **stored, payload)) return fail(Errc::corrupt, key, "a checksum in the replica does not fit");
  return payload;
}

std::string positionKey(std::size_t slot) {
  return "position." + std::to_string(slot);
}

}  // namespace

std::string zoneKey(std::int32_t zoneId) {
  return nodeKey(zoneId, {});
}

std::string zoneNameKey(std::string_view canonicalName) {
  return '/' + std::string(canonicalName);
}

std::string encodeZone(const ServedZone& zone) {
  std::string out;
  appendNumber(out, zone.serial);
  appendNumber(out, zone.serialOffset);
  const auto appendText = [&](std::string_view text) {
    appendNumber(out, static_cast<std::uint32_t>(text.size()));
    out += text;
  };
  appendText(zone.name.wire());
  for (const auto& [kind, values] : zone.metadata) {
    for (const auto& value : values) {
      appendText(kind);
      appendText(value);
    }
  }
  return out;
}

Result<ServedZone> decodeZone(std::int32_t zoneId, std::string_view payload) {
  ByteReader reader(payload);
  ServedZone zone;
  zone.id = zoneId;
  zone.serial = reader.number<std::uint32_t>();
  zone.serialOffset = reader.number<std::uint32_t>();
  const auto readText = [&] { return reader.text(reader.number<std::uint32_t>()); };
  auto name = DnsName::fromWire(readText());
  while (reader.ok() && !reader.atEnd()) {
    const auto kind = readText();
    zone.metadata[std::string(kind)].emplace_back(readText());
  }
  if (!reader.ok() || !name) return fail(Errc::corrupt, std::to_string(zoneId), "a stored zone is cut short");
  zone.name = *name;
  return zone;
}

std::string_view parentKey(std::string_view canonicalName) noexcept {
  if (canonicalName.size() < 2) return {};
  const auto end = canonicalName.rfind('\0', canonicalName.size() - 2);
  return end == std::string_view::npos ? std::string_view{} : canonicalName.substr(0, end + 1);
}

std::string markersKey(std::size_t slot) {
  return "markers." + std::to_string(slot);
}

Result<std::uint64_t> readNumber(const lmdb::Transaction& txn, MDB_dbi meta, std::string_view name) {
  auto payload = read(txn, meta, name);
  if (!payload) return pass(payload);
  if (!*payload) return 0;
  return ByteReader(**payload).number<std::uint64_t>();
}

Result<void> writeNumber(lmdb::Transaction& txn, MDB_dbi meta, std::string_view name, std::uint64_t value) {
  std::string payload;
  appendNumber(payload, value);
  return txn.put(meta, name, seal(name, payload));
}

Result<Position> readPosition(const lmdb::Transaction& txn, MDB_dbi meta, std::size_t slot) {
  auto payload = read(txn, meta, positionKey(slot));
  if (!payload) return pass(payload);
  if (!*payload) return Position{};
  ByteReader reader(**payload);
  Position position;
  position.seq = reader.number<std::int64_t>();
  position.nonce = (*payload)->substr(std::min<std::size_t>(8, (*payload)->size()));
  return position;
}

Result<void> writePosition(lmdb::Transaction& txn, MDB_dbi meta, std::size_t slot, const Position& position) {
  std::string payload;
  appendNumber(payload, position.seq);
  payload += position.nonce;
  const auto key = positionKey(slot);
  return txn.put(meta, key, seal(key, payload));
}

}  // namespace mailzone::backend::rows
