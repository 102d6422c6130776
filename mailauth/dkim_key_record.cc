#include "mailauth/dkim_key_record.h"

#include <algorithm>

#include "mailauth/dkim_crypto.h"
#include "mailauth/tag_list.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

bool contains(const std::vector<std::string>& words, std::string_view word) noexcept {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<std::string> colonList(std::optional<std::string_view> value) {
  std::vector<std::string> words;
  if (!value) return words;
  for (const auto part : split(*value, ':')) {
    if (const auto word = trim(part); !word.empty()) words.emplace_back(word);
  }
  return words;
}

void printColonList(std::string& out, std::string_view tag, const std::vector<std::string>& words) {
  if (words.empty()) return;
  out += ' ';
  out += tag;
  out += '=';
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += ':';
    out += words[i];
  }
  out += ';';
}

}  // namespace

bool DkimKeyRecord::testing() const noexcept {
  return contains(flags, "y");
}

bool DkimKeyRecord::strictIdentity() const noexcept {
  return contains(flags, "s");
}

bool DkimKeyRecord::allowsHash(std::string_view hash) const noexcept {
  return hashes.empty() || contains(hashes, hash);
}

bool DkimKeyRecord::allowsEmail() const noexcept {
  return services.empty() || contains(services, "*") || contains(services, "email");
}

Result<DkimKeyRecord> parseDkimKeyRecord(std::string_view txt) {
  const auto list = TagList::parse(txt);
  if (!list) return pass(list);
  if (const auto version = list->find("v")) {
    if (*version != "DKIM1" || list->tags().front().name != "v") {
      return fail(Errc::invalidInput, txt, "v= must be the first tag and DKIM1 (RFC 6376 section 3.6.1)",
                  *version == "DMARC1" ? "this is a DMARC record; a key record begins v=DKIM1" : "");
    }
  }
  const auto key = list->find("p");
  if (!key) return fail(Errc::invalidInput, txt, "a key record has p= (RFC 6376 section 3.6.1)");
  auto octets = decodeBase64(withoutFws(*key));
  if (!octets) return pass(octets);
  DkimKeyRecord record;
  record.keyType = list->find("k").value_or("rsa");
  record.hashes = colonList(list->find("h"));
  record.services = colonList(list->find("s"));
  record.flags = colonList(list->find("t"));
  record.notes = list->find("n").value_or("");
  record.publicKey = std::move(*octets);
  return record;
}

std::string printDkimKeyRecord(const DkimKeyRecord& record) {
  std::string out = "v=DKIM1; k=" + record.keyType + ';';
  printColonList(out, "h", record.hashes);
  printColonList(out, "s", record.services);
  printColonList(out, "t", record.flags);
  if (!record.notes.empty()) out += " n=" + record.notes + ';';
  return out + " p=" + encodeBase64(record.publicKey);
}

Result<std::string> dkimKeyText(const std::optional<PublicKey>& key) {
  if (!key) return std::string("v=DKIM1; p=");
  DkimKeyRecord record;
  record.keyType = std::string(word(key->algorithm));
  auto octets = decodeBase64(key->base64);
  if (!octets) return pass(octets);
  const auto parsed = DkimPublicKey::parse(record.keyType, *octets);
  if (!parsed) return pass(parsed);
  record.publicKey = std::move(*octets);
  return printDkimKeyRecord(record);
}

}  // namespace mailzone::mailauth
