#include "mailauth/dkim.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mailauth/tag_list.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

// TXT records at a key's name beyond these are not tried.
constexpr std::size_t kMaxKeyRecords = 10;

// Runs of white space become one blank, those at the end go; in the header, folds go first (RFC 6376 section 3.4.2).
void appendRelaxed(std::string& out, std::string_view line) {
  bool blank = false;
  for (const char c : line) {
    if (c == '\r' || c == '\n') continue;
    if (isWsp(c)) {
      blank = true;
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
}

// A body line keeps its bare CR and LF: only the CRLF at its end is a line's end.
void appendRelaxedBodyLine(std::string& out, std::string_view line) {
  bool blank = false;
  for (const char c : line) {
    if (isWsp(c)) {
      blank = true;
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
}

std::string relaxedHeader(std::string_view name, std::string_view value) {
  std::string out = lower(name) + ':';
  std::string text;
  appendRelaxed(text, trim(value));
  return out + text;
}

// The field with the value of its b= tag taken out, white space around it included (section 3.7).
std::string withoutSignature(std::string_view raw) {
  std::size_t at = raw.find(':') + 1;
  for (;;) {
    const auto end = std::min(raw.find(';', at), raw.size());
    const auto tag = raw.substr(at, end - at);
    const auto equals = tag.find('=');
    if (equals != std::string_view::npos && trim(tag.substr(0, equals)) == "b") {
      return std::string(raw.substr(0, at + equals + 1)) + std::string(raw.substr(end));
    }
    if (end == raw.size()) return std::string(raw);
    at = end + 1;
  }
}

std::string_view withoutCrlf(std::string_view raw) noexcept {
  if (raw.size() >= 2 && raw.substr(raw.size() - 2) == "\r\n") raw.remove_suffix(2);
  return raw;
}

// What is signed of the header (section 3.7): for each name in h= the last field not yet taken, then the signature's
// own field without its value and without its final CRLF.
std::string signedHeader(const Message& message, const DkimSignature& signature, std::string_view ownRaw) {
  std::string out;
  std::map<std::string, std::vector<const HeaderField*>> unused;  // from the top; the last is taken first
  for (const auto& field : message.fields) unused[lower(field.name)].push_back(&field);
  for (const auto& name : signature.headers) {
    auto& fields = unused[name];
    if (fields.empty()) continue;
    out += canonicalHeader(*fields.back(), signature.header);
    fields.pop_back();
  }
  const std::string own = withoutSignature(withoutCrlf(ownRaw));
  if (signature.header == Canonicalization::simple) return out + own;
  const auto colon = own.find(':');
  return out + relaxedHeader(trim(std::string_view(own).substr(0, colon)), std::string_view(own).substr(colon + 1));
}

std::uint64_t secondsOf(TimePoint time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

class Verifier {
 public:
  Verifier(const Message& message, Resolver& resolver, TimePoint now)
      : message_(message), resolver_(resolver), now_(now) {}

  DkimResult verify(const HeaderField& field) {
    DkimResult result;
    auto parsed = parseDkimSignature(field.value);
    if (!parsed) {
      readNames(result, field.value);
      return done(result, parsed.error().code == Errc::forbidden ? Verdict::permerror : Verdict::neutral,
                  describe(parsed.error()));
    }
    const DkimSignature& signature = *parsed;
    result.domain = signature.domain;
    result.selector = signature.selector;
    result.signature = signature;
    if (signature.expiresAt && secondsOf(now_) > *signature.expiresAt) {
      return done(result, Verdict::permerror, "the signature has expired (x=)");
    }
    auto name = signature.keyName();
    if (!name) return done(result, Verdict::permerror, describe(name.error()));
    const auto answer = resolver_.txt(*name);
    if (!answer) {
      return done(result, Verdict::temperror,
                  fmt::format("{} could not be looked up: {}", name->textNoDot(), describe(answer.error())));
    }
    if (answer->records.empty()) {
      return done(result, Verdict::permerror, "no key: " + name->textNoDot() + " has no TXT record");
    }
    return tryKeys(std::move(result), field, answer->records, name->textNoDot());
  }

 private:
  static DkimResult done(DkimResult& result, Verdict verdict, std::string reason) {
    result.verdict = verdict;
    result.reason = std::move(reason);
    return std::move(result);
  }

  // Of a field that is no good signature: whose it says it is.
  static void readNames(DkimResult& result, std::string_view value) {
    const auto tags = TagList::parse(value);
    if (!tags) return;
    for (const auto& [tag, field] : {std::pair{"d", &result.domain}, std::pair{"s", &result.selector}}) {
      const auto text = tags->find(tag);
      const auto name = nameFromRaw(text.value_or(""));
      if (name) *field = *name;
    }
  }

  // Several records at one name are undefined (section 3.6.2.2); we take the first that is a usable key.
  DkimResult tryKeys(DkimResult result, const HeaderField& field, const std::vector<std::string>& records,
                     const std::string& name) {
    std::string why;
    for (std::size_t i = 0; i < std::min(records.size(), kMaxKeyRecords); ++i) {
      const auto record = parseDkimKeyRecord(records[i]);
      if (!record) {
        why = describe(record.error());
        continue;
      }
      if (const auto refusal = unusable(*record, *result.signature); !refusal.empty()) {
        why = refusal;
        continue;
      }
      const auto key = DkimPublicKey::parse(record->keyType, record->publicKey);
      if (!key) {
        why = describe(key.error());
        continue;
      }
      result.keyBits = key->bits();
      return check(std::move(result), field, *record, *key);
    }
    return done(result, Verdict::permerror, "no usable key at " + name + ": " + why);
  }

  // Section 6.1.2. "": the record may be used for this signature.
  static std::string unusable(const DkimKeyRecord& record, const DkimSignature& signature) {
    if (record.revoked()) return "the key is revoked (p= is empty)";
    if (record.keyType != word(signature.algorithm)) return "the key's type is not that of a=";
    if (!record.allowsHash("sha256")) return "h= of the key does not allow sha256";
    if (!record.allowsEmail()) return "s= of the key does not allow email";
    if (record.strictIdentity() && signature.identityDomain != signature.domain) {
      return "t=s of the key, and i= is a subdomain of d=";
    }
    return {};
  }

  const std::string& body(Canonicalization how) {
    auto& cached = how == Canonicalization::simple ? simpleBody_ : relaxedBody_;
    if (!cached) cached = canonicalBody(message_.body, how);
    return *cached;
  }

  DkimResult check(DkimResult result, const HeaderField& field, const DkimKeyRecord& record, const DkimPublicKey& key) {
    const DkimSignature& signature = *result.signature;
    std::string_view content = body(signature.body);
    const bool partial = signature.bodyLength && *signature.bodyLength < content.size();
    if (signature.bodyLength && *signature.bodyLength > content.size()) {
      return failed(result, record, "the body is shorter than l=");
    }
    if (partial) content = content.substr(0, static_cast<std::size_t>(*signature.bodyLength));
    if (sha256(content) != signature.bodyHash) return failed(result, record, "the body was changed (bh= differs)");
    if (!key.verifies(sha256(signedHeader(message_, signature, field.raw)), signature.signature)) {
      return failed(result, record, "the header was changed, or another key signed (b= does not verify)");
    }
    if (record.testing()) {
      // Section 3.6.1, t=y: to be treated as unsigned, even when it verifies.
      return done(result, Verdict::policy, "verifies, but the key is in testing mode (t=y)");
    }
    if (partial) {
      return done(result, Verdict::policy, "verifies, but l= leaves a part of the body unsigned (section 8.2)");
    }
    return done(result, Verdict::pass, "verifies");
  }

  static DkimResult failed(DkimResult& result, const DkimKeyRecord& record, std::string reason) {
    if (record.testing()) {
      return done(result, Verdict::neutral, reason + "; the key is in testing mode (t=y)");
    }
    return done(result, Verdict::fail, std::move(reason));
  }

  const Message& message_;
  Resolver& resolver_;
  TimePoint now_;
  std::optional<std::string> simpleBody_;
  std::optional<std::string> relaxedBody_;
};

}  // namespace

std::string canonicalHeader(const HeaderField& field, Canonicalization how) {
  if (how == Canonicalization::simple) return std::string(field.raw);
  return relaxedHeader(field.name, field.value) + "\r\n";
}

std::string canonicalBody(std::string_view body, Canonicalization how) {
  std::string out;
  out.reserve(body.size() + 2);
  if (how == Canonicalization::simple) {
    out = body;
    if (out.size() < 2 || out.compare(out.size() - 2, 2, "\r\n") != 0) out += "\r\n";
  } else {
    while (!body.empty()) {
      const auto end = body.find("\r\n");
      appendRelaxedBodyLine(out, body.substr(0, end));
      out += "\r\n";
      body.remove_prefix(end == std::string_view::npos ? body.size() : end + 2);
    }
  }
  // Empty lines at the end go (section 3.4.3); an empty body is one CRLF for simple and nothing for relaxed.
  while (out.size() >= 4 && out.compare(out.size() - 4, 4, "\r\n\r\n") == 0) out.resize(out.size() - 2);
  if (how == Canonicalization::relaxed && out == "\r\n") out.clear();
  return out;
}

std::vector<DkimResult> verifyDkim(std::string_view message, Resolver& resolver, TimePoint now,
                                   const DkimLimits& limits) {
  std::vector<DkimResult> results;
  const auto split = splitMessage(message, limits.message);
  if (!split) {
    results.emplace_back();
    results.back().reason = "the message cannot be read: " + describe(split.error());
    return results;
  }
  Verifier verifier(*split, resolver, now);
  for (const auto& field : split->named("dkim-signature")) {
    if (results.size() < limits.signatures) {
      results.push_back(verifier.verify(field));
    } else {
      results.emplace_back();
      results.back().reason = fmt::format("not checked: the message has more than {} signatures", limits.signatures);
    }
  }
  return results;
}

Result<std::string> signDkim(std::string_view message, const DkimPrivateKey& key, const DkimSignOptions& options) {
  const auto split = splitMessage(message);
  if (!split) return pass(split);
  if (split->named("from").empty()) {
    return fail(Errc::invalidInput, "", "the message has no From, which must be signed (RFC 6376 section 5.4)");
  }
  DkimSignature signature;
  signature.algorithm = key.algorithm();
  signature.header = options.header;
  signature.body = options.body;
  signature.domain = options.domain;
  signature.selector = options.selector;
  signature.identityDomain = options.domain;
  for (const auto& name : options.headers) {
    signature.headers.insert(signature.headers.end(), split->named(name).size() + 1, lower(name));
  }
  if (signature.timesSigned("from") == 0) {
    return fail(Errc::invalidInput, "", "From must be among the signed fields (RFC 6376 section 5.4)");
  }
  if (options.signedAt) signature.signedAt = secondsOf(*options.signedAt);
  if (options.expiresAt) signature.expiresAt = secondsOf(*options.expiresAt);
  signature.bodyHash = sha256(canonicalBody(split->body, options.body));
  const std::string unsignedField = "DKIM-Signature: " + printDkimSignature(signature);
  auto octets = key.sign(sha256(signedHeader(*split, signature, unsignedField)));
  if (!octets) return octets;
  signature.signature = std::move(*octets);
  return "DKIM-Signature: " + printDkimSignature(signature) + "\r\n";
}

}  // namespace mailzone::mailauth
