#include "mailauth/dkim.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mailauth/text.h"
#include "tests/support/fake_resolver.h"

namespace mailzone::mailauth {
namespace {

using mailzone::testing::FakeResolver;

const std::string kData = MAILZONE_SOURCE_DIR "/tests/data/dkim/";
const TimePoint kNow = *parseSqlTime("2026-11-25 10:00:00");

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

DkimPrivateKey ed25519Key() {
  return DkimPrivateKey::fromEd25519Seed(Secret(*decodeBase64(trim(contents(kData + "rfc8463-ed25519-seed.b64")))))
      .value();
}

Secret newRsaPem(unsigned bits) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(bits), &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return Secret(std::string(text, static_cast<std::size_t>(size)));
}

DkimSignOptions options() {
  DkimSignOptions out;
  out.domain = FakeResolver::name("t1.shop.example");
  out.selector = FakeResolver::name("mz1");
  out.signedAt = kNow;
  return out;
}

const std::string kMessage =
    "From: Shop <a@t1.shop.example>\r\nTo: b@receiver.example\r\nSubject: two  words\r\n\tfolded\r\n"
    "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n\r\nHello \t there \r\n\r\nBye\r\n\r\n\r\n";

FakeResolver dnsFor(const DkimPrivateKey& key, const std::string& extra = "") {
  FakeResolver dns;
  auto text = *dkimKeyText(*key.publicKey());
  text.insert(text.find(" p="), extra);
  dns.txtRecords[FakeResolver::name("mz1._domainkey.t1.shop.example")] = {text};
  return dns;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(DkimVectors, AllExamplesOfTheRfcsVerify) {
  const auto expected = nlohmann::json::parse(contents(kData + "expected.json"));
  FakeResolver dns;
  for (const auto& [name, text] : expected["dns_txt"].items()) {
    dns.txtRecords[FakeResolver::name(name)] = {text.get<std::string>()};
  }
  for (const auto& row : expected["cases"]) {
    const auto message = withCrlf(contents(kData + row["file"].get<std::string>()));
    const auto results = verifyDkim(message, dns, kNow);
    ASSERT_EQ(results.size(), row["signatures"].size()) << row["file"];
    for (std::size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(word(results[i].verdict), row["signatures"][i]) << row["file"] << ": " << results[i].reason;
    }
  }
}

TEST(DkimVectors, OneChangedOctetOfTheRfcExampleFails) {
  const auto expected = nlohmann::json::parse(contents(kData + "expected.json"));
  FakeResolver dns;
  for (const auto& [name, text] : expected["dns_txt"].items()) {
    dns.txtRecords[FakeResolver::name(name)] = {text.get<std::string>()};
  }
  const auto message = replaced(contents(kData + "rfc8463-appendix-a.eml"), "hungry", "angry");
  for (const auto& result : verifyDkim(message, dns, kNow)) EXPECT_EQ(result.verdict, Verdict::fail) << result.reason;
}

TEST(DkimSign, SignsWhatVerifiesInEveryCanonicalization) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  for (const auto header : {Canonicalization::simple, Canonicalization::relaxed}) {
    for (const auto body : {Canonicalization::simple, Canonicalization::relaxed}) {
      for (const std::string& message :
           {kMessage, std::string("From: a@t1.shop.example\r\n\r\n"), std::string("From: a@t1.shop.example\r\n"),
            std::string("From: a@t1.shop.example\r\n\r\nno line end"),
            std::string("From: a@t1.shop.example\r\n\r\nbare\nLF\rCR \r\n")}) {
        auto how = options();
        how.header = header;
        how.body = body;
        const auto field = signDkim(message, key, how);
        ASSERT_TRUE(field) << describe(field.error());
        const auto results = verifyDkim(*field + message, dns, kNow);
        ASSERT_EQ(results.size(), 1U);
        EXPECT_EQ(results[0].verdict, Verdict::pass) << results[0].reason << "\n" << *field;
        EXPECT_EQ(results[0].domain->text(), "t1.shop.example.");
        EXPECT_EQ(results[0].selector->text(), "mz1.");
        for (const auto line : split(*field, '\n')) EXPECT_LE(line.size(), 79U) << line;
      }
    }
  }
}

TEST(DkimSign, OversignsSoThatNoFieldCanBeAdded) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  const auto signedMessage = *signDkim(kMessage, key, options()) + kMessage;
  for (const auto* added : {"From: ceo@t1.shop.example\r\n", "Subject: other\r\n", "Reply-To: x@evil.example\r\n",
                            "List-Unsubscribe: <https://evil.example>\r\n"}) {
    const auto results = verifyDkim(added + signedMessage, dns, kNow);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].verdict, Verdict::fail) << added;
  }
  const auto harmless = verifyDkim("Received: from x by y\r\n" + signedMessage, dns, kNow);
  EXPECT_EQ(harmless[0].verdict, Verdict::pass) << harmless[0].reason;
}

TEST(DkimSign, RefusesWhatWouldNotCount) {
  const auto key = ed25519Key();
  EXPECT_FALSE(signDkim("To: b@receiver.example\r\n\r\n", key, options()));
  auto noFrom = options();
  noFrom.headers = {"subject"};
  EXPECT_FALSE(signDkim(kMessage, key, noFrom));
  EXPECT_FALSE(DkimPrivateKey::fromPem(Secret(std::string("-----BEGIN PRIVATE KEY-----\n"))));
  EXPECT_FALSE(DkimPrivateKey::fromEd25519Seed(Secret(std::string(31, 'x'))));
}

struct VerifyRow {
  const char* why;
  Verdict verdict;
  std::function<void(std::string& message, FakeResolver& dns)> change;
};

TEST(DkimVerify, SaysWhyASignatureDoesNotPass) {
  const auto key = ed25519Key();
  const auto keyName = FakeResolver::name("mz1._domainkey.t1.shop.example");
  const auto keyText = *dkimKeyText(*key.publicKey());
  const auto edit = [](const char* from, const char* to) {
    return [from, to](std::string& message, FakeResolver&) { message = replaced(message, from, to); };
  };
  const auto record = [&keyName](const std::string& text) {
    return [keyName, text](std::string&, FakeResolver& dns) { dns.txtRecords[keyName] = {text}; };
  };
  const std::vector<VerifyRow> rows = {
      {"unchanged", Verdict::pass, [](std::string&, FakeResolver&) {}},
      {"relaxed header: folding and case do not matter", Verdict::pass,
       edit("Subject: two  words\r\n\tfolded", "SUBJECT:  two\r\n words folded ")},
      {"relaxed body: blanks at line ends and empty lines at the end do not matter", Verdict::pass,
       edit("Hello \t there \r\n", "Hello there\r\n")},
      {"a changed subject", Verdict::fail, edit("two", "too")},
      {"a changed body", Verdict::fail, edit("Bye", "bye")},
      {"a footer added", Verdict::fail, [](std::string& message, FakeResolver&) { message += "--\r\nlist\r\n"; }},
      {"From removed", Verdict::fail, edit("From: Shop <a@t1.shop.example>\r\n", "")},
      {"no record (NODATA)", Verdict::permerror,
       [&](std::string&, FakeResolver& dns) {
         dns.txtRecords.clear();
         dns.empty.insert(keyName);
       }},
      {"no name (NXDOMAIN)", Verdict::permerror, [](std::string&, FakeResolver& dns) { dns.txtRecords.clear(); }},
      {"cannot tell", Verdict::temperror, [&](std::string&, FakeResolver& dns) { dns.servfail.insert(keyName); }},
      {"revoked", Verdict::permerror, record("v=DKIM1; p=")},
      {"another key", Verdict::fail, record("v=DKIM1; k=ed25519; p=" + encodeBase64(std::string(31, '\x11') + '\x02'))},
      {"a key of another type", Verdict::permerror, record(replaced(keyText, "k=ed25519", "k=rsa"))},
      {"an unknown type", Verdict::permerror, record(replaced(keyText, "k=ed25519", "k=mldsa"))},
      {"v=DMARC1", Verdict::permerror, record(replaced(keyText, "v=DKIM1", "v=DMARC1"))},
      {"v= is not the first tag", Verdict::permerror,
       record(replaced(keyText, "v=DKIM1; k=ed25519;", "k=ed25519; v=DKIM1;"))},
      {"a key for TLS reports only", Verdict::permerror, record(replaced(keyText, " p=", " s=tlsrpt; p="))},
      {"a key for mail among others", Verdict::pass, record(replaced(keyText, " p=", " s=tlsrpt:email; p="))},
      {"a key that allows sha1 only", Verdict::permerror, record(replaced(keyText, " p=", " h=sha1; p="))},
      {"testing: a good signature does not count", Verdict::policy, record(replaced(keyText, " p=", " t=y; p="))},
      {"an unknown flag is ignored", Verdict::pass, record(replaced(keyText, " p=", " t=q; p="))},
      {"the second of two records is the key", Verdict::pass,
       [&](std::string&, FakeResolver& dns) {
         dns.txtRecords[keyName] = {"some verification token", keyText};
       }},
      {"v= is not 1", Verdict::neutral, edit("v=1;", "v=2;")},
      {"no b=", Verdict::neutral, edit("b=", "B=")},
      {"rsa-sha1", Verdict::permerror, edit("a=ed25519-sha256", "a=rsa-sha1")},
      {"i= outside d=", Verdict::neutral, edit("s=mz1;", "s=mz1; i=@other.example;")},
      {"x= is not after t=", Verdict::neutral, edit("s=mz1;", "s=mz1; x=1;")},
  };
  for (const auto& row : rows) {
    std::string message = *signDkim(kMessage, key, options()) + kMessage;
    auto dns = dnsFor(key);
    row.change(message, dns);
    const auto results = verifyDkim(message, dns, kNow);
    ASSERT_EQ(results.size(), 1U) << row.why;
    EXPECT_EQ(word(results[0].verdict), word(row.verdict)) << row.why << ": " << results[0].reason;
    EXPECT_FALSE(results[0].reason.empty()) << row.why;
    ASSERT_TRUE(results[0].domain) << row.why;
    EXPECT_EQ(results[0].domain->text(), "t1.shop.example.") << row.why;
  }
}

TEST(DkimVerify, ATestingKeyMakesAFailureNeutral) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key, " t=y;");
  const auto results = verifyDkim(*signDkim(kMessage, key, options()) + kMessage + "more\r\n", dns, kNow);
  EXPECT_EQ(results.at(0).verdict, Verdict::neutral);
}

TEST(DkimVerify, AStrictKeyWantsTheIdentityOfTheDomainItself) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key, " t=s;");
  const auto field = *signDkim(kMessage, key, options());
  EXPECT_EQ(verifyDkim(field + kMessage, dns, kNow).at(0).verdict, Verdict::pass);
  const auto sub = replaced(field, "s=mz1;", "s=mz1; i=@sub.t1.shop.example;");
  EXPECT_EQ(verifyDkim(sub + kMessage, dns, kNow).at(0).verdict, Verdict::permerror);
}

TEST(DkimVerify, ExpiresOneSecondAfterX) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  auto how = options();
  how.expiresAt = kNow + std::chrono::hours(1);
  const auto message = *signDkim(kMessage, key, how) + kMessage;
  EXPECT_EQ(verifyDkim(message, dns, *how.expiresAt).at(0).verdict, Verdict::pass);
  EXPECT_EQ(verifyDkim(message, dns, *how.expiresAt + std::chrono::seconds(1)).at(0).verdict, Verdict::permerror);
}

// Signs with l=, which signDkim() never does.
std::string signedWithLength(const DkimPrivateKey& key, std::uint64_t length) {
  const std::string body = canonicalBody(splitMessage(kMessage)->body, Canonicalization::relaxed);
  DkimSignature signature;
  signature.algorithm = KeyAlgorithm::ed25519Sha256;
  signature.header = signature.body = Canonicalization::relaxed;
  signature.domain = signature.identityDomain = FakeResolver::name("t1.shop.example");
  signature.selector = FakeResolver::name("mz1");
  signature.headers = {"from"};
  signature.bodyLength = length;
  signature.bodyHash = sha256(std::string_view(body).substr(0, static_cast<std::size_t>(length)));
  const std::string raw = "DKIM-Signature: " + printDkimSignature(signature) + "\r\n";
  const auto own = *splitMessage(raw);
  const auto canonicalOwn = canonicalHeader(own.fields.at(0), Canonicalization::relaxed);
  const auto header = canonicalHeader(splitMessage(kMessage)->fields.at(0), Canonicalization::relaxed) +
                      canonicalOwn.substr(0, canonicalOwn.size() - 2);
  signature.signature = *key.sign(sha256(header));
  return "DKIM-Signature: " + printDkimSignature(signature) + "\r\n" + kMessage;
}

TEST(DkimVerify, ABodyLengthThatLeavesSomethingOutDoesNotCount) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  const auto whole = canonicalBody(splitMessage(kMessage)->body, Canonicalization::relaxed).size();
  EXPECT_EQ(verifyDkim(signedWithLength(key, whole), dns, kNow).at(0).verdict, Verdict::pass);
  EXPECT_EQ(verifyDkim(signedWithLength(key, whole) + "added\r\n", dns, kNow).at(0).verdict, Verdict::policy);
  EXPECT_EQ(verifyDkim(signedWithLength(key, 3), dns, kNow).at(0).verdict, Verdict::policy);
  EXPECT_EQ(verifyDkim(signedWithLength(key, whole + 1), dns, kNow).at(0).verdict, Verdict::fail);
}

TEST(DkimVerify, ChecksTenSignaturesAndNamesTheOthers) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  const auto field = *signDkim(kMessage, key, options());
  std::string message = kMessage;
  for (int i = 0; i < 11; ++i) message = field + message;
  const auto results = verifyDkim(message, dns, kNow);
  ASSERT_EQ(results.size(), 11U);
  EXPECT_EQ(results[9].verdict, Verdict::pass);
  EXPECT_EQ(results[10].verdict, Verdict::neutral);
  EXPECT_EQ(dns.asked.size(), 10U);
}

TEST(DkimVerify, TriesTenRecordsAtAKeysName) {
  const auto key = ed25519Key();
  auto dns = dnsFor(key);
  auto& records = dns.txtRecords.begin()->second;
  const auto message = *signDkim(kMessage, key, options()) + kMessage;
  records.insert(records.begin(), 9, "some token");
  EXPECT_EQ(verifyDkim(message, dns, kNow).at(0).verdict, Verdict::pass);
  records.insert(records.begin(), "one more");
  EXPECT_EQ(verifyDkim(message, dns, kNow).at(0).verdict, Verdict::permerror);
}

TEST(DkimVerify, AKeyNameThatIsTooLongIsPermerror) {
  const std::string label = std::string(60, 'x') + '.';
  FakeResolver dns;
  const auto results = verifyDkim("DKIM-Signature: v=1; a=rsa-sha256; d=" + label + label + "example; s=" + label +
                                      label + "x; h=from; bh=YWJj; b=YWJj\r\nFrom: a@b.example\r\n\r\n",
                                  dns, kNow);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].verdict, Verdict::permerror) << results[0].reason;
  EXPECT_TRUE(dns.asked.empty());
}

TEST(DkimVerify, AMessageThatCannotBeReadIsNeutral) {
  FakeResolver dns;
  const auto results = verifyDkim("From: a@b.example\nbare LF\r\n\r\n", dns, kNow);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].verdict, Verdict::neutral);
}

TEST(DkimKeys, RsaSizesAreThoseOfRfc8301) {
  const auto expected = nlohmann::json::parse(contents(kData + "expected.json"));
  const auto record =
      parseDkimKeyRecord(expected["dns_txt"]["test._domainkey.football.example.com"].get<std::string>());
  ASSERT_TRUE(record);
  EXPECT_EQ(DkimPublicKey::parse("rsa", record->publicKey)->bits(), 1024U);
  for (const auto& [bits, ok] : std::map<std::string, bool>{
           {"768", false}, {"1023", false}, {"1024", true}, {"2048", true}, {"4096", true}, {"4104", false}}) {
    const auto octets = decodeBase64(trim(contents(kData + "keys/rsa" + bits + ".b64")));
    ASSERT_TRUE(octets) << bits;
    EXPECT_EQ(DkimPublicKey::parse("rsa", *octets).has_value(), ok) << bits;
  }
}

TEST(DkimKeys, RsaSignsAndVerifies) {
  const auto key = DkimPrivateKey::fromPem(newRsaPem(2048));
  ASSERT_TRUE(key) << describe(key.error());
  auto dns = dnsFor(*key);
  const auto results = verifyDkim(*signDkim(kMessage, *key, options()) + kMessage, dns, kNow);
  EXPECT_EQ(results.at(0).verdict, Verdict::pass) << results.at(0).reason;
  EXPECT_EQ(results.at(0).keyBits, 2048U);
  EXPECT_EQ(key->publicKey()->base64.size(), 392U);
}

TEST(DkimKeyRecord, ReadsAndRefuses) {
  struct Row {
    const char* why;
    const char* text;
    bool ok;
  };
  const Row rows[] = {
      {"the least", "p=YWJj", true},
      {"a final semicolon and blanks", "v=DKIM1 ; k = rsa ; p = YWJj ; ", true},
      {"folded base64", "v=DKIM1; p=YW\r\n Jj", true},
      {"revoked", "v=DKIM1; p=", true},
      {"an unknown tag", "v=DKIM1; zz=1; p=YWJj", true},
      {"no p=", "v=DKIM1; k=rsa", false},
      {"v= second", "k=rsa; v=DKIM1; p=YWJj", false},
      {"the wrong version", "v=DMARC1; k=rsa; p=YWJj", false},
      {"versions are case-sensitive", "v=dkim1; p=YWJj", false},
      {"a tag twice", "v=DKIM1; p=YWJj; p=YWJj", false},
      {"not base64", "v=DKIM1; p=YWJ!", false},
      {"base64 without padding", "v=DKIM1; p=YWI", false},
      {"padding in the middle", "v=DKIM1; p=YW==YWJj", false},
      {"nothing", "", false},
      {"an SPF record", "v=spf1 -all", false},
  };
  for (const auto& row : rows) EXPECT_EQ(parseDkimKeyRecord(row.text).has_value(), row.ok) << row.why;
}

TEST(DkimKeyRecord, PrintsWhatItReads) {
  const auto* text =
      "v=DKIM1; k=ed25519; h=sha256:sha1; s=email; t=y:s; n=note; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
  const auto record = parseDkimKeyRecord(text);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->testing());
  EXPECT_TRUE(record->strictIdentity());
  EXPECT_EQ(printDkimKeyRecord(*record), text);
  EXPECT_EQ(parseDkimKeyRecord(printDkimKeyRecord(*record)), record);
}

TEST(DkimKeyText, IsWhatASlotSays) {
  EXPECT_EQ(*dkimKeyText(std::nullopt), "v=DKIM1; p=");
  const auto ed25519 = *ed25519Key().publicKey();
  EXPECT_EQ(*dkimKeyText(ed25519), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  const PublicKey subjectPublicKeyInfo{KeyAlgorithm::ed25519Sha256,
                                       "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="};
  EXPECT_FALSE(dkimKeyText(subjectPublicKeyInfo)) << "60 characters instead of 44 (RFC 8463 section 4.2)";
  EXPECT_FALSE(dkimKeyText(PublicKey{KeyAlgorithm::rsaSha256, ed25519.base64}));
  EXPECT_FALSE(dkimKeyText(PublicKey{KeyAlgorithm::rsaSha256, "-----BEGIN PUBLIC KEY-----"}));
}

TEST(DkimSignatureField, ReadsAndRefuses) {
  const std::string good = "v=1; a=rsa-sha256; d=example.com; s=a.b; h=From:To:to; bh=YWJj; b=YW\r\n Jj";
  struct Row {
    const char* why;
    const char* from;
    const char* to;
    bool ok;
  };
  const Row rows[] = {
      {"as it stands", "v=1", "v=1", true},
      {"several canonicalizations", "v=1;", "v=1; c=relaxed/simple;", true},
      {"one canonicalization", "v=1;", "v=1; c=relaxed;", true},
      {"an unknown one", "v=1;", "v=1; c=nofws;", false},
      {"identity below", "v=1;", "v=1; i=joe=40x@mail.example.com;", true},
      {"identity above", "v=1;", "v=1; i=@com;", false},
      {"identity beside: a suffix of letters is no subdomain", "v=1;", "v=1; i=@badexample.com;", false},
      {"From not signed", "From", "Frog", false},
      {"an empty name in h=", "From:To", "From::To", false},
      {"another query", "v=1;", "v=1; q=dns/https;", false},
      {"one query among others", "v=1;", "v=1; q=x/y:dns/txt;", true},
      {"19 digits", "v=1;", "v=1; l=1000000000000000000;", false},
      {"a negative number", "v=1;", "v=1; t=-1;", false},
      {"a domain with a blank", "d=example.com", "d=exam ple.com", false},
      {"a domain with an empty label", "d=example.com", "d=example..com", false},
      {"no domain", "d=example.com;", "", false},
      {"an empty signature", "b=YW\r\n Jj", "b=", false},
      {"a U-label (RFC 8616 section 5)", "d=example.com",
       "d=b\xc3\xbc"
       "cher.example",
       true},
      {"a control character", "d=example.com", "d=example\x01.com", false},
  };
  std::string names = "h=From";
  for (int i = 0; i < 1000; ++i) names += ":x";
  EXPECT_FALSE(parseDkimSignature(replaced(good, "h=From", names))) << "more than 1000 names";
  for (const auto& row : rows) {
    const auto text = replaced(good, row.from, row.to);
    const auto parsed = parseDkimSignature(text);
    EXPECT_EQ(parsed.has_value(), row.ok) << row.why << (parsed ? "" : ": " + describe(parsed.error()));
    if (parsed) {
      EXPECT_EQ(*parseDkimSignature(printDkimSignature(*parsed)), *parsed) << row.why;
    }
  }
  EXPECT_EQ(parseDkimSignature(good)->timesSigned("to"), 2U);
}

TEST(DkimCanonicalBody, IsThatOfRfc6376Section34) {
  struct Row {
    const char* body;
    const char* simple;
    const char* relaxed;
  };
  const Row rows[] = {
      {"", "\r\n", ""},
      {"\r\n", "\r\n", ""},
      {"\r\n\r\n\r\n", "\r\n", ""},
      {" \r\n", " \r\n", ""},
      {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
      {"x", "x\r\n", "x\r\n"},
      {"x\r\n \t \r\n\r\n", "x\r\n \t \r\n", "x\r\n"},
      {"\r\nx", "\r\nx\r\n", "\r\nx\r\n"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(canonicalBody(row.body, Canonicalization::simple), row.simple) << escapeForDisplay(row.body);
    EXPECT_EQ(canonicalBody(row.body, Canonicalization::relaxed), row.relaxed) << escapeForDisplay(row.body);
  }
  // RFC 6376 sections 3.4.3 and 3.4.4 print these two.
  EXPECT_EQ(encodeBase64(sha256(canonicalBody("", Canonicalization::simple))),
            "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
  EXPECT_EQ(encodeBase64(sha256(canonicalBody("", Canonicalization::relaxed))),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

}  // namespace
}  // namespace mailzone::mailauth
