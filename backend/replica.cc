#include "backend/replica.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "backend/bytes.h"
#include "backend/replica_rows.h"

namespace mailzone::backend {
namespace {

constexpr std::string_view kFormatKey = "format", kGenerationKey = "generation";

Result<std::shared_ptr<int>> lockFolder(const std::string& folder) {
  const std::string path = folder + "/owner.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return fail(Errc::io, path, fmt::format("cannot be opened: {}", std::strerror(errno)),
                "let backend.replica_path belong to the backend's user");
  }
  std::shared_ptr<int> lock(new int(fd), [](int* held) {
    ::close(*held);
    delete held;
  });
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::conflict, folder, "the replica is in use by another process: one process opens it",
                "stop the other mailzone-backend, or set another backend.replica_path");
  }
  return lock;
}

void removeFiles(const std::string& folder) {
  for (const char* name : {"/data.mdb", "/lock.mdb"}) ::unlink((folder + name).c_str());
}

}  // namespace

std::string nodeKey(std::int32_t zoneId, std::string_view canonicalName) {
  std::string key;
  key.reserve(4 + canonicalName.size());
  appendBigEndian(key, static_cast<std::uint32_t>(zoneId));
  key += canonicalName;
  return key;
}

Replica::Replica(lmdb::Environment env, std::string folder, Options options, std::shared_ptr<int> lock)
    : env_(std::move(env)), folder_(std::move(folder)), options_(options), lock_(std::move(lock)) {}
Replica::~Replica() = default;

Result<std::shared_ptr<Replica>> Replica::open(const std::string& folder, const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return fail(Errc::io, folder, "the replica's folder cannot be made: " + error.message(),
                "make it, owned by the backend's user");
  }
  auto lock = lockFolder(folder);
  if (!lock) return pass(lock);
  auto replica = openLocked(folder, options, *lock);
  if (replica || replica.error().code != Errc::corrupt) return replica;
  // Nothing is lost: it is a copy. What cannot be read must not be answered from.
  removeFiles(folder);
  return openLocked(folder, options, *lock);
}

Result<std::shared_ptr<Replica>> Replica::openLocked(const std::string& folder, const Options& options,
                                                     std::shared_ptr<int> lock) {
  auto env = lmdb::Environment::open(folder, {options.mapBytes, options.durable, 16});
  if (!env) return pass(env);
  std::shared_ptr<Replica> replica(new Replica(std::move(*env), folder, options, std::move(lock)));
  replica->checkFile();
  if (replica->broken()) return fail(Errc::corrupt, folder, "the replica's file is shorter than its contents");
  if (auto done = replica->load(); !done) return pass(done);
  return replica;
}

Result<std::shared_ptr<Replica>> Replica::replace() {
  setBroken();
  removeFiles(folder_);
  return openLocked(folder_, options_, lock_);
}

Result<void> Replica::load() {
  auto txn = env_.beginWrite();
  if (!txn) return pass(txn);
  const auto open = [&](const std::string& name, MDB_dbi& dbi) -> Result<void> {
    auto opened = env_.database(*txn, name.c_str());
    if (!opened) return pass(opened);
    dbi = *opened;
    return {};
  };
  if (auto done = open("meta", meta_); !done) return done;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    auto& t = tables_[slot];
    for (auto [name, dbi] :
         {std::pair{"nodes", &t.nodes}, std::pair{"zones", &t.zones}, std::pair{"zone_names", &t.zoneNames},
          std::pair{"sources", &t.sources}, std::pair{"bad", &t.bad}}) {
      if (auto done = open(fmt::format("{}.{}", name, slot), *dbi); !done) return done;
    }
  }
  auto format = rows::readNumber(*txn, meta_, kFormatKey);
  auto generation = rows::readNumber(*txn, meta_, kGenerationKey);
  if (!format) return pass(format);
  if (!generation) return pass(generation);
  if (*format != 0 && *format != kReplicaFormat) {
    return fail(Errc::corrupt, std::to_string(*format), "the replica was written by another version");
  }
  if (*format == 0) {
    if (auto done = rows::writeNumber(*txn, meta_, kFormatKey, kReplicaFormat); !done) return done;
  }
  auto markers = rows::readNumber(*txn, meta_, rows::markersKey(*generation % 2));
  if (!markers) return pass(markers);
  if (auto done = txn->commit(); !done) return done;
  markers_ = *markers;
  generation_ = *generation;
  return {};
}

void Replica::checkFile() noexcept {
  // A mapped page that the file no longer has is SIGBUS, which ends the process: look before anybody touches one.
  struct stat file {};
  struct stat named {};
  if (::fstat(env_.fileDescriptor(), &file) != 0 || ::stat((folder_ + "/data.mdb").c_str(), &named) != 0 ||
      file.st_ino != named.st_ino || file.st_dev != named.st_dev ||
      static_cast<std::size_t>(file.st_size) < env_.neededBytes()) {
    setBroken();
  }
}

// ---- Reader

Result<Replica::Reader> Replica::Reader::open(std::shared_ptr<Replica> replica) {
  auto txn = replica->env_.beginRead();
  if (!txn) return pass(txn);
  txn->reset();
  return Reader(std::move(replica), std::move(*txn));
}

bool Replica::Reader::begin() noexcept {
  end();
  // The snapshot and the number of the live generation must belong together. Old tables are emptied only after the
  // number has changed, so equal numbers before and after renew() mean that the snapshot has that generation whole.
  for (int attempt = 0; attempt < 8 && !replica_->broken(); ++attempt) {
    const auto generation = replica_->generation_.load(std::memory_order_acquire);
    if (generation == 0 || txn_.renew() != MDB_SUCCESS) return false;
    if (replica_->generation_.load(std::memory_order_acquire) == generation) {
      generation_ = generation;
      active_ = true;
      return true;
    }
    txn_.reset();
  }
  return false;
}

Result<std::optional<std::string_view>> Replica::Reader::get(MDB_dbi dbi, std::string_view key) {
  auto stored = txn_.find(dbi, key);
  std::string_view payload;
  if (!stored) {
    replica_->setBroken();
    return stored;
  }
  if (!*stored) return std::nullopt;
  if (!unseal(key, **stored, payload)) {
    replica_->setBroken();
    return fail(Errc::corrupt, key, "a checksum in the replica does not fit");
  }
  return payload;
}

Found Replica::Reader::lookup(std::int32_t zoneId, std::string_view canonicalName, RecordType type, std::string& out) {
  std::array<char, 512> key{};
  if (canonicalName.size() > key.size() - 4) return Found::nothing;
  for (unsigned i = 0; i < 4; ++i) key[i] = static_cast<char>(static_cast<std::uint32_t>(zoneId) >> (24 - 8 * i));
  std::memcpy(key.data() + 4, canonicalName.data(), canonicalName.size());
  auto stored = get(tables().nodes, {key.data(), 4 + canonicalName.size()});
  if (!stored) return Found::broken;
  Found found = Found::nothing;
  if (*stored) {
    std::array<char, 12> id{};
    const auto end = std::to_chars(id.data(), id.data() + id.size(), zoneId).ptr;
    found = appendJson(**stored, type, {id.data(), static_cast<std::size_t>(end - id.data())}, out);
    if (found == Found::broken) return broken();
  }
  if (found == Found::nothing && replica_->markers_.load(std::memory_order_relaxed) != 0) {
    return belowMarker(zoneId, canonicalName);
  }
  return found;
}

Found Replica::Reader::belowMarker(std::int32_t zoneId, std::string_view canonicalName) {
  auto zone = this->zone(zoneId);
  if (!zone) return Found::broken;
  if (!*zone) return Found::nothing;
  // Not at the apex itself: one bad row would silence the whole zone.
  const std::size_t apex = (*zone)->name.canonicalKey().size();
  for (auto name = rows::parentKey(canonicalName); name.size() > apex; name = rows::parentKey(name)) {
    auto stored = get(tables().nodes, nodeKey(zoneId, name));
    if (!stored) return Found::broken;
    if (*stored && storedHasMarker(**stored)) return Found::cannotTell;
  }
  return Found::nothing;
}

Found Replica::Reader::transfer(std::int32_t zoneId, std::string& out) {
  auto cursor = lmdb::Cursor::open(txn_, tables().nodes);
  if (!cursor) return broken();
  const std::string prefix = nodeKey(zoneId, {});
  const std::string id = std::to_string(zoneId);
  auto more = cursor->seek(prefix);
  Found found = Found::nothing;
  for (; more && *more && cursor->key().starts_with(prefix); more = cursor->next()) {
    std::string_view payload;
    if (!unseal(cursor->key(), cursor->value(), payload)) return broken();
    if (appendJsonForTransfer(payload, id, out) == Found::broken) return broken();
    found = Found::records;
  }
  return more ? found : broken();
}

Result<std::optional<std::int32_t>> Replica::Reader::zoneAt(std::string_view canonicalName) {
  auto stored = get(tables().zoneNames, rows::zoneNameKey(canonicalName));
  if (!stored) return pass(stored);
  if (!*stored || (*stored)->size() != 4) return std::nullopt;
  return static_cast<std::int32_t>(readBigEndian<std::uint32_t>(**stored));
}

Result<std::optional<ServedZone>> Replica::Reader::zone(std::int32_t zoneId) {
  auto stored = get(tables().zones, rows::zoneKey(zoneId));
  if (!stored) return pass(stored);
  if (!*stored) return std::nullopt;
  auto zone = rows::decodeZone(zoneId, **stored);
  if (!zone) {
    replica_->setBroken();
    return pass(zone);
  }
  return *zone;
}

Result<void> Replica::Reader::eachZone(const std::function<void(const ServedZone&)>& onZone) {
  auto cursor = lmdb::Cursor::open(txn_, tables().zones);
  if (!cursor) return pass(cursor);
  auto more = cursor->seek({});
  for (; more && *more; more = cursor->next()) {
    std::string_view payload;
    const auto key = cursor->key();
    if (key.size() != 4 || !unseal(key, cursor->value(), payload)) {
      replica_->setBroken();
      return fail(Errc::corrupt, key, "a checksum in the replica does not fit");
    }
    auto zone = rows::decodeZone(static_cast<std::int32_t>(readBigEndian<std::uint32_t>(key)), payload);
    if (!zone) return pass(zone);
    onZone(*zone);
  }
  if (!more) return pass(more);
  return {};
}

Result<std::vector<BadSource>> Replica::Reader::badSources() {
  std::vector<BadSource> out;
  auto cursor = lmdb::Cursor::open(txn_, tables().bad);
  if (!cursor) return pass(cursor);
  auto more = cursor->seek({});
  for (; more && *more; more = cursor->next()) {
    std::string_view payload;
    if (cursor->key().size() < 9 || !unseal(cursor->key(), cursor->value(), payload)) {
      return fail(Errc::corrupt, cursor->key(), "a checksum in the replica does not fit");
    }
    auto source = SourceId::fromKey(cursor->key().substr(0, 9));
    if (!source) return pass(source);
    const auto cut = payload.find('\0');
    out.push_back({*source, std::string(payload.substr(0, cut)),
                   cut == std::string_view::npos ? std::string() : std::string(payload.substr(cut + 1))});
  }
  if (!more) return pass(more);
  return out;
}

Result<Position> Replica::Reader::position() {
  return rows::readPosition(txn_, replica_->meta_, generation_ % 2);
}

Result<void> Replica::Reader::eachNode(const std::function<void(std::string_view, const Node&)>& onNode) {
  auto cursor = lmdb::Cursor::open(txn_, tables().nodes);
  if (!cursor) return pass(cursor);
  auto more = cursor->seek({});
  for (; more && *more; more = cursor->next()) {
    std::string_view payload;
    if (!unseal(cursor->key(), cursor->value(), payload)) {
      return fail(Errc::corrupt, cursor->key(), "a checksum in the replica does not fit");
    }
    auto node = decodeNode(payload);
    if (!node) return pass(node);
    onNode(cursor->key(), *node);
  }
  if (!more) return pass(more);
  return {};
}

}  // namespace mailzone::backend
