#include "backend/node.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <tuple>

#include "backend/bytes.h"
#include "zonegen/merge.h"

namespace mailzone::backend {
namespace {

constexpr std::uint8_t kFlagMarker = 1, kFlagBelowCut = 2, kFlagCut = 4;

bool isVisible(const Contribution& c) noexcept {
  return c.state == RecordState::visible;
}

zonegen::Origin originOf(SourceId source) noexcept {
  if (source.kind == SourceKind::staticRecord) return zonegen::Origin::written;
  return source.kind == SourceKind::departed ? zonegen::Origin::departed : zonegen::Origin::generated;
}

/// What zonegen says of each record when several sources speak of one name.
void judge(const DnsName& owner, std::vector<Contribution>& records) {
  std::vector<zonegen::Claim> claims;
  std::vector<Contribution*> claimants;
  for (auto& c : records) {
    if (!isVisible(c)) continue;
    claims.push_back({originOf(c.source), c.source.id, c.type, c.content});
    claimants.push_back(&c);
  }
  const auto fates = zonegen::judge(owner, claims);
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] == zonegen::Fate::superseded) claimants[i]->state = RecordState::overridden;
    if (fates[i] == zonegen::Fate::alias) claimants[i]->state = RecordState::conflict;
  }
}

/// Records arrive sorted by type, content, source.
void dropDuplicates(std::vector<Contribution>& records) {
  const Contribution* kept = nullptr;
  for (auto& c : records) {
    if (!isVisible(c)) continue;
    if (kept != nullptr && kept->type == c.type && kept->content == c.content) {
      c.state = RecordState::duplicate;
    } else {
      kept = &c;
    }
  }
}

void unifyTtls(std::vector<Contribution>& records) {
  std::map<RecordType, std::uint32_t> lowest;
  for (const auto& c : records) {
    if (!isVisible(c) && c.state != RecordState::duplicate) continue;
    const auto [at, fresh] = lowest.emplace(c.type, c.ttl);
    if (!fresh) at->second = std::min(at->second, c.ttl);
  }
  for (auto& c : records) {
    const auto at = lowest.find(c.type);
    c.servedTtl = at == lowest.end() ? c.ttl : at->second;
  }
}

std::string jsonUnescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 >= text.size()) {
      out += text[at];
    } else if (text[at + 1] == 'u' && at + 5 < text.size()) {
      unsigned value = 0;
      std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
      out += static_cast<char>(static_cast<unsigned char>(value));
      at += 5;
    } else {
      out += text[++at];
    }
  }
  return out;
}

struct RecordHeader {
  std::uint16_t type;
  RecordState state;
  SourceKind kind;
  std::uint32_t ttl;
  std::uint32_t servedTtl;
  std::uint32_t length;
  std::int64_t id;
};
constexpr std::size_t kRecordHeader = 2 + 1 + 1 + 4 + 4 + 4 + 8;

struct NodeHeader {
  std::uint8_t flags = 0;
  std::size_t count = 0;
  std::string_view headers, owner, blob;
};

bool readHeader(std::string_view stored, NodeHeader& out) noexcept {
  ByteReader reader(stored);
  out.flags = reader.number<std::uint8_t>();
  out.count = reader.number<std::uint16_t>();
  const auto ownerLength = reader.number<std::uint16_t>();
  out.headers = reader.text(out.count * kRecordHeader);
  out.owner = reader.text(ownerLength);
  if (!reader.ok()) return false;
  out.blob = stored.substr(5 + out.headers.size() + out.owner.size());
  return true;
}

RecordHeader recordHeader(const NodeHeader& node, std::size_t index) noexcept {
  RecordHeader h{};
  const char* at = node.headers.data() + index * kRecordHeader;
  std::memcpy(&h.type, at, 2);
  std::memcpy(&h.state, at + 2, 1);
  std::memcpy(&h.kind, at + 3, 1);
  std::memcpy(&h.ttl, at + 4, 4);
  std::memcpy(&h.servedTtl, at + 8, 4);
  std::memcpy(&h.length, at + 12, 4);
  std::memcpy(&h.id, at + 16, 8);
  return h;
}

void appendDecimal(std::string& out, std::uint32_t value) {
  std::array<char, 10> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

void appendRow(std::string& out, std::string_view type, std::string_view owner, std::string_view content,
               std::uint32_t ttl, std::string_view zoneId, bool auth) {
  if (!out.empty() && out.back() != '[') out += ',';
  out += R"({"qtype":")";
  out += type;
  out += R"(","qname":")";
  out += owner;
  out += R"(","content":")";
  out += content;
  out += R"(","ttl":)";
  appendDecimal(out, ttl);
  out += R"(,"domain_id":)";
  out += zoneId;
  // PowerDNS reads auth as a number; false would count as 1.
  out += auth ? R"(,"auth":1})" : R"(,"auth":0})";
}

std::string_view typeWord(RecordType type, std::string& keep) {
  if (type == rrtype::TXT) return "TXT";
  if (type == rrtype::MX) return "MX";
  if (type == rrtype::A) return "A";
  if (type == rrtype::CNAME) return "CNAME";
  if (type == rrtype::SOA) return "SOA";
  if (type == rrtype::NS) return "NS";
  keep = type.text();
  return keep;
}

/// At a delegation the parent speaks with authority for DS alone (RFC 4035 section 2.2, RFC 4034 section 5).
bool isAuth(std::uint8_t flags, RecordType type) noexcept {
  if ((flags & kFlagBelowCut) != 0) return false;
  return (flags & kFlagCut) == 0 || type == rrtype::DS;
}

Found append(std::string_view stored, RecordType type, std::string_view zoneId, bool transfer, std::string& out) {
  NodeHeader node;
  if (!readHeader(stored, node)) return Found::broken;
  const bool marked = (node.flags & kFlagMarker) != 0;
  const bool any = type == rrtype::ANY;
  std::string keep;
  std::size_t offset = 0;
  bool found = false;
  bool terminal = false;
  for (std::size_t i = 0; i < node.count; ++i) {
    const auto record = recordHeader(node, i);
    if (record.length > node.blob.size() - offset) return Found::broken;
    const auto content = node.blob.substr(offset, record.length);
    offset += record.length;
    terminal = true;
    if (record.state != RecordState::visible) break;  // the visible ones come first
    const RecordType have(record.type);
    if (!any && have != type) continue;
    appendRow(out, typeWord(have, keep), node.owner, content, record.servedTtl, zoneId, isAuth(node.flags, have));
    found = true;
  }
  if (!terminal && any) {
    appendRow(out, "", node.owner, "", 0, zoneId, (node.flags & kFlagBelowCut) == 0);
    return Found::records;
  }
  if (found) return Found::records;  // what others say at this name is served, whatever is wrong with one row
  return marked && !transfer ? Found::cannotTell : Found::nothing;
}

}  // namespace

Node merge(const DnsName& owner, std::vector<Contribution> contributions, Place place) {
  for (auto& c : contributions) c.state = c.type == kCannotTell ? RecordState::marker : RecordState::visible;
  std::sort(contributions.begin(), contributions.end(), [](const Contribution& a, const Contribution& b) {
    return std::tie(a.source, a.type, a.content, a.ttl) < std::tie(b.source, b.type, b.content, b.ttl);
  });
  judge(owner, contributions);
  std::stable_sort(contributions.begin(), contributions.end(), [](const Contribution& a, const Contribution& b) {
    return std::tie(a.type, a.content) < std::tie(b.type, b.content);
  });
  dropDuplicates(contributions);
  unifyTtls(contributions);
  std::stable_partition(contributions.begin(), contributions.end(), isVisible);
  Node node;
  node.belowCut = place.belowCut;
  node.cut = !place.apex && std::any_of(contributions.begin(), contributions.end(),
                                        [](const Contribution& c) { return isVisible(c) && c.type == rrtype::NS; });
  node.records = std::move(contributions);
  return node;
}

std::string encodeNode(const Node& node, std::string_view owner) {
  std::uint8_t flags = 0;
  if (node.belowCut) flags |= kFlagBelowCut;
  if (node.cut) flags |= kFlagCut;
  std::string blob;
  std::string headers;
  for (const auto& c : node.records) {
    if (c.state == RecordState::marker) flags |= kFlagMarker;
    const std::size_t before = blob.size();
    appendJsonEscaped(blob, c.content);
    appendNumber(headers, c.type.number());
    appendNumber(headers, static_cast<std::uint8_t>(c.state));
    appendNumber(headers, static_cast<std::uint8_t>(c.source.kind));
    appendNumber(headers, c.ttl);
    appendNumber(headers, c.servedTtl);
    appendNumber(headers, static_cast<std::uint32_t>(blob.size() - before));
    appendNumber(headers, c.source.id);
  }
  std::string escapedOwner;
  appendJsonEscaped(escapedOwner, owner);
  std::string out;
  appendNumber(out, flags);
  appendNumber(out, static_cast<std::uint16_t>(node.records.size()));
  appendNumber(out, static_cast<std::uint16_t>(escapedOwner.size()));
  return out + headers + escapedOwner + blob;
}

Result<Node> decodeNode(std::string_view bytes) {
  NodeHeader header;
  if (!readHeader(bytes, header)) return fail(Errc::corrupt, {}, "a stored name is cut short");
  Node node;
  node.belowCut = (header.flags & kFlagBelowCut) != 0;
  node.cut = (header.flags & kFlagCut) != 0;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < header.count; ++i) {
    const auto record = recordHeader(header, i);
    if (record.length > header.blob.size() - offset) return fail(Errc::corrupt, {}, "a stored record is cut short");
    Contribution c;
    c.source = {record.kind, record.id};
    c.type = RecordType(record.type);
    c.ttl = record.ttl;
    c.content = jsonUnescaped(header.blob.substr(offset, record.length));
    c.state = record.state;
    c.servedTtl = record.servedTtl;
    offset += record.length;
    node.records.push_back(std::move(c));
  }
  if (offset != header.blob.size()) return fail(Errc::corrupt, {}, "a stored name has octets left over");
  return node;
}

Found appendJson(std::string_view stored, RecordType type, std::string_view zoneId, std::string& out) {
  return append(stored, type, zoneId, false, out);
}

Found appendJsonForTransfer(std::string_view stored, std::string_view zoneId, std::string& out) {
  return append(stored, rrtype::ANY, zoneId, true, out);
}

bool storedHasMarker(std::string_view stored) noexcept {
  return !stored.empty() && (static_cast<std::uint8_t>(stored[0]) & kFlagMarker) != 0;
}

void appendJsonEscaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      // Octets above 126 have no business here (presentation form is ASCII); as code points they stay valid JSON.
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

void appendJsonString(std::string& out, std::string_view text) {
  out += '"';
  appendJsonEscaped(out, text);
  out += '"';
}

}  // namespace mailzone::backend
