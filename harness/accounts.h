// The users and groups that packages of mailzone would bring, added to the private copies of /etc/passwd and
// /etc/group.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace mailzone::harness {

struct Account {
  std::string name;
  std::vector<std::string> groups;  ///< beside a group of its own name; those that do not exist are made
};

/// Call after makeFilesPrivate(). An account that the machine has already stays, and gets the groups.
[[nodiscard]] Result<void> addAccounts(const std::vector<Account>& accounts);

/// Both files' new contents; no I/O.
struct AccountFiles {
  std::string passwd, group;
};
[[nodiscard]] Result<AccountFiles> withAccounts(AccountFiles files, const std::vector<Account>& accounts);

}  // namespace mailzone::harness
