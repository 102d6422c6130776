// How the replica's small rows are stored. Private to replica.cc and replica_writer.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/lmdb.h"
#include "backend/replica.h"

namespace mailzone::backend::rows {

[[nodiscard]] std::string zoneKey(std::int32_t zoneId);
/// LMDB has no empty key, and the root's canonical key is empty.
[[nodiscard]] std::string zoneNameKey(std::string_view canonicalName);
[[nodiscard]] std::string encodeZone(const ServedZone& zone);
[[nodiscard]] Result<ServedZone> decodeZone(std::int32_t zoneId, std::string_view payload);

/// The key one label up; "" above the last one.
[[nodiscard]] std::string_view parentKey(std::string_view canonicalName) noexcept;

[[nodiscard]] std::string markersKey(std::size_t slot);
/// 0 when it is not there.
[[nodiscard]] Result<std::uint64_t> readNumber(const lmdb::Transaction& txn, MDB_dbi meta, std::string_view name);
[[nodiscard]] Result<void> writeNumber(lmdb::Transaction& txn, MDB_dbi meta, std::string_view name,
                                       std::uint64_t value);
[[nodiscard]] Result<Position> readPosition(const lmdb::Transaction& txn, MDB_dbi meta, std::size_t slot);
[[nodiscard]] Result<void> writePosition(lmdb::Transaction& txn, MDB_dbi meta, std::size_t slot,
                                         const Position& position);

}  // namespace mailzone::backend::rows
