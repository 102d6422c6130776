// What a benchmark says: a table, and the same as a document of schema mailzone/bench/1.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mailzone::bench {

struct Options {
  std::string json;  ///< "" for none
  bool smoke = false;
  bool strict = false;
};
/// Reads --json FILE, --smoke, --strict; ends the process with 2 for anything else.
[[nodiscard]] Options parseOptions(int argc, char** argv);

struct Row {
  std::string metric;
  std::string unit;
  bool higherIsBetter = true;
  std::vector<double> ours;  ///< one per run; the median is the figure
  std::optional<double> peer;
  double target = 0;
  bool targetOnRatio = false;
};

/// Prints, writes and decides the exit status: 1 only with --strict and a row that misses its target.
[[nodiscard]] int report(const std::string& name, const std::vector<Row>& rows, const Options& options);

}  // namespace mailzone::bench
