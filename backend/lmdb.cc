#include "backend/lmdb.h"

#include <sys/stat.h>

#include <string>

namespace mailzone::backend::lmdb {

tl::unexpected<Error> failed(int rc, std::string_view doing) {
  const bool file = rc == MDB_CORRUPTED || rc == MDB_PANIC || rc == MDB_VERSION_MISMATCH || rc == MDB_INVALID ||
                    rc == MDB_PAGE_NOTFOUND || rc == MDB_INCOMPATIBLE || rc == MDB_BAD_DBI;
  return fail(file ? Errc::corrupt : Errc::io, {},
              std::string("replica: ") + std::string(doing) + ": " + mdb_strerror(rc));
}

void Transaction::abort() noexcept {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
  txn_ = nullptr;
}

Result<void> Transaction::commit() {
  MDB_txn* txn = txn_;
  txn_ = nullptr;
  if (const int rc = mdb_txn_commit(txn); rc != MDB_SUCCESS) return failed(rc, "commit");
  return {};
}

Result<std::optional<std::string_view>> Transaction::find(MDB_dbi dbi, std::string_view key) const {
  MDB_val k = val(key);
  MDB_val v{};
  const int rc = mdb_get(txn_, dbi, &k, &v);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc != MDB_SUCCESS) return failed(rc, "read");
  return view(v);
}

Result<void> Transaction::put(MDB_dbi dbi, std::string_view key, std::string_view value) {
  MDB_val k = val(key);
  MDB_val v = val(value);
  if (const int rc = mdb_put(txn_, dbi, &k, &v, 0); rc != MDB_SUCCESS) return failed(rc, "write");
  return {};
}

Result<void> Transaction::erase(MDB_dbi dbi, std::string_view key) {
  MDB_val k = val(key);
  if (const int rc = mdb_del(txn_, dbi, &k, nullptr); rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
    return failed(rc, "delete");
  return {};
}

Result<void> Transaction::clear(MDB_dbi dbi) {
  if (const int rc = mdb_drop(txn_, dbi, 0); rc != MDB_SUCCESS) return failed(rc, "clear");
  return {};
}

Result<Cursor> Cursor::open(const Transaction& txn, MDB_dbi dbi) {
  MDB_cursor* cursor = nullptr;
  if (const int rc = mdb_cursor_open(txn.get(), dbi, &cursor); rc != MDB_SUCCESS) return failed(rc, "open a cursor");
  return Cursor(cursor);
}

Result<bool> Cursor::move(MDB_cursor_op op) {
  const int rc = mdb_cursor_get(cursor_, &key_, &value_, op);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != MDB_SUCCESS) return failed(rc, "walk");
  return true;
}

Result<bool> Cursor::seek(std::string_view key) {
  key_ = val(key);
  return move(key.empty() ? MDB_FIRST : MDB_SET_RANGE);
}

Result<bool> Cursor::next() {
  return move(MDB_NEXT);
}

Result<Environment> Environment::open(const std::string& folder, const Options& options) {
  MDB_env* raw = nullptr;
  if (const int rc = mdb_env_create(&raw); rc != MDB_SUCCESS) return failed(rc, "create an environment");
  Environment env(raw);
  if (const int rc = mdb_env_set_mapsize(raw, options.mapBytes); rc != MDB_SUCCESS)
    return failed(rc, "set the map size");
  if (const int rc = mdb_env_set_maxdbs(raw, options.databases); rc != MDB_SUCCESS)
    return failed(rc, "set the databases");
  // NOTLS: a read transaction belongs to its object, not to a thread. NORDAHEAD: names are asked at random.
  const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options.durable ? 0U : unsigned{MDB_NOSYNC});
  if (const int rc = mdb_env_open(raw, folder.c_str(), flags, 0640); rc != MDB_SUCCESS) {
    return failed(rc, "open " + folder);
  }
  return env;
}

Result<Transaction> Environment::beginRead() const {
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &txn); rc != MDB_SUCCESS)
    return failed(rc, "begin");
  return Transaction(txn);
}

Result<Transaction> Environment::beginWrite() const {
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env_.get(), nullptr, 0, &txn); rc != MDB_SUCCESS) return failed(rc, "begin writing");
  return Transaction(txn);
}

Result<MDB_dbi> Environment::database(Transaction& txn, const char* name) const {
  MDB_dbi dbi = 0;
  if (const int rc = mdb_dbi_open(txn.get(), name, MDB_CREATE, &dbi); rc != MDB_SUCCESS)
    return failed(rc, "open a database");
  return dbi;
}

std::size_t Environment::neededBytes() const noexcept {
  MDB_envinfo info{};
  MDB_stat stat{};
  if (mdb_env_info(env_.get(), &info) != MDB_SUCCESS || mdb_env_stat(env_.get(), &stat) != MDB_SUCCESS) return 0;
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

int Environment::fileDescriptor() const noexcept {
  mdb_filehandle_t fd = -1;
  return mdb_env_get_fd(env_.get(), &fd) == MDB_SUCCESS ? fd : -1;
}

}  // namespace mailzone::backend::lmdb
