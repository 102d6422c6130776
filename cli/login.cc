#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/password.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

Document documentOfLogin(const tenantdb::LoginRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("tenant", row.tenant)
      .set("domains", row.domains)
      .set("created_at", row.createdAt);
}

Result<std::optional<tenantdb::LoginRow>> loginRow(tenantdb::AdminStore& store, PlatformId platform,
                                                   const std::string& name) {
  const auto rows = store.logins(platform);
  if (!rows) return pass(rows);
  for (const tenantdb::LoginRow& row : *rows) {
    if (row.name == name) return std::optional(row);
  }
  return std::optional<tenantdb::LoginRow>();
}

Result<tenantdb::NewLogin> readLogin(const Arguments& arguments) {
  tenantdb::NewLogin login;
  auto name = readLoginName(arguments.text("NAME"));
  if (!name) return pass(name);
  login.name = *name;
  auto slug = readSlug(arguments.text("--tenant"));
  if (!slug) return pass(slug);
  login.tenantSlug = *slug;
  for (const std::string& text : arguments.all("--domain")) {
    const auto domain = readName(text);
    if (!domain) return pass(domain);
    login.domains.push_back(*domain);
  }
  const auto password = readLoginPassword(arguments.text("--password-file"));
  if (!password) return pass(password);
  auto hash = hashPassword(*password);
  if (!hash) return pass(hash);
  login.passwordHash = *hash;
  return login;
}

Result<Report> addLogin(Context& context, const Arguments& arguments) {
  const auto login = readLogin(arguments);
  if (!login) return pass(login);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto store = context.store();
  if (!store) return pass(store);
  bool changed = false;
  std::optional<tenantdb::LoginRow> row;
  const auto done = context.change([&]() -> Result<void> {
    auto present = loginRow(**store, *platform, login->name);
    if (!present) return pass(present);
    if (*present) {
      const std::string differences = (*present)->tenant == login->tenantSlug ? "a password that cannot be compared"
                                                                              : "another tenant, " + (*present)->tenant;
      if (auto same = sameOrConflict(login->name, differences, arguments.has("--if-not-exists")); !same) return same;
      row = std::move(*present);
      return {};
    }
    if (const auto added = (*store)->addLogin(*platform, *login); !added) return pass(added);
    changed = true;
    auto now = loginRow(**store, *platform, login->name);
    if (!now) return pass(now);
    row = std::move(*now);
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "login-add", changed).set("login", documentOfLogin(*row));
  report.text =
      changeText(context, changed,
                 fmt::format("added login {} of {}, for {}", row->name, row->tenant, fmt::join(row->domains, ", ")),
                 "login " + row->name + " is there already");
  return report;
}

Result<Report> listLogins(Context& context, const Arguments& arguments) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->logins(*platform, arguments.optional("--tenant"));
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::LoginRow& row : *rows) list.push(documentOfLogin(row));
  Report report;
  report.text = tableOf(list, {{"LOGIN", "name"}, {"TENANT", "tenant"}, {"MAY SEND AS", "domains"}}, "no logins");
  report.document = documentOf("login-list").set("logins", std::move(list));
  return report;
}

Result<Report> removeLogin(Context& context, const Arguments& arguments) {
  const std::string& name = arguments.text("NAME");
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  bool changed = false;
  const auto done = context.change([&]() -> Result<void> {
    const auto removed = (*context.store())->removeLogin(name);
    if (!removed) return pass(removed);
    changed = *removed;
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "login-remove", changed).set("login", name);
  report.text = changeText(context, changed, "removed login " + name, "there is no login " + name);
  return report;
}

}  // namespace

std::vector<Verb> loginVerbs() {
  return {
      {"login",
       "add",
       "Who may submit mail for a tenant's domains.",
       {positional("NAME", "The login: owner@t1.shop.example."), option("--tenant", "SLUG", "Whose it is.").needed(),
        option("--password-file", "FILE", "A file that others cannot read, or - for standard input; one line.")
            .needed(),
        option("--domain", "NAME", "May send as this domain; default: all that the tenant has now.").many(),
        flag("--if-not-exists", "Leave an existing login, and its password, as it is.")},
       true,
       addLogin,
       ""},
      {"login",
       "list",
       "All logins, or one tenant's.",
       {option("--tenant", "SLUG", "Of this tenant alone.")},
       false,
       listLogins,
       ""},
      {"login", "remove", "Removes a login.", {positional("NAME", "Which.")}, true, removeLogin, ""}};
}

}  // namespace mailzone::cli
