#include "cli/table.h"

#include <gtest/gtest.h>

namespace mailzone::cli {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"A", "LONG"});
  table.row({"xyz", "1"});
  table.row({"\xc3\xbc", "22"});
  EXPECT_EQ(table.text(), "A    LONG\nxyz  1\n\xc3\xbc    22\n");
}

TEST(Table, ControlCharactersNeverReachTheTerminal) {
  Table table({"A"});
  table.row({"\x1b[2J\n"});
  EXPECT_EQ(table.text(), "A\n?[2J?\n");
}

TEST(Table, OfNothingSaysSo) {
  EXPECT_EQ(Table({"A"}).text(), "");
  EXPECT_EQ(tableOf(Document(Document::Array{}), {{"A", "a"}}, "no rows"), "no rows\n");
}

}  // namespace
}  // namespace mailzone::cli
