// One-way includes: every #include "..." in the folders of cmake/layers.cmake stands in that table, header-only code
// too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Table = std::map<std::string, std::set<std::string>>;

Table readTable(const std::string& path) {
  Table table;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream edges(line.substr(colon + 1));
    auto& to = table[line.substr(0, colon)];
    for (std::string edge; edges >> edge;) to.insert(edge);
  }
  return table;
}

/// The longest row of the table that `path` lies in; "" outside of all.
std::string layerOf(const Table& table, const std::string& path) {
  std::string best;
  for (const auto& [folder, edges] : table) {
    if (path.rfind(folder + '/', 0) == 0 && folder.size() > best.size()) best = folder;
  }
  return best;
}

std::vector<std::string> violationsIn(const Table& table, const std::string& file, const std::string& text) {
  static const std::regex include("^[ \\t]*#[ \\t]*include[ \\t]*\"([^\"]+)\"");
  std::vector<std::string> found;
  const auto from = layerOf(table, file);
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, include)) continue;
    const auto to = layerOf(table, match[1].str());
    if (to.empty()) {
      found.push_back(file + " includes \"" + match[1].str() + "\", which is no path from the top of the project");
    } else if (to != from && table.at(from).count(to) == 0) {
      found.push_back(file + " (" + from + ") includes " + match[1].str() + " (" + to + ")");
    }
  }
  return found;
}

std::string readFile(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Layers, EveryIncludeStandsInTheTable) {
  const auto table = readTable(MAILZONE_LAYERS_FILE);
  ASSERT_GE(table.size(), 9U);
  std::size_t files = 0;
  std::vector<std::string> violations;
  for (const auto& [folder, edges] : table) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(MAILZONE_SOURCE_DIR) / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      const auto relative = fs::relative(entry.path(), MAILZONE_SOURCE_DIR).string();
      if (layerOf(table, relative) != folder) continue;
      ++files;
      for (auto& each : violationsIn(table, relative, readFile(entry.path()))) violations.push_back(std::move(each));
    }
  }
  EXPECT_GT(files, 10U);
  EXPECT_THAT(violations, testing::IsEmpty());
}

TEST(Layers, AnEdgeAgainstTheTableIsFound) {
  const auto table = readTable(MAILZONE_LAYERS_FILE);
  EXPECT_THAT(violationsIn(table, "core/x.h", "#include \"system/sql.h\"\n"), testing::SizeIs(1)) << "upwards";
  EXPECT_THAT(violationsIn(table, "backend/x.h", "#  include \"tenantdb/secret/secret_store.h\"\n"), testing::SizeIs(1))
      << "what faces DNS does not know the key half of tenantdb";
  EXPECT_THAT(violationsIn(table, "core/x.h", "#include \"result.h\"\n"), testing::SizeIs(1)) << "relative";
  EXPECT_THAT(violationsIn(table, "rotation/x.cc", "#include \"tenantdb/secret/secret_store.h\"\n"),
              testing::IsEmpty());
}

TEST(Layers, TheTableHasNoCycle) {
  auto table = readTable(MAILZONE_LAYERS_FILE);
  for (std::size_t before = table.size() + 1; !table.empty() && table.size() < before;) {
    before = table.size();
    for (auto it = table.begin(); it != table.end();) {
      if (it->second.empty()) {
        const auto gone = it->first;
        it = table.erase(it);
        for (auto& [folder, edges] : table) edges.erase(gone);
      } else {
        ++it;
      }
    }
  }
  EXPECT_THAT(table, testing::IsEmpty());
}

}  // namespace
