#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

Document documentOfAddress(const tenantdb::AddressRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("address", row.address)
      .set("host", row.hostName)
      .set("pool", row.pool)
      .set("purpose", row.purpose);
}

Result<IpAddress> readAddress(const std::string& text) {
  auto address = IpAddress::parse(text);
  if (!address) return fail(Errc::invalidInput, text, "is no IPv4 or IPv6 address", "write one like 192.0.2.25");
  return address;
}

Result<Report> addAddress(Context& context, const Arguments& arguments) {
  const auto address = readAddress(arguments.text("ADDRESS"));
  if (!address) return pass(address);
  const auto host = readHostName(arguments.text("HOST"), "host name");
  if (!host) return pass(host);
  const auto pool = readWord(arguments.text("--pool"), "pool");
  if (!pool) return pass(pool);
  const auto purpose = readEnum<PoolPurpose>(arguments, "--purpose");
  if (!purpose) return pass(purpose);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto store = context.store();
  if (!store) return pass(store);
  bool changed = false;
  std::optional<tenantdb::AddressRow> row;
  const auto done = context.change([&]() -> Result<void> {
    const auto written =
        (*store)->addAddress(*platform, *address, *host, *pool, purpose->value_or(PoolPurpose::sending));
    if (!written) return pass(written);
    changed = *written == tenantdb::Written::created;
    const auto rows = (*store)->addresses(*platform);
    if (!rows) return pass(rows);
    for (const tenantdb::AddressRow& each : *rows) {
      if (each.address == address->text()) row = each;
    }
    return {};
  });
  if (!done) return pass(done);
  if (!row) return fail(Errc::internal, address->text(), "was written but is not listed", "see mailzone db check");
  Report report;
  report.document = changeDocument(context, "ip-add", changed).set("address", documentOfAddress(*row));
  report.text =
      changeText(context, changed, fmt::format("added {} as {} to the pool {}", row->address, row->hostName, row->pool),
                 fmt::format("{} is {} in the pool {} already", row->address, row->hostName, row->pool));
  return report;
}

Result<Report> listAddresses(Context& context, const Arguments&) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->addresses(*platform);
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::AddressRow& row : *rows) list.push(documentOfAddress(row));
  Report report;
  report.text = tableOf(list, {{"ADDRESS", "address"}, {"HOST", "host"}, {"POOL", "pool"}, {"PURPOSE", "purpose"}},
                        "no addresses: see mailzone ip add --help");
  report.document = documentOf("ip-list").set("addresses", std::move(list));
  return report;
}

Result<Report> removeAddress(Context& context, const Arguments& arguments) {
  const auto address = readAddress(arguments.text("ADDRESS"));
  if (!address) return pass(address);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  bool changed = false;
  const auto done = context.change([&]() -> Result<void> {
    const auto removed = (*context.store())->removeAddress(*platform, *address);
    if (!removed) return pass(removed);
    changed = *removed;
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "ip-remove", changed).set("address", address->text());
  report.text = changeText(context, changed, "removed " + address->text(), address->text() + " is in no pool");
  return report;
}

}  // namespace

std::vector<Verb> ipVerbs() {
  return {{"ip",
           "add",
           "An address that sends: PTR, A or AAAA, the host's SPF and the pool's SPF come from this one row.",
           {positional("ADDRESS", "IPv4 or IPv6."), positional("HOST", "Its HELO name: mx1.shop.example."),
            option("--pool", "POOL", "The pool; made when it is new.").needed(),
            option("--purpose", "PURPOSE",
                   "Of a new pool: sending (default), or forwarding: it stands in no tenant's SPF.")},
           true,
           addAddress,
           ""},
          {"ip", "list", "All addresses by pool.", {}, false, listAddresses, ""},
          {"ip",
           "remove",
           "Takes an address out of its pool.",
           {positional("ADDRESS", "Which.")},
           true,
           removeAddress,
           ""}};
}

}  // namespace mailzone::cli
