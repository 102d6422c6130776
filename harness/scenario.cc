#include "harness/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>

// Costly to compile: in this file alone.
#include <toml++/toml.h>

#include "harness/text_file.h"
#include "harness/topology.h"
#include "harness/verdict.h"

namespace mailzone::harness {
namespace {

tl::unexpected<Error> wrong(const std::string& file, const toml::node& node, const std::string& value,
                            const std::string& rule, const std::string& remedy = {}) {
  return fail(Errc::settings, value, fmt::format("{}:{}: {}", file, node.source().begin.line, rule), remedy);
}

/// Reads one table: every key must be taken, and a value of another type is an error.
class TableReader {
 public:
  TableReader(std::string file, const toml::table& table) : file_(std::move(file)), table_(table) {}

  void text(const char* key, std::string& into, bool required = false) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      if (required && error_.rule.empty()) error_ = wrong(file_, table_, key, "is missing here").value();
      return;
    }
    if (const auto value = node->value_exact<std::string>())
      into = *value;
    else
      fails(*node, key, "must be a text in quotes");
  }
  void flag(const char* key, bool& into) {
    known_.insert(key);
    if (const toml::node* node = table_.get(key)) {
      if (const auto value = node->value_exact<bool>())
        into = *value;
      else
        fails(*node, key, "must be true or false");
    }
  }
  void texts(const char* key, std::vector<std::string>& into) {
    known_.insert(key);
    if (const toml::node* node = table_.get(key)) takeTexts(*node, key, into);
  }
  void textLists(const char* key, std::vector<std::vector<std::string>>& into) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    if (!node->is_array()) return fails(*node, key, "must be a list of lists of texts");
    for (const toml::node& row : *node->as_array()) takeTexts(row, key, into.emplace_back());
  }
  void texts(const char* key, std::map<std::string, std::string>& into) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    if (!node->is_table()) return fails(*node, key, "must be a table of texts");
    for (const auto& [name, value] : *node->as_table()) {
      const auto text = value.value_exact<std::string>();
      if (!text) return fails(value, std::string(name.str()), "must be a text in quotes");
      into[std::string(name.str())] = *text;
    }
  }
  [[nodiscard]] Result<void> finish() {
    for (const auto& [key, value] : table_)
      if (!known_.contains(std::string(key.str()))) fails(value, std::string(key.str()), "is no key of this table");
    if (!error_.rule.empty()) return tl::unexpected<Error>(error_);
    return {};
  }

 private:
  void fails(const toml::node& node, const std::string& key, const std::string& rule) {
    if (error_.rule.empty()) error_ = wrong(file_, node, key, rule).value();
  }
  void takeTexts(const toml::node& node, const char* key, std::vector<std::string>& into) {
    if (!node.is_array()) return fails(node, key, "must be a list of texts");
    for (const toml::node& item : *node.as_array()) {
      const auto value = item.value_exact<std::string>();
      if (!value) return fails(item, key, "must be a list of texts");
      into.push_back(*value);
    }
  }
  std::string file_;
  const toml::table& table_;
  std::set<std::string> known_;
  Error error_;
};

Result<void> addMail(ScenarioSet& set, const std::string& file, const toml::table& table) {
  Scenario row;
  std::map<std::string, std::string> headers;
  TableReader reader(file, table);
  reader.text("name", row.name, true);
  reader.text("stream", row.stream, true);
  reader.text("door", row.door, true);
  reader.text("login", row.login);
  reader.text("from", row.from, true);
  reader.text("envelope", row.envelope, true);
  reader.text("to", row.to, true);
  reader.text("subject", row.subject);
  reader.text("body", row.body);
  reader.text("fresh_tenant", row.freshTenant);
  reader.text("twin", row.twin);
  reader.text("cause", row.cause);
  reader.texts("signed_by", row.signedBy);
  reader.flag("refused_here", row.refusedHere);
  reader.texts("headers", headers);
  reader.texts("expect", row.expect);
  if (auto done = reader.finish(); !done) return done;
  row.headers.assign(headers.begin(), headers.end());
  const auto door = doorOf(row.door);
  if (!door) return wrong(file, table, row.door, door.error().rule, door.error().remedy);
  if (door->login != !row.login.empty())
    return wrong(file, table, row.name,
                 fmt::format("door {} {} a login", row.door, door->login ? "needs" : "takes no"));
  if (const auto checked = checkExpected(row.expect); !checked)
    return wrong(file, table, checked.error().value, checked.error().rule, checked.error().remedy);
  if (row.expect.empty() || !row.expect.contains("reply"))
    return wrong(file, table, row.name, "states no reply in [mail.expect]; a row that expects nothing proves nothing");
  if (row.twin.empty() != row.cause.empty()) return wrong(file, table, row.name, "twin and cause belong together");
  for (const Scenario& other : set.rows)
    if (other.name == row.name) return wrong(file, table, row.name, "this name is taken by another row");
  set.rows.push_back(std::move(row));
  return {};
}

Result<void> addSetup(Setup& setup, const std::string& file, const toml::table& table) {
  std::vector<std::vector<std::string>> records, logins;
  TableReader reader(file, table);
  reader.textLists("commands", setup.commands);
  reader.textLists("customer_records", records);
  reader.textLists("logins", logins);
  reader.texts("customer_domains", setup.customerDomains);
  reader.texts("without_bounce", setup.withoutBounce);
  if (auto done = reader.finish(); !done) return done;
  for (const auto& record : records) {
    if (record.size() != 3) return wrong(file, table, "customer_records", "each is [owner, type, content]");
    setup.customerRecords.push_back({record[0], record[1], record[2]});
  }
  for (const auto& login : logins) {
    if (login.size() != 2) return wrong(file, table, "logins", "each is [login, tenant]");
    setup.logins.emplace_back(login[0], login[1]);
  }
  return {};
}

/// The fields in which a row and its twin may differ, by the names of the files.
std::vector<std::string> differingFields(const Scenario& a, const Scenario& b) {
  std::vector<std::string> names;
  const std::array<std::tuple<const char*, const std::string*, const std::string*>, 8> texts{
      {{"stream", &a.stream, &b.stream},
       {"door", &a.door, &b.door},
       {"login", &a.login, &b.login},
       {"from", &a.from, &b.from},
       {"envelope", &a.envelope, &b.envelope},
       {"to", &a.to, &b.to},
       {"subject", &a.subject, &b.subject},
       {"body", &a.body, &b.body}}};
  for (const auto& [name, left, right] : texts)
    if (*left != *right) names.emplace_back(name);
  if (a.headers != b.headers) names.emplace_back("headers");
  return names;
}

}  // namespace

Result<void> addScenarios(ScenarioSet& set, const std::string& fileName, const std::string& toml) {
  try {
    const toml::table root = toml::parse(toml, fileName);
    for (const auto& [key, node] : root) {
      if (key == "setup" && node.is_table()) {
        if (auto done = addSetup(set.setup, fileName, *node.as_table()); !done) return done;
      } else if (key == "mail" && node.is_array_of_tables()) {
        for (const toml::node& mail : *node.as_array())
          if (auto done = addMail(set, fileName, *mail.as_table()); !done) return done;
      } else {
        return wrong(fileName, node, std::string(key.str()), "is no part of a scenario file",
                     "write [setup] or [[mail]]");
      }
    }
    return {};
  } catch (const toml::parse_error& error) {
    return fail(Errc::settings, fileName, fmt::format("line {}: {}", error.source().begin.line, error.description()));
  }
}

Result<void> checkTwins(const ScenarioSet& set) {
  for (const Scenario& row : set.rows) {
    if (row.twin.empty()) continue;
    const auto twin =
        std::find_if(set.rows.begin(), set.rows.end(), [&](const Scenario& s) { return s.name == row.twin; });
    if (twin == set.rows.end())
      return fail(Errc::settings, row.twin, "the twin of " + row.name + " is no row of any file");
    const auto reply = twin->expect.find("reply");
    if (reply == twin->expect.end() || !reply->second.starts_with("250"))
      return fail(Errc::settings, row.twin, "the twin of " + row.name + " must be a row that is accepted (reply 250)");
    for (const std::string& field : differingFields(row, *twin)) {
      // Another tenant as the cause shows in every place where the tenant's name stands.
      const bool byTenant = row.cause == "tenant" && (field == "from" || field == "envelope" || field == "login");
      if (field != row.cause && !byTenant)
        return fail(Errc::settings, row.name,
                    fmt::format("differs from its twin {} in {} too, not in {} alone", row.twin, field, row.cause));
    }
  }
  return {};
}

Result<ScenarioSet> loadScenarios(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
  if (error) return fail(Errc::settings, folder, "cannot be read: " + error.message());
  if (files.empty()) return fail(Errc::settings, folder, "holds no *.toml", "harness/scenarios is the project's own");
  std::sort(files.begin(), files.end());
  ScenarioSet set;
  for (const std::string& file : files) {
    const auto text = readFile(file);
    if (!text) return pass(text);
    if (auto done = addScenarios(set, file, *text); !done) return pass(done);
  }
  if (auto done = checkTwins(set); !done) return pass(done);
  return set;
}

}  // namespace mailzone::harness
