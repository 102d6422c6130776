#include "bench/report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

namespace mailzone::bench {
namespace {

using nlohmann::ordered_json;

ordered_json machine() {
  std::string cpu = "unknown";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      cpu = line.substr(line.find(':') + 2);
      break;
    }
  }
  utsname name{};
  ::uname(&name);
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return {{"cpu", cpu}, {"cores", std::thread::hardware_concurrency()}, {"kernel", name.release}, {"load", load}};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--smoke") {
      options.smoke = true;
    } else if (argument == "--strict") {
      options.strict = true;
    } else if (argument == "--json" && i + 1 < argc) {
      options.json = argv[++i];
    } else {
      fmt::print(stderr, "usage: bench/run NAME [--json FILE] [--smoke] [--strict]\n");
      std::exit(2);
    }
  }
  return options;
}

int report(const std::string& name, const std::vector<Row>& rows, const Options& options) {
  ordered_json document = {{"schema", "mailzone/bench/1"}, {"name", name}, {"machine", machine()}};
  document["rows"] = ordered_json::array();
  bool allOk = true;
  fmt::print("{:<24} {:>12} {:<6} {:>10} {:>12} {:>5} {:>8}  {}\n", "metric", "ours", "unit", "peer", "target", "runs",
             "spread", "ok");
  for (const auto& row : rows) {
    const double ours = median(row.ours);
    const auto [low, high] = std::minmax_element(row.ours.begin(), row.ours.end());
    const double spread = ours == 0 ? 0 : (*high - *low) / ours;
    const double ratio = row.peer ? ours / *row.peer : 0;
    const double judged = row.targetOnRatio ? ratio : ours;
    const bool ok = row.higherIsBetter ? judged >= row.target : judged <= row.target;
    allOk = allOk && ok;
    fmt::print("{:<24} {:>12.1f} {:<6} {:>10} {:>12} {:>5} {:>7.0f}%  {}\n", row.metric, ours, row.unit,
               row.peer ? fmt::format("{:.1f}", *row.peer) : "-",
               fmt::format("{} {:g}", row.higherIsBetter ? ">=" : "<=", row.target), row.ours.size(), spread * 100,
               ok ? "yes" : "no");
    ordered_json peer, ratioOrNull;
    if (row.peer) {
      peer = *row.peer;
      ratioOrNull = ratio;
    }
    document["rows"].push_back({{"metric", row.metric},
                                {"unit", row.unit},
                                {"better", row.higherIsBetter ? "higher" : "lower"},
                                {"ours", ours},
                                {"peer", peer},
                                {"ratio", ratioOrNull},
                                {"target", row.target},
                                {"target_on", row.targetOnRatio ? "ratio" : "ours"},
                                {"runs", row.ours.size()},
                                {"spread", spread},
                                {"ok", ok}});
  }
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << document.dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "bench: \"{}\": cannot be written\n", options.json);
      return 1;
    }
  }
  return options.strict && !allOk ? 1 : 0;
}

}  // namespace mailzone::bench
