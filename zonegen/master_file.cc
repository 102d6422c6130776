#include "zonegen/master_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "zonegen/rdata.h"
#include "zonegen/tokens.h"

namespace mailzone::zonegen {
namespace {

tl::unexpected<Error> failAt(const Token& token, std::string rule, std::string remedy = {}) {
  auto error = fail(Errc::invalidInput, token.text, std::move(rule), std::move(remedy)).value();
  return tl::unexpected<Error>(at(token.position, std::move(error)));
}

template <class T>
tl::unexpected<Error> passAt(const Token& token, const Result<T>& failed) {
  return tl::unexpected<Error>(at(token.position, failed.error()));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool equalsIgnoreCase(std::string_view a, std::string_view lowerB) {
  return a.size() == lowerB.size() &&
         std::equal(a.begin(), a.end(), lowerB.begin(), [](char x, char y) { return lower(x) == y; });
}

/// Seconds, or BIND's form with units (1w2d3h4m5s); nullopt: not a TTL.
std::optional<std::uint32_t> parseSeconds(std::string_view text) {
  constexpr std::uint64_t kMax = 0x7fffffff;
  std::uint64_t total = 0;
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t number = 0;
    const auto begin = i;
    for (; i < text.size() && isDigit(text[i]); ++i) {
      number = number * 10 + static_cast<std::uint64_t>(text[i] - '0');
      if (number > kMax) return std::nullopt;
    }
    if (i == begin) return std::nullopt;
    std::uint64_t unit = 1;
    if (i < text.size()) {
      switch (lower(text[i++])) {
        case 'w':
          unit = 604800;
          break;
        case 'd':
          unit = 86400;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'm':
          unit = 60;
          break;
        case 's':
          break;
        default:
          return std::nullopt;
      }
    }
    total += number * unit;
    if (total > kMax) return std::nullopt;
    any = true;
  }
  if (!any) return std::nullopt;
  return static_cast<std::uint32_t>(total);
}

/// Whether the last dot is a dot and not the escaped end of a label.
bool isAbsolute(std::string_view text) {
  if (text.empty() || text.back() != '.') return false;
  std::size_t backslashes = 0;
  for (auto i = text.size() - 1; i > 0 && text[i - 1] == '\\'; --i) ++backslashes;
  return backslashes % 2 == 0;
}

class Reader {
 public:
  Reader(const DnsName& zoneName, ZoneId zone, std::size_t maxRecords)
      : zoneName_(zoneName), zone_(zone), maxRecords_(maxRecords), origin_(zoneName) {}

  Result<void> read(const Entry& entry) {
    const auto& first = entry.tokens.front();
    if (!entry.startsBlank && !first.quoted && first.text.front() == '$') return readDirective(entry);
    return readRecord(entry);
  }
  MasterFile take() { return std::move(file_); }

 private:
  struct Record {
    std::optional<Ttl> ttl;
    const Token* typeToken = nullptr;
    RecordType type{0};
    std::vector<Token> fields;
  };

  Result<DnsName> readName(std::string_view text) const {
    if (text == "@") return origin_;
    auto name = DnsName::parse(text);
    if (!name || isAbsolute(text)) return name;
    return name->under(origin_);
  }

  Result<void> readDirective(const Entry& entry) {
    const auto& directive = entry.tokens.front();
    const bool isOrigin = equalsIgnoreCase(directive.text, "$origin");
    if (!isOrigin && !equalsIgnoreCase(directive.text, "$ttl")) {
      return failAt(directive, "of the directives, $ORIGIN and $TTL are read",
                    "write out what $INCLUDE or $GENERATE stands for");
    }
    if (entry.tokens.size() != 2) return failAt(directive, "the directive has one argument", "correct the line");
    const auto& argument = entry.tokens[1];
    if (isOrigin) {
      auto name = readName(argument.text);
      if (!name) return passAt(argument, name);
      origin_ = *name;
      return {};
    }
    const auto seconds = parseSeconds(argument.text);
    if (!seconds) return failAt(argument, "a TTL is 0 to 2147483647 seconds (RFC 2181 section 8)");
    defaultTtl_ = *Ttl::of(*seconds);
    return {};
  }

  /// [owner] [TTL] [class] type fields, TTL and class in either order.
  Result<void> readRecord(const Entry& entry) {
    std::size_t next = 0;
    if (!entry.startsBlank) {
      const auto& token = entry.tokens[next++];
      if (token.quoted) return failAt(token, "a name does not stand in quotes");
      auto owner = readName(token.text);
      if (!owner) return passAt(token, owner);
      if (!owner->isAtOrBelow(zoneName_)) {
        return failAt(token, "the name does not lie in the zone " + zoneName_.textNoDot(),
                      "correct the name (a final dot missing?) or the $ORIGIN");
      }
      owner_ = *owner;
    } else if (!owner_) {
      return failAt(entry.tokens.front(), "the line begins with a blank, and no owner stands before it",
                    "write the owner");
    }
    auto record = readHead(entry, next);
    if (!record) return pass(record);
    if (record->type == rrtype::SOA) return addSoa(*record);
    return addRecord(*record);
  }

  Result<Record> readHead(const Entry& entry, std::size_t next) {
    Record record;
    bool hasClass = false;
    for (; next < entry.tokens.size(); ++next) {
      const auto& token = entry.tokens[next];
      if (token.quoted) return failAt(token, "here a record type stands, without quotes");
      if (!record.ttl && !token.text.empty() && isDigit(token.text.front())) {
        const auto seconds = parseSeconds(token.text);
        if (!seconds) return failAt(token, "a TTL is 0 to 2147483647 seconds (RFC 2181 section 8)");
        record.ttl = *Ttl::of(*seconds);
      } else if (!hasClass && equalsIgnoreCase(token.text, "in")) {
        hasClass = true;
      } else {
        const auto type = RecordType::parse(token.text);
        if (!type) return passAt(token, type);
        record.type = *type;
        record.typeToken = &token;
        record.fields.assign(entry.tokens.begin() + static_cast<std::ptrdiff_t>(next) + 1, entry.tokens.end());
        return record;
      }
    }
    return failAt(entry.tokens.back(), "the record has no type", "write OWNER TTL IN TYPE CONTENT");
  }

  /// The record's own TTL, that of $TTL, or that of the record before (RFC 1035 section 5.1).
  Result<Ttl> ttlOf(const Record& record) {
    const auto ttl = record.ttl ? record.ttl : defaultTtl_ ? defaultTtl_ : lastTtl_;
    if (!ttl) return failAt(*record.typeToken, "no TTL is known yet", "begin the file with $TTL 3600");
    lastTtl_ = *ttl;
    return *ttl;
  }

  Result<void> addSoa(const Record& record) {
    const auto& type = *record.typeToken;
    if (*owner_ != zoneName_) return failAt(type, "the SOA stands at the apex, " + zoneName_.textNoDot());
    if (record.fields.size() != 7) return failAt(type, "a SOA has seven fields (RFC 1035 section 3.3.13)");
    StartOfAuthority soa;
    DnsName* const names[] = {&soa.primaryServer, &soa.hostmaster};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto name = readName(record.fields[i].text);
      if (!name) return passAt(record.fields[i], name);
      *names[i] = *name;
    }
    const auto& serial = record.fields[2].text;
    const auto [end, error] = std::from_chars(serial.data(), serial.data() + serial.size(), soa.serial);
    if (error != std::errc() || end != serial.data() + serial.size()) {
      return failAt(record.fields[2], "a serial is a number from 0 to 4294967295");
    }
    std::uint32_t* const intervals[] = {&soa.refresh, &soa.retry, &soa.expire, &soa.minimum};
    for (std::size_t i = 0; i < 4; ++i) {
      const auto seconds = parseSeconds(record.fields[3 + i].text);
      if (!seconds) return failAt(record.fields[3 + i], "an interval is 0 to 2147483647 seconds");
      *intervals[i] = *seconds;
    }
    // As BIND does for a file without $TTL whose SOA has none: its minimum, once the default (RFC 1035 section 3.3.13).
    if (!record.ttl && !defaultTtl_ && !lastTtl_) lastTtl_ = *Ttl::of(soa.minimum);
    const auto ttl = ttlOf(record);
    if (!ttl) return pass(ttl);
    soa.ttl = *ttl;
    // The output of a zone transfer ends with the SOA that it began with.
    if (file_.soa && *file_.soa != soa) return failAt(type, "the zone has a second SOA", "remove one");
    file_.soa = soa;
    return {};
  }

  Result<void> addRecord(const Record& record) {
    const auto& type = *record.typeToken;
    if (!isWritableType(record.type)) {
      return failAt(type, "records of this type are not read",
                    fmt::format("remove the line; the types are {}", writableTypes()));
    }
    const auto ttl = ttlOf(record);
    if (!ttl) return pass(ttl);
    const Token* offender = &type;
    auto content = normaliseContent(
        record.type, record.fields, [this](std::string_view text) { return readName(text); }, &offender);
    if (!content) return passAt(*offender, content);
    const auto key = std::pair(owner_->wire(), record.type.number());
    const auto [known, first] = ttls_.try_emplace(key, *ttl);
    if (!first && known->second != *ttl) {
      return failAt(type, "the records of one owner and type share a TTL (RFC 2181 section 5.2)",
                    fmt::format("write {}, as before", known->second.seconds()));
    }
    if (!seen_.insert(std::tuple(key.first, key.second, *content)).second) return {};
    if (file_.records.size() == maxRecords_) {
      auto error = fail(Errc::limitExceeded, "", fmt::format("a zone has at most {} records", maxRecords_));
      return tl::unexpected<Error>(at(type.position, std::move(error.value())));
    }
    file_.records.push_back({StaticRecordId{}, zone_, *owner_, record.type, *ttl, std::move(*content)});
    return {};
  }

  const DnsName zoneName_;
  const ZoneId zone_;
  const std::size_t maxRecords_;
  DnsName origin_;
  std::optional<DnsName> owner_;
  std::optional<Ttl> defaultTtl_;
  std::optional<Ttl> lastTtl_;
  MasterFile file_;
  std::map<std::pair<std::string, std::uint16_t>, Ttl> ttls_;
  std::set<std::tuple<std::string, std::uint16_t, std::string>> seen_;
};

}  // namespace

Result<MasterFile> readMasterFile(std::string_view text, const DnsName& origin, ZoneId zone,
                                  const MasterFileLimits& limits) {
  if (text.size() > limits.octets) {
    return fail(Errc::limitExceeded, std::to_string(text.size()) + " octets",
                fmt::format("a master file has at most {} octets", limits.octets), "divide the zone");
  }
  Tokenizer tokenizer(text);
  Reader reader(origin, zone, limits.records);
  while (true) {
    const auto entry = tokenizer.next();
    if (!entry) return pass(entry);
    if (!*entry) return reader.take();
    if (auto ok = reader.read(**entry); !ok) return pass(ok);
  }
}

std::string writeMasterFile(const DnsName& origin, const std::vector<RRset>& rrsets) {
  // By what the lines are sorted: the SOA first, owners in canonical order, types by number, then the line itself.
  using Line = std::tuple<bool, std::string, std::uint16_t, std::string>;
  std::vector<Line> lines;
  for (const auto& rrset : rrsets) {
    const auto key = rrset.owner.canonicalKey();
    const auto head = fmt::format("{} {} IN {} ", rrset.owner.text(), rrset.ttl.seconds(), rrset.type.text());
    for (const auto& content : rrset.contents) {
      lines.emplace_back(rrset.type != rrtype::SOA, key, rrset.type.number(), head + content);
    }
  }
  std::sort(lines.begin(), lines.end());
  auto out = fmt::format("$ORIGIN {}\n", origin.text());
  for (const auto& line : lines) out += std::get<3>(line) + '\n';
  return out;
}

}  // namespace mailzone::zonegen
