// One row's columns as values, by the order of the SELECT. The first column that is no value makes the row an Error
// that names table, id, column and value. Internal to tenantdb.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/dns_name.h"
#include "core/model.h"
#include "core/result.h"
#include "system/sql.h"

namespace mailzone::tenantdb {

class Columns {
 public:
  /// `table` and the id stand in every Error.
  Columns(const sql::Row& row, std::string_view table, std::int64_t id) : row_(row), table_(table), id_(id) {}

  [[nodiscard]] bool isNull(std::size_t column) const { return row_.isNull(column); }
  [[nodiscard]] std::string text(std::size_t column) const { return row_.text(column); }
  [[nodiscard]] std::optional<std::string> optionalText(std::size_t column) const {
    return row_.isNull(column) ? std::nullopt : std::optional<std::string>(row_.text(column));
  }
  std::int64_t number(std::size_t column, std::string_view name, std::int64_t least, std::int64_t most) {
    const auto value = row_.integer(column);
    if (!value) {
      note(name, value.error());
      return least;
    }
    if (*value < least || *value > most) {
      note(name, Error{Errc::invalidInput, std::to_string(*value),
                       "not within " + std::to_string(least) + " to " + std::to_string(most), ""});
      return least;
    }
    return *value;
  }
  template <class Id>
  std::optional<Id> optionalId(std::size_t column, std::string_view name) {
    if (row_.isNull(column)) return std::nullopt;
    return static_cast<Id>(number(column, name, 1, std::is_same_v<Id, ZoneId> ? kMostZoneId : kMostId));
  }
  DnsName name(std::size_t column, std::string_view columnName) {
    return take<DnsName>(DnsName::parse(row_.text(column)), columnName);
  }
  /// A name of letters, digits and hyphens.
  DnsName hostName(std::size_t column, std::string_view columnName) {
    DnsName parsed = name(column, columnName);
    if (!error_ && !parsed.isHostName()) {
      note(columnName, Error{Errc::invalidInput, parsed.textNoDot(), "not a host name (RFC 1123 section 2.1)", ""});
    }
    return parsed;
  }
  template <class Enum>
  Enum word(std::size_t column, std::string_view name) {
    return take<Enum>(parseWord<Enum>(row_.text(column)), name);
  }
  std::optional<TimePoint> time(std::size_t column, std::string_view name) {
    if (row_.isNull(column)) return std::nullopt;
    return take<TimePoint>(parseSqlTime(row_.text(column)), name);
  }
  template <class T>
  T take(Result<T> parsed, std::string_view name) {
    if (parsed) return *std::move(parsed);
    note(name, parsed.error());
    return T{};
  }
  /// The first thing that was wrong.
  void note(std::string_view column, const Error& error) {
    if (error_) return;
    error_ = error;
    error_->rule =
        std::string(table_) + " " + std::to_string(id_) + ", column " + std::string(column) + ": " + error.rule;
    if (error_->remedy.empty()) error_->remedy = "correct the row";
  }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }
  /// `value`, or what was wrong.
  template <class T>
  [[nodiscard]] Result<T> done(T value) const {
    if (error_) return tl::unexpected<Error>(*error_);
    return value;
  }

  static constexpr std::int64_t kMostZoneId = 2147483647;
  static constexpr std::int64_t kMostId = 9223372036854775807;

 private:
  const sql::Row& row_;
  std::string_view table_;
  std::int64_t id_;
  std::optional<Error> error_;
};

}  // namespace mailzone::tenantdb
