#include "cli/table.h"

#include <algorithm>

namespace mailzone::cli {
namespace {

/// Control characters away, everything else (UTF-8 included) as it is.
std::string shown(const std::string& cell) {
  std::string text = cell;
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return text;
}

/// Code points, which is how wide the cell is but for marks and wide scripts.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
  if (rows_.size() == 1) return "";
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width(shown(row[i])));
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      if (i > 0) line += "  ";
      const std::string cell = shown(row[i]);
      line += cell;
      line.append(widths[i] - width(cell), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string tableOf(const Document& array, const std::vector<Column>& columns, const std::string& none) {
  if (array.array() == nullptr || array.array()->empty()) return none + "\n";
  std::vector<std::string> headings;
  for (const Column& column : columns) headings.push_back(column.heading);
  Table table(std::move(headings));
  for (const Document& object : *array.array()) {
    std::vector<std::string> cells;
    for (const Column& column : columns) {
      const Document* member = object.find(column.member);
      cells.push_back(member == nullptr ? "-" : member->cell());
    }
    table.row(std::move(cells));
  }
  return table.text();
}

std::string linesOf(const Document& object, const std::vector<Column>& columns) {
  std::size_t widest = 0;
  for (const Column& column : columns) widest = std::max(widest, column.heading.size());
  std::string text;
  for (const Column& column : columns) {
    const Document* member = object.find(column.member);
    text += column.heading + std::string(widest - column.heading.size() + 2, ' ') +
            shown(member == nullptr ? "-" : member->cell()) + "\n";
  }
  return text;
}

}  // namespace mailzone::cli
