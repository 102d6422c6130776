// Wrong states are impossible, right ones possible: the two files of statements, on every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/engines.h"

namespace mailzone {
namespace {

using test::one;
using test::onEachEngine;
using test::seedPlatform;
using test::TestDatabase;

struct Statement {
  std::string reason;
  std::string text;
};

/// The statements of a file, each with the comment above it.
std::vector<Statement> statementsOf(const std::string& file) {
  std::ifstream stream(std::string(MAILZONE_SOURCE_DIR) + "/tests/contract/" + file);
  std::vector<Statement> statements;
  Statement current;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty()) {
      if (!current.text.empty()) statements.push_back(current);
      current = {};
    } else if (line.starts_with("-- ")) {
      current.reason = line.substr(3);
    } else {
      current.text += (current.text.empty() ? "" : "\n") + line;
    }
  }
  if (!current.text.empty()) statements.push_back(current);
  return statements;
}

/// How many rows each table has, and the newest change.
std::string state(sql::Connection& connection) {
  std::string counts;
  for (const std::string_view table : {"platform", "zone", "static_record", "ip_pool", "ip_address", "relay", "tenant",
                                       "domain", "stream", "login", "login_domain", "dkim_key", "dkim_selector",
                                       "active_key", "departed", "envelope_domain", "name_suffix", "domain_moving"}) {
    counts += one(connection, "SELECT count(*) FROM " + std::string(table)) + " ";
  }
  return counts + one(connection, "SELECT count(*), coalesce(max(id), 0) FROM feed_inbox");
}

TEST(States, RightOnesAreAcceptedAndWrongOnesRefused) {
  const auto right = statementsOf("right_states.sql");
  const auto wrong = statementsOf("wrong_states.sql");
  ASSERT_GE(right.size(), 40U);
  ASSERT_GE(wrong.size(), 40U);
  onEachEngine([&](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    for (const auto& statement : right) {
      const auto done = connection->execute(statement.text);
      ASSERT_TRUE(done) << statement.reason << "\n" << statement.text << "\n" << describe(done.error());
    }
    const std::string before = state(*connection);
    for (const auto& statement : wrong) {
      const auto done = connection->execute(statement.text);
      if (done) {
        ADD_FAILURE() << "accepted: " << statement.reason << "\n" << statement.text;
        continue;
      }
      // Refused for what it is: not because the statement could not be understood or somebody else was in the way.
      EXPECT_THAT(done.error().code, testing::AnyOf(Errc::invalidInput, Errc::conflict)) << statement.reason << "\n"
                                                                                         << statement.text << "\n"
                                                                                         << describe(done.error());
    }
    EXPECT_EQ(state(*connection), before) << "a refused statement left something behind";
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM domain_moving"), "0");
  });
}

}  // namespace
}  // namespace mailzone
