// Many tenants from one file: every line is read and checked before the first is written, all in one transaction.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "cli/change.h"
#include "cli/tenant.h"

namespace mailzone::cli {
namespace {

constexpr std::size_t kMaxTenants = 100'000;
constexpr std::size_t kMaxFile = 64 * 1024 * 1024;
constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxErrors = 100;

struct Line {
  std::size_t number = 0;  ///< of the file, from 1
  std::string text;
};
struct BulkRow {
  std::size_t number = 0;
  tenantdb::NewTenant tenant;
  bool present = false;
};

/// Gathers what is wrong, a line each, so that one run names all.
class Complaints {
 public:
  explicit Complaints(std::string file) : file_(std::move(file)) {}
  void add(std::size_t line, const Error& error) {
    ++count_;
    if (errors_.size() >= kMaxErrors) return;
    Error named = error;
    named.value = fmt::format("{}:{}: {}", file_, line, error.value);
    errors_.push_back(std::move(named));
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::vector<Error> take() {
    if (count_ > errors_.size()) {
      errors_.push_back({Errc::invalidInput, file_, fmt::format("{} more lines are bad", count_ - errors_.size()), ""});
    }
    errors_.push_back({Errc::invalidInput, file_,
                       fmt::format("nothing was applied: {} bad line{}", count_, count_ == 1 ? "" : "s"),
                       "correct and give the whole file again"});
    return std::move(errors_);
  }

 private:
  std::string file_;
  std::size_t count_ = 0;
  std::vector<Error> errors_;
};

Result<std::vector<Line>> readLines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::io, path, "cannot be read", "name a file");
  std::vector<Line> lines;
  std::string text;
  std::size_t number = 0, octets = 0;
  while (std::getline(file, text)) {
    ++number;
    octets += text.size() + 1;
    if (octets > kMaxFile) return fail(Errc::limitExceeded, path, "is longer than 64 MiB", "split it");
    if (text.size() > kMaxLine) {
      return fail(Errc::limitExceeded, fmt::format("{}:{}", path, number), "the line is longer than 4096 octets",
                  "correct the line");
    }
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (text.find_first_not_of(" \t") == std::string::npos) continue;
    if (lines.size() > kMaxTenants) {
      return fail(Errc::limitExceeded, path, fmt::format("has more than {} tenants", kMaxTenants), "split it");
    }
    lines.push_back({number, text});
  }
  if (file.bad()) return fail(Errc::io, path, "cannot be read to its end", "check the file");
  return lines;
}

/// The fields of one CSV line (RFC 4180; no line breaks within quotes).
Result<std::vector<std::string>> splitCsv(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return fail(Errc::invalidInput, line.substr(0, 80), "a quote is not closed", "close it");
  return fields;
}

std::string* fieldNamed(TenantFields& fields, const std::string& name) {
  if (name == "slug") return &fields.slug;
  if (name == "external_id") return &fields.externalId;
  if (name == "signing") return &fields.signing;
  if (name == "dmarc_policy") return &fields.dmarcPolicy;
  return nullptr;
}

constexpr std::string_view kKnown = "the columns are slug, external_id, signing and dmarc_policy";

Result<TenantFields> fieldsOfCsv(const std::vector<std::string>& heading, const std::string& line) {
  const auto values = splitCsv(line);
  if (!values) return pass(values);
  if (values->size() != heading.size()) {
    return fail(Errc::invalidInput, line.substr(0, 80),
                fmt::format("has {} fields, the heading has {}", values->size(), heading.size()), "correct the line");
  }
  TenantFields fields;
  for (std::size_t i = 0; i < heading.size(); ++i) *fieldNamed(fields, heading[i]) = (*values)[i];
  return fields;
}

Result<std::vector<std::string>> readHeading(const Line& line) {
  auto heading = splitCsv(line.text);
  if (!heading) return heading;
  TenantFields probe;
  std::set<std::string> seen;
  for (const std::string& name : *heading) {
    if (fieldNamed(probe, name) == nullptr) {
      return fail(Errc::invalidInput, name, "is no column of the heading", std::string(kKnown));
    }
    if (!seen.insert(name).second) {
      return fail(Errc::invalidInput, name, "stands twice in the heading", std::string(kKnown));
    }
  }
  if (seen.count("slug") == 0) {
    return fail(Errc::invalidInput, line.text, "the heading has no column slug", std::string(kKnown));
  }
  return heading;
}

Result<TenantFields> fieldsOfJson(const std::string& line) {
  const auto document = Document::parse(line, kMaxLine);
  if (!document) return pass(document);
  if (document->members() == nullptr) {
    return fail(Errc::invalidInput, line.substr(0, 80), "is no JSON object", "write one object a line");
  }
  TenantFields fields;
  for (const Document::Member& member : *document->members()) {
    std::string* field = fieldNamed(fields, member.name);
    if (field == nullptr) {
      return fail(Errc::invalidInput, member.name, "is no member of a tenant", std::string(kKnown));
    }
    if (member.value.isNull()) continue;
    if (member.value.text() == nullptr) {
      return fail(Errc::invalidInput, member.name, "is no text", "write it in quotes");
    }
    *field = *member.value.text();
  }
  return fields;
}

/// Reads all lines into fields; what cannot be read goes to `complaints`.
Result<std::vector<std::pair<std::size_t, TenantFields>>> readFields(const std::string& path, Complaints& complaints) {
  const auto ends = [&](std::string_view ending) {
    return path.size() > ending.size() && path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
  };
  const bool csv = ends(".csv");
  if (!csv && !ends(".jsonl")) {
    return fail(Errc::invalidInput, path, "is neither .csv nor .jsonl", "name the file by what it holds");
  }
  const auto lines = readLines(path);
  if (!lines) return pass(lines);
  std::vector<std::pair<std::size_t, TenantFields>> all;
  std::vector<std::string> heading;
  for (const Line& line : *lines) {
    if (csv && heading.empty()) {
      auto read = readHeading(line);
      if (!read) {
        complaints.add(line.number, read.error());
        return all;
      }
      heading = std::move(*read);
      continue;
    }
    auto fields = csv ? fieldsOfCsv(heading, line.text) : fieldsOfJson(line.text);
    if (fields) {
      all.emplace_back(line.number, std::move(*fields));
    } else {
      complaints.add(line.number, fields.error());
    }
  }
  return all;
}

/// A line that rewrites itself, for a person who watches.
void showProgress(std::size_t done, std::size_t all) {
  static const bool watched = ::isatty(STDERR_FILENO) == 1;
  if (!watched || (done % 500 != 0 && done != all)) return;
  std::fputs(fmt::format("\r{} of {} tenants{}", done, all, done == all ? "\n" : "").c_str(), stderr);
}

/// Checks each line against the rules and the other lines.
std::vector<BulkRow> readRows(const std::vector<std::pair<std::size_t, TenantFields>>& all, const DnsName& platform,
                              Complaints& complaints) {
  std::vector<BulkRow> rows;
  std::map<std::string, std::size_t> lineOfSlug, lineOfId;
  const auto firstUse = [&](std::map<std::string, std::size_t>& uses, const std::string& value, std::size_t line) {
    const auto [at, first] = uses.emplace(value, line);
    if (!first) {
      complaints.add(line, {Errc::conflict, escapeForDisplay(value),
                            fmt::format("stands in line {} already", at->second), "remove one of the two"});
    }
    return first;
  };
  for (const auto& [number, fields] : all) {
    auto tenant = readTenant(fields, platform);
    if (!tenant) {
      complaints.add(number, tenant.error());
      continue;
    }
    if (!firstUse(lineOfSlug, tenant->slug, number)) continue;
    if (tenant->externalId && !firstUse(lineOfId, *tenant->externalId, number)) continue;
    rows.push_back({number, std::move(*tenant), false});
  }
  return rows;
}

/// Marks what is there already; what is there otherwise goes to `complaints`.
Result<void> markPresent(Context& context, PlatformId platform, bool ifNotExists, std::vector<BulkRow>& rows,
                         Complaints& complaints) {
  const auto present = (*context.store())->tenants(platform);
  if (!present) return pass(present);
  const auto its = platformRow(context, platform);
  if (!its) return pass(its);
  std::set<std::string> slugs;
  for (const tenantdb::TenantRow& row : *present) slugs.insert(row.slug);
  for (BulkRow& row : rows) {
    if (slugs.count(row.tenant.slug) == 0) continue;
    const auto view = tenantView(context, platform, row.tenant.slug);
    if (!view) return pass(view);
    if (!*view) continue;
    row.present = true;
    const auto same = sameOrConflict(row.tenant.slug, differencesOf(**view, row.tenant, its->dmarcPolicy), ifNotExists);
    if (!same) complaints.add(row.number, same.error());
  }
  return {};
}

/// The store's own error begins "line N: " with N the position among `added`.
std::pair<std::size_t, Error> placeOf(const Error& error, const std::vector<std::size_t>& lines) {
  constexpr std::string_view kPrefix = "line ";
  const std::size_t colon = error.value.find(": ");
  if (error.value.rfind(kPrefix, 0) != 0 || colon == std::string::npos) return {0, error};
  std::size_t position = 0;
  for (const char c : std::string_view(error.value).substr(kPrefix.size(), colon - kPrefix.size())) {
    if (c < '0' || c > '9') return {0, error};
    position = position * 10 + static_cast<std::size_t>(c - '0');
  }
  if (position == 0 || position > lines.size()) return {0, error};
  Error bare = error;
  bare.value = error.value.substr(colon + 2);
  return {lines[position - 1], bare};
}

}  // namespace

Result<Report> addTenantsFrom(Context& context, const std::string& file, bool ifNotExists) {
  Complaints complaints(file);
  const auto fields = readFields(file, complaints);
  if (!fields) return pass(fields);
  const auto platform = context.platform();
  if (!platform) return pass(platform);
  const auto name = platformName(context, *platform);
  if (!name) return pass(name);
  std::vector<BulkRow> rows = readRows(*fields, *name, complaints);
  Report report;
  if (complaints.empty()) {
    const auto done = context.change([&]() -> Result<void> {
      if (auto marked = markPresent(context, *platform, ifNotExists, rows, complaints); !marked) return marked;
      if (!complaints.empty()) return fail(Errc::invalidInput, file, "has bad lines", "");
      std::vector<tenantdb::NewTenant> added;
      std::vector<std::size_t> lines;
      for (const BulkRow& row : rows) {
        if (row.present) continue;
        added.push_back(row.tenant);
        lines.push_back(row.number);
      }
      const auto ids = (*context.store())->addTenants(*platform, added, [&](std::size_t count) {
        showProgress(count, added.size());
      });
      if (ids) return {};
      const auto [line, error] = placeOf(ids.error(), lines);
      if (line == 0) return pass(ids);
      complaints.add(line, error);
      return pass(ids);
    });
    if (!done && complaints.empty()) return pass(done);
  }
  if (!complaints.empty()) {
    report.errors = complaints.take();
    return report;
  }
  std::int64_t added = 0;
  Document results{Document::Array{}};
  for (const BulkRow& row : rows) {
    const std::string result = row.present ? "unchanged" : "added";
    added += row.present ? 0 : 1;
    results.push(Document::object()
                     .set("line", static_cast<std::int64_t>(row.number))
                     .set("slug", row.tenant.slug)
                     .set("domain", row.tenant.slug + "." + name->textNoDot())
                     .set("result", result));
    report.text += fmt::format("{} {} {}.{}\n", row.number, result, row.tenant.slug, name->textNoDot());
  }
  report.text = withDryRunNote(context, report.text);
  report.document = changeDocument(context, "tenant-add-from", added > 0)
                        .set("added", added)
                        .set("unchanged", static_cast<std::int64_t>(rows.size()) - added)
                        .set("results", std::move(results));
  return report;
}

}  // namespace mailzone::cli
