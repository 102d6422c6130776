// `mailzone-harness run`: brings the whole topology up in namespaces of its own, runs the scenarios, prints the table.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "harness/stage.h"

namespace mailzone::harness {

struct DemoOptions {
  Layout layout;  ///< `work` is made by runDemo()
  std::string scenarioFolder;
  Database database = Database::sqlite;
  std::string breakage;           ///< "" or a name of breakage.h
  std::vector<std::string> only;  ///< names of rows; a final "*" stands for any rest. Empty: all.
  bool keep = false;              ///< stays up after the table, until a signal
  bool jsonOnly = false;          ///< the document on standard output and nothing else there
  std::string jsonFile;           ///< "" for none
};

/// Exit status: 0 every verdict as expected, 1 not, 2 not root or wrong use, 75 another demo runs, 69 a daemon did not
/// come up, 78 scenario files.
[[nodiscard]] int runDemo(const DemoOptions& options);

}  // namespace mailzone::harness
