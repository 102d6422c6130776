#include "mailauth/dkim_signature.h"

#include <fmt/format.h>

#include <algorithm>

#include "mailauth/tag_list.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kMaxSignedHeaders = 1000;

tl::unexpected<Error> bad(std::string_view value, std::string rule) {
  return fail(Errc::invalidInput, value, std::move(rule));
}

Result<std::string_view> required(const TagList& tags, std::string_view name) {
  const auto value = tags.find(name);
  if (!value || value->empty()) return bad("", fmt::format("{}= is missing (RFC 6376 section 3.5)", name));
  return *value;
}

// Names in signatures may be U-labels in internationalized mail (RFC 8616 section 5).
Result<DnsName> nameOf(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
  auto name = ascii ? nameFromRaw(text) : DnsName::parseUnicode(text);
  if (!name) return name;
  const auto labels = name->labels();
  const auto isSubDomain = [](const std::string& label) {
    // sub-domain of RFC 5321 is letters, digits and hyphens; "_" is seen in selectors, and harmless.
    return std::all_of(label.begin(), label.end(), [](char c) { return isAlnum(c) || c == '-' || c == '_'; });
  };
  if (!std::all_of(labels.begin(), labels.end(), isSubDomain)) {
    return bad(text, "not a domain name of letters, digits and hyphens (RFC 6376 section 3.1)");
  }
  return name;
}

// *DIGIT as far as 64 bits hold it; the grammar allows 76 digits, which no clock and no body has.
Result<std::optional<std::uint64_t>> number(const TagList& tags, std::string_view name) {
  const auto text = tags.find(name);
  if (!text) return std::optional<std::uint64_t>();
  if (text->empty() || text->size() > 18 || !std::all_of(text->begin(), text->end(), isDigit)) {
    return bad(*text, fmt::format("{}= is a number of at most 18 digits (RFC 6376 section 3.5)", name));
  }
  std::uint64_t value = 0;
  for (const char c : *text) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return std::optional<std::uint64_t>(value);
}

Result<Canonicalization> canonicalization(std::string_view text) {
  if (text == "simple") return Canonicalization::simple;
  if (text == "relaxed") return Canonicalization::relaxed;
  return bad(text, "c= is simple or relaxed, twice (RFC 6376 section 3.5)");
}

Result<void> readAlgorithm(DkimSignature& signature, std::string_view text) {
  if (text == "rsa-sha256") {
    signature.algorithm = KeyAlgorithm::rsaSha256;
  } else if (text == "ed25519-sha256") {
    signature.algorithm = KeyAlgorithm::ed25519Sha256;
  } else if (text == "rsa-sha1") {
    return fail(Errc::forbidden, text, "rsa-sha1 must not be used (RFC 8301 section 3.1)");
  } else {
    return fail(Errc::forbidden, text, "unknown algorithm");
  }
  return {};
}

Result<void> readCanonicalization(DkimSignature& signature, std::string_view text) {
  const auto slash = text.find('/');
  const auto header = canonicalization(text.substr(0, slash));
  if (!header) return pass(header);
  signature.header = *header;
  if (slash == std::string_view::npos) return {};
  const auto body = canonicalization(text.substr(slash + 1));
  if (!body) return pass(body);
  signature.body = *body;
  return {};
}

Result<void> readHeaders(DkimSignature& signature, std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() > kMaxSignedHeaders) return bad(text.substr(0, 40), "h= names more than 1000 fields");
  for (const auto part : parts) {
    const auto name = trim(part);
    if (name.empty()) return bad(text, "h= has an empty name");
    if (name.find_first_of(" \t\r\n") != std::string_view::npos) return bad(text, "h= is a list with colons");
    signature.headers.push_back(lower(name));
  }
  if (signature.timesSigned("from") == 0) return bad(text, "h= must name From (RFC 6376 section 5.4)");
  return {};
}

// dkim-quoted-printable of RFC 6376 section 2.11.
Result<std::string> unquote(std::string_view text) {
  const auto hex = [](char c) { return isDigit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (isFws(text[at])) continue;
    if (text[at] != '=') {
      out += text[at];
      continue;
    }
    if (at + 2 >= text.size() || hex(text[at + 1]) < 0 || hex(text[at + 2]) < 0) {
      return bad(text, "not quoted-printable (RFC 6376 section 2.11)");
    }
    out += static_cast<char>(hex(text[at + 1]) * 16 + hex(text[at + 2]));
    at += 2;
  }
  return out;
}

std::string quote(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == ';' || c == '=' || c == '@') {
      out += fmt::format("={:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

Result<void> readIdentity(DkimSignature& signature, std::optional<std::string_view> text) {
  signature.identityDomain = signature.domain;
  if (!text) return {};
  const auto at = text->rfind('@');
  if (at == std::string_view::npos) return bad(*text, "i= is an address (RFC 6376 section 3.5)");
  auto local = unquote(text->substr(0, at));
  if (!local) return pass(local);
  auto domain = nameOf(trim(text->substr(at + 1)));
  if (!domain) return pass(domain);
  if (!domain->isAtOrBelow(signature.domain)) return bad(*text, "i= is outside d= (RFC 6376 section 3.5)");
  signature.identityLocal = std::move(*local);
  signature.identityDomain = std::move(*domain);
  return {};
}

Result<std::string> readBase64(const TagList& tags, std::string_view name) {
  const auto text = required(tags, name);
  if (!text) return pass(text);
  return decodeBase64(withoutFws(*text));
}

Result<void> readNumbers(DkimSignature& signature, const TagList& tags) {
  const auto length = number(tags, "l");
  if (!length) return pass(length);
  const auto signedAt = number(tags, "t");
  if (!signedAt) return pass(signedAt);
  const auto expiresAt = number(tags, "x");
  if (!expiresAt) return pass(expiresAt);
  if (*signedAt && *expiresAt && **expiresAt <= **signedAt) {
    return bad(*tags.find("x"), "x= is not after t= (RFC 6376 section 3.5)");
  }
  signature.bodyLength = *length;
  signature.signedAt = *signedAt;
  signature.expiresAt = *expiresAt;
  return {};
}

Result<void> checkQuery(std::optional<std::string_view> text) {
  if (!text) return {};
  for (const auto part : split(*text, ':')) {
    if (trim(part) == "dns/txt") return {};
  }
  return bad(*text, "q= does not name dns/txt (RFC 6376 section 3.5)");
}

/// Lines of at most 78 columns, each continued by CRLF and a blank.
class Folder {
 public:
  /// `word` stays in one piece.
  void add(std::string_view word) {
    if (column_ + word.size() + 1 > 78) {
      text_ += "\r\n ";
      column_ = 1;
    } else if (!text_.empty()) {
      text_ += ' ';
      ++column_;
    }
    text_ += word;
    column_ += word.size();
  }
  /// `word` may be broken anywhere, as base64 may.
  void addBroken(std::string_view prefix, std::string_view octets) {
    add(prefix);
    for (const char c : octets) {
      if (column_ >= 78) {
        text_ += "\r\n ";
        column_ = 1;
      }
      text_ += c;
      ++column_;
    }
  }
  void append(char c) {
    text_ += c;
    ++column_;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t column_ = std::string_view("DKIM-Signature: ").size();
};

}  // namespace

Result<DnsName> DkimSignature::keyName() const {
  auto base = domain.child("_domainkey");
  if (!base) return base;
  return selector.under(*base);
}

std::size_t DkimSignature::timesSigned(std::string_view header_) const noexcept {
  return static_cast<std::size_t>(std::count(headers.begin(), headers.end(), header_));
}

Result<DkimSignature> parseDkimSignature(std::string_view value) {
  const auto tags = TagList::parse(value);
  if (!tags) return pass(tags);
  DkimSignature signature;
  const auto version = required(*tags, "v");
  if (!version) return pass(version);
  if (*version != "1") return bad(*version, "v= is 1 (RFC 6376 section 3.5)");
  for (const auto& [name, field] : {std::pair{"d", &signature.domain}, std::pair{"s", &signature.selector}}) {
    const auto text = required(*tags, name);
    if (!text) return pass(text);
    auto parsed = nameOf(*text);
    if (!parsed) return pass(parsed);
    *field = std::move(*parsed);
  }
  const auto algorithm = required(*tags, "a");
  if (!algorithm) return pass(algorithm);
  if (auto done = readAlgorithm(signature, *algorithm); !done) return pass(done);
  if (auto done = readCanonicalization(signature, tags->find("c").value_or("simple/simple")); !done) return pass(done);
  const auto headers = required(*tags, "h");
  if (!headers) return pass(headers);
  if (auto done = readHeaders(signature, *headers); !done) return pass(done);
  if (auto done = readIdentity(signature, tags->find("i")); !done) return pass(done);
  if (auto done = readNumbers(signature, *tags); !done) return pass(done);
  if (auto done = checkQuery(tags->find("q")); !done) return pass(done);
  auto bodyHash = readBase64(*tags, "bh");
  if (!bodyHash) return pass(bodyHash);
  auto octets = readBase64(*tags, "b");
  if (!octets) return pass(octets);
  signature.bodyHash = std::move(*bodyHash);
  signature.signature = std::move(*octets);
  return signature;
}

std::string printDkimSignature(const DkimSignature& signature) {
  const auto how = [](Canonicalization c) { return c == Canonicalization::simple ? "simple" : "relaxed"; };
  Folder out;
  out.add("v=1;");
  out.add(signature.algorithm == KeyAlgorithm::rsaSha256 ? "a=rsa-sha256;" : "a=ed25519-sha256;");
  out.add(fmt::format("c={}/{};", how(signature.header), how(signature.body)));
  out.add(fmt::format("d={};", rawText(signature.domain)));
  out.add(fmt::format("s={};", rawText(signature.selector)));
  if (!signature.identityLocal.empty() || signature.identityDomain != signature.domain) {
    out.add(fmt::format("i={}@{};", quote(signature.identityLocal), rawText(signature.identityDomain)));
  }
  if (signature.signedAt) out.add(fmt::format("t={};", *signature.signedAt));
  if (signature.expiresAt) out.add(fmt::format("x={};", *signature.expiresAt));
  if (signature.bodyLength) out.add(fmt::format("l={};", *signature.bodyLength));
  for (std::size_t i = 0; i < signature.headers.size(); ++i) {
    out.add((i == 0 ? "h=" : "") + signature.headers[i] + (i + 1 == signature.headers.size() ? ";" : ":"));
  }
  out.addBroken("bh=", encodeBase64(signature.bodyHash));
  out.append(';');
  out.addBroken("b=", encodeBase64(signature.signature));
  return out.take();
}

}  // namespace mailzone::mailauth
