#include "harness/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace mailzone::harness {
namespace {

struct Field {
  std::string_view name;
  std::string Verdict::*member;
};

// The text fields in the order of the document; `signatures` stands after `selector`.
constexpr std::array kFields = {
    Field{"scenario", &Verdict::scenario},
    Field{"stream", &Verdict::stream},
    Field{"from", &Verdict::from},
    Field{"envelope_from", &Verdict::envelopeFrom},
    Field{"spf", &Verdict::spf},
    Field{"dkim", &Verdict::dkim},
    Field{"dkim_domain", &Verdict::dkimDomain},
    Field{"selector", &Verdict::selector},
    Field{"dmarc", &Verdict::dmarc},
    Field{"alignment", &Verdict::alignment},
    Field{"ptr", &Verdict::ptr},
    Field{"tls", &Verdict::tls},
    Field{"folder", &Verdict::folder},
    Field{"reply", &Verdict::reply},
    Field{"message_id", &Verdict::messageId},
    Field{"queue_id", &Verdict::queueId},
};

constexpr auto kFieldNames = [] {
  std::array<std::string_view, kFields.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kFields[i].name;
  return names;
}();

const Field* findField(std::string_view name) {
  const auto* found =
      std::find_if(kFields.begin(), kFields.end(), [name](const Field& field) { return field.name == name; });
  return found == kFields.end() ? nullptr : found;
}

/// `*` stands for any run of characters; nothing else is special.
bool matchesPattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool fulfils(std::string_view field, std::string_view expected, std::string_view actual) {
  if (matchesPattern(expected, actual)) return true;
  if (field != "reply" || expected.empty()) return false;
  return matchesPattern(std::string(expected) + " *", actual);
}

using Json = nlohmann::ordered_json;

Json observed(const Verdict& verdict) {
  Json json = Json::object();
  for (const Field& field : kFields) {
    json[std::string(field.name)] = verdict.*field.member;
    if (field.name != "selector") continue;
    Json signatures = Json::array();
    for (const SignatureVerdict& signature : verdict.signatures) {
      signatures.push_back(Json{{"result", signature.result},
                                {"domain", signature.domain},
                                {"selector", signature.selector},
                                {"reason", signature.reason}});
    }
    json["signatures"] = std::move(signatures);
  }
  return json;
}

Json toJson(const Verdict& verdict) {
  Json json = observed(verdict);
  json["expected"] = Json::object();
  for (const auto& [name, value] : verdict.expected) json["expected"][name] = value;
  json["findings"] = mismatches(verdict);
  json["ok"] = isOk(verdict);
  return json;
}

// What a peer wrote may be no UTF-8; the document always is.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Columns on a terminal: one per code point, near enough for names and addresses.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string expectedColumn(const Verdict& verdict) {
  const auto reply = verdict.expected.find("reply");
  if (reply != verdict.expected.end()) return reply->second;
  std::string text;
  for (const auto& [name, value] : verdict.expected) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

/// "550 5.7.26": the table's room does not reach for the sentence behind it, which the JSON has.
std::string replyColumn(const Verdict& verdict) {
  const std::size_t first = verdict.reply.find(' ');
  if (first == std::string::npos) return verdict.reply;
  return verdict.reply.substr(0, verdict.reply.find(' ', first + 1)) +
         (verdict.folder == "spam" ? " (spam)" : std::string());
}

std::string dkimColumn(const Verdict& verdict) {
  std::string text = verdict.dkim;
  if (!verdict.dkimDomain.empty()) text += fmt::format(" d={}", verdict.dkimDomain);
  if (!verdict.selector.empty()) text += fmt::format(" s={}", verdict.selector);
  const auto count = verdict.signatures.size();
  if (count > 1) text += fmt::format(" (+{})", count - 1);
  return text;
}

}  // namespace

std::span<const std::string_view> verdictFields() noexcept {
  return kFieldNames;
}

Result<void> checkExpected(const std::map<std::string, std::string>& expected) {
  for (const auto& [name, value] : expected) {
    if (findField(name) != nullptr) continue;
    return fail(Errc::invalidInput, name, "no verdict has this field",
                fmt::format("the fields are {}", fmt::join(kFieldNames, " ")));
  }
  return {};
}

std::vector<std::string> mismatches(const Verdict& verdict) {
  std::vector<std::string> found;
  if (verdict.expected.empty()) found.emplace_back("nothing is expected of this row");
  for (const auto& [name, value] : verdict.expected) {
    const Field* field = findField(name);
    if (field == nullptr) {
      found.push_back(fmt::format("{}: no verdict has this field", name));
    } else if (!fulfils(name, value, verdict.*field->member)) {
      found.push_back(fmt::format("{}: expected \"{}\", got \"{}\"", name, value, verdict.*field->member));
    }
  }
  found.insert(found.end(), verdict.findings.begin(), verdict.findings.end());
  return found;
}

std::string verdictJson(const Verdict& verdict) {
  return dump(toJson(verdict));
}

std::string observedJson(const Verdict& verdict) {
  return dump(observed(verdict));
}

std::string verdictsJson(std::span<const Verdict> verdicts) {
  Json json = Json::object();
  json["schema"] = "mailzone/verdicts/1";
  json["ok"] = !verdicts.empty() && std::all_of(verdicts.begin(), verdicts.end(), isOk);
  json["verdicts"] = Json::array();
  for (const Verdict& verdict : verdicts) json["verdicts"].push_back(toJson(verdict));
  return dump(json) + '\n';
}

std::string verdictTable(std::span<const Verdict> verdicts) {
  using Row = std::array<std::string, 12>;
  std::vector<Row> rows{
      {"scenario", "stream", "From", "envelope", "SPF", "DKIM", "DMARC (by)", "PTR", "TLS", "reply", "expected", "ok"}};
  for (const Verdict& verdict : verdicts) {
    Row row{verdict.scenario,
            verdict.stream,
            verdict.from,
            verdict.envelopeFrom.empty() ? "<>" : verdict.envelopeFrom,
            verdict.spf,
            dkimColumn(verdict),
            verdict.dmarc.empty() ? std::string() : fmt::format("{} ({})", verdict.dmarc, verdict.alignment),
            verdict.ptr,
            verdict.tls,
            replyColumn(verdict),
            expectedColumn(verdict),
            isOk(verdict) ? "ok" : "NOT OK"};
    for (std::string& cell : row) cell = printable(cell);
    rows.push_back(std::move(row));
  }
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string table;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    table += line + '\n';
  }
  for (const Verdict& verdict : verdicts) {
    for (const std::string& mismatch : mismatches(verdict)) {
      table +=
          printable(fmt::format("not ok: {} / {} / {}: {}", verdict.scenario, verdict.stream, verdict.from, mismatch)) +
          '\n';
    }
  }
  return table;
}

}  // namespace mailzone::harness
