// The scenario files: what is sent, by which door and whom, and what must become of it. Expectations stand in these
// files and are never derived from what was observed. Roles, no addresses.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace mailzone::harness {

/// One row: one mail.
struct Scenario {
  std::string name;    ///< unique over all files
  std::string stream;  ///< webapp|mailbox|marketing: what the mail looks like
  std::string door;    ///< topology.h, doorOf()
  std::string login;   ///< "" at doors without
  std::string from, envelope, to;
  std::string subject;  ///< "" for the stream's
  std::string body;     ///< "" for the stream's
  std::vector<std::pair<std::string, std::string>> headers;
  std::string
      freshTenant;    ///< a slug that is INSERTed by plain SQL just before this mail is sent; nothing is restarted
  std::string twin;   ///< a row that differs from this one in `cause` alone, and passes
  std::string cause;  ///< the field of this row in which the twin differs (from, door, to ...)
  std::vector<std::string> signedBy;  ///< d= of every signature, no more and no fewer; empty: not looked at
  bool refusedHere = false;  ///< our own MTA refuses it: `expect.reply` is that answer, and it must reach no receiver
  std::map<std::string, std::string> expect;
};

/// What stands before the mails: commands of `mailzone`, and what customers set at their own DNS beside what
/// `mailzone domain show` asks for.
struct Setup {
  std::vector<std::vector<std::string>> commands;
  struct Record {
    std::string owner, type, content;
  };
  std::vector<Record> customerRecords;
  std::vector<std::string> customerDomains;                 ///< delegated domains whose records are set, then verified
  std::vector<std::string> withoutBounce;                   ///< of these the optional third CNAME is left out
  std::vector<std::pair<std::string, std::string>> logins;  ///< login, tenant
};

struct ScenarioSet {
  Setup setup;
  std::vector<Scenario> rows;
};

/// Every *.toml of the folder in the order of their names. Errc::settings names file, line and what is wrong: an
/// unknown key, a door or field that does not exist, a twin that is not there or differs in more than its cause.
[[nodiscard]] Result<ScenarioSet> loadScenarios(const std::string& folder);
/// One file's text added to `set`; no I/O, and the twins are not looked at.
[[nodiscard]] Result<void> addScenarios(ScenarioSet& set, const std::string& fileName, const std::string& toml);
[[nodiscard]] Result<void> checkTwins(const ScenarioSet& set);

}  // namespace mailzone::harness
