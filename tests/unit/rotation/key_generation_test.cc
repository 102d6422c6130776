#include "rotation/key_generation.h"

#include <gtest/gtest.h>

#include "mailauth/dkim_crypto.h"
#include "mailauth/dkim_key_record.h"

namespace mailzone::rotation {
namespace {

const TimePoint kNow = parseSqlTime("2026-11-25 10:00:00").value();

TEST(KeyGeneration, MakesAPairThatSignsAndVerifies) {
  const auto key = generateRsaKey(kRsaBits, kNow);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->bits, 2048);
  EXPECT_EQ(key->algorithm, KeyAlgorithm::rsaSha256);
  EXPECT_EQ(key->generatedAt, kNow);
  EXPECT_EQ(key->publicBase64.size(), 392U) << "SubjectPublicKeyInfo of RSA-2048";
  EXPECT_EQ(key->fingerprint.size(), 64U);
  EXPECT_EQ(key->privatePem.reveal().substr(0, 27), "-----BEGIN PRIVATE KEY-----");

  const auto record =
      mailauth::parseDkimKeyRecord(mailauth::dkimKeyText(PublicKey{key->algorithm, key->publicBase64}).value());
  ASSERT_TRUE(record.has_value());
  const auto publicHalf = mailauth::DkimPublicKey::parse("rsa", record->publicKey);
  const auto privateHalf = mailauth::DkimPrivateKey::fromPem(key->privatePem);
  ASSERT_TRUE(publicHalf.has_value());
  ASSERT_TRUE(privateHalf.has_value());
  const std::string hash = mailauth::sha256("a canary");
  EXPECT_TRUE(publicHalf->verifies(hash, privateHalf->sign(hash).value()));
}

TEST(KeyGeneration, GivesThePublicHalfOfAPrivateKeyAgain) {
  const auto key = generateRsaKey(1024, kNow);
  ASSERT_TRUE(key.has_value());
  const auto half = publicHalfOf(key->privatePem);
  ASSERT_TRUE(half.has_value());
  EXPECT_EQ(half->base64, key->publicBase64);
  EXPECT_EQ(half->fingerprint, key->fingerprint);
  EXPECT_EQ(half->bits, 1024);
}

TEST(KeyGeneration, NeverMakesTheSameKeyTwice) {
  EXPECT_NE(generateRsaKey(1024, kNow)->fingerprint, generateRsaKey(1024, kNow)->fingerprint);
}

TEST(KeyGeneration, RefusesSizesThatNoVerifierMustHandle) {
  for (const int bits : {-1, 0, 512, 1023, 4097, 1 << 20}) {
    const auto key = generateRsaKey(bits, kNow);
    ASSERT_FALSE(key.has_value()) << bits;
    EXPECT_EQ(key.error().code, Errc::invalidInput) << bits;
  }
}

TEST(KeyGeneration, RefusesWhatIsNoPrivateKeyAndNeverShowsIt) {
  for (const char* text : {"", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "secret"}) {
    const auto half = publicHalfOf(Secret(std::string(text)));
    ASSERT_FALSE(half.has_value()) << text;
    EXPECT_EQ(half.error().code, Errc::corrupt);
    EXPECT_EQ(describe(half.error()).find("secret"), std::string::npos);
    EXPECT_EQ(describe(half.error()).find("c2VjcmV0"), std::string::npos);
  }
}

}  // namespace
}  // namespace mailzone::rotation
