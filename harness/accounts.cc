#include "harness/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "harness/text_file.h"

namespace mailzone::harness {
namespace {

using Row = std::vector<std::string>;

std::vector<Row> rowsOf(const std::string& text) {
  std::vector<Row> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Row row;
    std::istringstream fields(line + ":");
    for (std::string field; std::getline(fields, field, ':');) row.push_back(field);
    if (!line.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

std::string textOf(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) text += fmt::format("{}\n", fmt::join(row, ":"));
  return text;
}

Row* find(std::vector<Row>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.front() == name; });
  return found == rows.end() ? nullptr : &*found;
}

/// The highest free id below the range that Debian gives to packages.
Result<std::string> freeId(const std::vector<Row>& passwd, const std::vector<Row>& group) {
  std::set<std::string> taken;
  for (const auto* rows : {&passwd, &group})
    for (const Row& row : *rows)
      if (row.size() > 2) taken.insert(row[2]);
  for (int id = 59'999; id > 59'000; --id)
    if (!taken.contains(std::to_string(id))) return std::to_string(id);
  return fail(Errc::limitExceeded, "", "no user id is free between 59000 and 59999");
}

void join(Row& group, const std::string& user) {
  group.resize(4);
  const std::string padded = "," + group[3] + ",";
  if (padded.find("," + user + ",") != std::string::npos) return;
  group[3] += (group[3].empty() ? "" : ",") + user;
}

}  // namespace

Result<AccountFiles> withAccounts(AccountFiles files, const std::vector<Account>& accounts) {
  std::vector<Row> passwd = rowsOf(files.passwd);
  std::vector<Row> group = rowsOf(files.group);
  const auto ensureGroup = [&](const std::string& name) -> Result<Row*> {
    if (Row* row = find(group, name); row != nullptr) return row;
    auto id = freeId(passwd, group);
    if (!id) return pass(id);
    group.push_back({name, "x", *id, ""});
    return &group.back();
  };
  for (const Account& account : accounts) {
    if (find(passwd, account.name) == nullptr) {
      const auto own = ensureGroup(account.name);
      if (!own) return pass(own);
      const std::string id = (**own)[2];
      passwd.push_back({account.name, "x", id, id, "", "/nonexistent", "/usr/sbin/nologin"});
    }
    for (const std::string& name : account.groups) {
      const auto row = ensureGroup(name);
      if (!row) return pass(row);
      join(**row, account.name);
    }
  }
  return AccountFiles{textOf(passwd), textOf(group)};
}

Result<void> addAccounts(const std::vector<Account>& accounts) {
  auto passwd = readFile("/etc/passwd");
  auto group = readFile("/etc/group");
  if (!passwd) return pass(passwd);
  if (!group) return pass(group);
  const auto files = withAccounts({*passwd, *group}, accounts);
  if (!files) return pass(files);
  if (auto done = writeFile("/etc/passwd", files->passwd); !done) return done;
  return writeFile("/etc/group", files->group);
}

}  // namespace mailzone::harness
