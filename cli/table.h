// Tables for people: columns as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

#include "cli/document.h"

namespace mailzone::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// With the headings; "" when there is no row below them. Cells are made safe for a terminal.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

struct Column {
  std::string heading;
  std::string member;
};
/// The objects of an array as a table; `none` when it is empty.
[[nodiscard]] std::string tableOf(const Document& array, const std::vector<Column>& columns, const std::string& none);
/// One object as lines "heading  value".
[[nodiscard]] std::string linesOf(const Document& object, const std::vector<Column>& columns);

}  // namespace mailzone::cli
