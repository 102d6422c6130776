// LMDB by values with owners: an environment, transactions, cursors. Knows nothing of DNS.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace mailzone::backend::lmdb {

/// The Error of an LMDB return code: Errc::corrupt where the file is at fault, Errc::io otherwise.
[[nodiscard]] tl::unexpected<Error> failed(int rc, std::string_view doing);

[[nodiscard]] inline MDB_val val(std::string_view bytes) noexcept {
  // LMDB's C interface takes a pointer to non-const but writes to neither keys nor values that are passed in.
  return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}
[[nodiscard]] inline std::string_view view(const MDB_val& value) noexcept {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

/// A transaction; aborted when it goes without commit().
class Transaction {
 public:
  Transaction() = default;
  explicit Transaction(MDB_txn* txn) noexcept : txn_(txn) {}
  Transaction(Transaction&& other) noexcept : txn_(other.txn_) { other.txn_ = nullptr; }
  Transaction& operator=(Transaction&& other) noexcept {
    if (this != &other) {
      abort();
      txn_ = other.txn_;
      other.txn_ = nullptr;
    }
    return *this;
  }
  ~Transaction() { abort(); }

  [[nodiscard]] MDB_txn* get() const noexcept { return txn_; }
  void abort() noexcept;
  [[nodiscard]] Result<void> commit();
  /// A read transaction rests between two uses: reset() gives its snapshot back, renew() takes the newest.
  void reset() noexcept { mdb_txn_reset(txn_); }
  [[nodiscard]] int renew() noexcept { return mdb_txn_renew(txn_); }

  /// nullopt: no such key. The view lives as long as the transaction (a writer's: until its next write).
  [[nodiscard]] Result<std::optional<std::string_view>> find(MDB_dbi dbi, std::string_view key) const;
  [[nodiscard]] Result<void> put(MDB_dbi dbi, std::string_view key, std::string_view value);
  /// Deleting what is not there is fine.
  [[nodiscard]] Result<void> erase(MDB_dbi dbi, std::string_view key);
  /// Empties a database, keeps its handle.
  [[nodiscard]] Result<void> clear(MDB_dbi dbi);

 private:
  MDB_txn* txn_ = nullptr;
};

/// Walks keys in byte-wise order.
class Cursor {
 public:
  [[nodiscard]] static Result<Cursor> open(const Transaction& txn, MDB_dbi dbi);
  Cursor(Cursor&& other) noexcept : cursor_(other.cursor_) { other.cursor_ = nullptr; }
  Cursor& operator=(Cursor&&) = delete;
  ~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }
  /// To the first key that is not below `key`; false at the end.
  [[nodiscard]] Result<bool> seek(std::string_view key);
  [[nodiscard]] Result<bool> next();
  [[nodiscard]] std::string_view key() const noexcept { return view(key_); }
  [[nodiscard]] std::string_view value() const noexcept { return view(value_); }

 private:
  explicit Cursor(MDB_cursor* cursor) noexcept : cursor_(cursor) {}
  [[nodiscard]] Result<bool> move(MDB_cursor_op op);
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{}, value_{};
};

/// The environment in one folder (data.mdb, lock.mdb). Thread-safe; each Transaction belongs to one thread at a time.
class Environment {
 public:
  struct Options {
    std::size_t mapBytes = std::size_t{1} << 40;
    bool durable = true;
    unsigned databases = 32;
  };
  [[nodiscard]] static Result<Environment> open(const std::string& folder, const Options& options);

  [[nodiscard]] Result<Transaction> beginRead() const;
  [[nodiscard]] Result<Transaction> beginWrite() const;
  [[nodiscard]] Result<MDB_dbi> database(Transaction& txn, const char* name) const;
  /// Octets that the file must have for every page in use to be mapped.
  [[nodiscard]] std::size_t neededBytes() const noexcept;
  [[nodiscard]] int fileDescriptor() const noexcept;

 private:
  struct Close {
    void operator()(MDB_env* env) const noexcept { mdb_env_close(env); }
  };
  explicit Environment(MDB_env* env) noexcept : env_(env) {}
  std::unique_ptr<MDB_env, Close> env_;
};

}  // namespace mailzone::backend::lmdb
