#include <fmt/format.h>

#include "cli/change.h"
#include "rotation/key_store.h"
#include "rotation/signing_check.h"
#include "rotation/signing_export.h"

namespace mailzone::cli {
namespace {

Result<Report> exportSigning(Context& context, const Arguments& arguments) {
  const auto settings = context.settings();
  if (!settings) return pass(settings);
  rotation::ExportOptions options;
  options.path = arguments.textOr("--to", (*settings)->rotation.exportPath);
  options.group = (*settings)->rotation.exportGroup;
  if (options.path.empty()) {
    return fail(Errc::settings, "rotation.export_path", "is not set", "give --to DIR, or set it");
  }
  const auto connection = context.database();
  if (!connection) return pass(connection);
  rotation::DatabaseKeyStore keys(**connection);
  const auto done = rotation::writeSigningExport(keys, options, context.clock().now());
  if (!done) return pass(done);
  Document bad{Document::Array{}};
  Report report;
  report.text =
      fmt::format("wrote {} envelope domains and {} keys to {}/current\n", done->rows, done->keys, options.path);
  for (const Error& error : done->badRows) {
    bad.push(Document::object().set("value", error.value).set("reason", error.rule).set("remedy", error.remedy));
    report.text += "left out: " + describe(error) + "\n";
  }
  report.status = done->badRows.empty() ? 0 : 1;
  report.document = documentOf("signing-export")
                        .set("path", options.path)
                        .set("generation", done->generation)
                        .set("rows", static_cast<std::int64_t>(done->rows))
                        .set("keys", static_cast<std::int64_t>(done->keys))
                        .set("left_out", std::move(bad));
  return report;
}

Result<Report> checkSigning(Context&, const Arguments& arguments) {
  const auto postfix = rotation::readPostfix(arguments.text("--postfix"));
  if (!postfix) return pass(postfix);
  const auto opendkim = rotation::readOpenDkim(arguments.text("--opendkim"));
  if (!opendkim) return pass(opendkim);
  const auto findings = rotation::checkSigning(*postfix, *opendkim);
  Document list{Document::Array{}};
  Report report;
  for (const rotation::SigningFinding& finding : findings) {
    list.push(Document::object()
                  .set("severity", rotation::word(finding.severity))
                  .set("rule", finding.rule)
                  .set("place", finding.place)
                  .set("setting", finding.setting)
                  .set("value", finding.value)
                  .set("why", finding.why)
                  .set("remedy", finding.remedy));
    report.text +=
        fmt::format("{} {} {}: {} = \"{}\"\n  {}\n  write: {}\n", rotation::word(finding.severity), finding.place,
                    finding.rule, finding.setting, finding.value, finding.why, finding.remedy);
  }
  report.status = findings.empty() ? 0 : 1;
  report.text += findings.empty() ? std::string("nothing lets one tenant speak for another\n")
                                  : fmt::format("{} finding{}\n", findings.size(), findings.size() == 1 ? "" : "s");
  report.document = documentOf("signing-check")
                        .set("ok", findings.empty())
                        .set("count", static_cast<std::int64_t>(findings.size()))
                        .set("findings", std::move(list));
  return report;
}

}  // namespace

std::vector<Verb> signingVerbs() {
  return {{"signing",
           "export",
           "Writes the signing view as key files for OpenDKIM, as mailzone-rotate does by itself.",
           {option("--to", "DIR", "The folder; default rotation.export_path.")},
           false,
           exportSigning,
           ""},
          {"signing",
           "check",
           "Reads a live Postfix and OpenDKIM configuration and names what in it lets one tenant speak for another.",
           {option("--postfix", "DIR", "Postfix's folder, as /etc/postfix.").needed(),
            option("--opendkim", "FILE", "OpenDKIM's file, as /etc/opendkim.conf.").needed()},
           false,
           checkSigning,
           ""}};
}

}  // namespace mailzone::cli
