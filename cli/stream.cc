#include <fmt/format.h>

#include <algorithm>

#include "cli/change.h"
#include "cli/names.h"
#include "cli/table.h"

namespace mailzone::cli {
namespace {

Document documentOfStream(const tenantdb::StreamRow& row) {
  return Document::object()
      .set("id", raw(row.id))
      .set("name", row.name)
      .set("domain", Document::orNull(row.domain))
      .set("pool", Document::orNull(row.pool))
      .set("relay", Document::orNull(row.relay));
}

Result<std::optional<DnsName>> readDomainOption(const Arguments& arguments) {
  if (!arguments.has("--domain")) return std::optional<DnsName>();
  const auto name = readName(arguments.text("--domain"));
  if (!name) return pass(name);
  return std::optional<DnsName>(*name);
}

Result<tenantdb::NewStream> readStream(const Arguments& arguments) {
  tenantdb::NewStream stream;
  const auto name = readWord(arguments.text("NAME"), "stream");
  if (!name) return pass(name);
  stream.name = *name;
  stream.pool = arguments.optional("--pool");
  stream.relay = arguments.optional("--relay");
  if (stream.pool.has_value() == stream.relay.has_value()) {
    return fail(Errc::invalidInput, *name, "leaves by exactly one of a pool and a relay", "give --pool or --relay");
  }
  const auto domain = readDomainOption(arguments);
  if (!domain) return pass(domain);
  stream.domain = *domain;
  return stream;
}

Result<Report> addStream(Context& context, const Arguments& arguments) {
  const auto stream = readStream(arguments);
  if (!stream) return pass(stream);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto store = context.store();
  if (!store) return pass(store);
  const std::string of = stream->domain ? stream->domain->textNoDot() : "";
  bool changed = false;
  std::optional<tenantdb::StreamRow> row;
  const auto done = context.change([&]() -> Result<void> {
    const auto written = (*store)->addStream(*platform, *stream);
    if (!written) return pass(written);
    changed = *written == tenantdb::Written::created;
    const auto rows = (*store)->streams(*platform);
    if (!rows) return pass(rows);
    for (const tenantdb::StreamRow& each : *rows) {
      if (each.name == stream->name && each.domain == of) row = each;
    }
    return {};
  });
  if (!done) return pass(done);
  if (!row) return fail(Errc::internal, stream->name, "was written but is not listed", "see mailzone db check");
  const std::string whose = of.empty() ? "every domain" : of;
  Report report;
  report.document = changeDocument(context, "stream-add", changed).set("stream", documentOfStream(*row));
  report.text = changeText(context, changed, fmt::format("added stream {} of {}", row->name, whose),
                           fmt::format("stream {} of {} is there already", row->name, whose));
  return report;
}

Result<Report> listStreams(Context& context, const Arguments&) {
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto rows = (*context.store())->streams(*platform);
  if (!rows) return pass(rows);
  Document list{Document::Array{}};
  for (const tenantdb::StreamRow& row : *rows) list.push(documentOfStream(row));
  Report report;
  report.text = tableOf(list, {{"STREAM", "name"}, {"DOMAIN", "domain"}, {"POOL", "pool"}, {"RELAY", "relay"}},
                        "no streams: nothing may send, see mailzone stream add --help");
  report.document = documentOf("stream-list").set("streams", std::move(list));
  return report;
}

Result<Report> removeStream(Context& context, const Arguments& arguments) {
  const auto domain = readDomainOption(arguments);
  if (!domain) return pass(domain);
  const std::string& name = arguments.text("NAME");
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  bool changed = false;
  const auto done = context.change([&]() -> Result<void> {
    const auto removed = (*context.store())->removeStream(*platform, name, *domain);
    if (!removed) return pass(removed);
    changed = *removed;
    return {};
  });
  if (!done) return pass(done);
  Report report;
  report.document = changeDocument(context, "stream-remove", changed)
                        .set("stream", name)
                        .set("domain", *domain ? Document((*domain)->textNoDot()) : Document());
  report.text = changeText(context, changed, "removed stream " + name, "there is no stream " + name);
  return report;
}

}  // namespace

std::vector<Verb> streamVerbs() {
  return {{"stream",
           "add",
           "What is sent, and by which way: webapp, mailbox, marketing, or a word of yours.",
           {positional("NAME", "The stream's name."), option("--pool", "POOL", "It leaves by this pool of ours."),
            option("--relay", "RELAY", "It leaves by this relay."),
            option("--domain", "NAME", "Of this domain alone, in place of the platform's stream of that name.")},
           true,
           addStream,
           ""},
          {"stream", "list", "The platform's streams and those of single domains.", {}, false, listStreams, ""},
          {"stream",
           "remove",
           "Removes a stream.",
           {positional("NAME", "The stream's name."), option("--domain", "NAME", "The domain's own one.")},
           true,
           removeStream,
           ""}};
}

}  // namespace mailzone::cli
