#include "rotation/key_generation.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <vector>

namespace mailzone::rotation {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using BioPtr = std::unique_ptr<BIO, Free>;

tl::unexpected<Error> openSslFailed(const char* what) {
  return fail(Errc::internal, what, "OpenSSL could not do this", "see whether its configuration allows RSA");
}

Result<std::vector<unsigned char>> spkiOf(EVP_PKEY* key) {
  const int length = i2d_PUBKEY(key, nullptr);
  if (length <= 0) return openSslFailed("i2d_PUBKEY");
  std::vector<unsigned char> der(static_cast<std::size_t>(length));
  unsigned char* at = der.data();
  if (i2d_PUBKEY(key, &at) != length) return openSslFailed("i2d_PUBKEY");
  return der;
}

std::string base64Of(const std::vector<unsigned char>& octets) {
  std::string text(4 * ((octets.size() + 2) / 3) + 1, '\0');
  std::vector<unsigned char> buffer(text.size());
  const int length = EVP_EncodeBlock(buffer.data(), octets.data(), static_cast<int>(octets.size()));
  text.assign(buffer.begin(), buffer.begin() + length);
  return text;
}

Result<std::string> sha256Of(const std::vector<unsigned char>& octets) {
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  if (EVP_Digest(octets.data(), octets.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.size()) {
    return openSslFailed("SHA-256");
  }
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15U];
  }
  return text;
}

Result<PublicHalf> publicHalfOf(EVP_PKEY* key) {
  PublicHalf half;
  half.bits = EVP_PKEY_get_bits(key);
  const auto spki = spkiOf(key);
  if (!spki) return pass(spki);
  auto fingerprint = sha256Of(*spki);
  if (!fingerprint) return pass(fingerprint);
  half.fingerprint = std::move(*fingerprint);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      half.algorithm = KeyAlgorithm::rsaSha256;
      half.base64 = base64Of(*spki);
      return half;
    case EVP_PKEY_ED25519: {
      // RFC 8463 section 4.2: the bare 32 octets, not the SubjectPublicKeyInfo.
      std::vector<unsigned char> raw(32);
      std::size_t length = raw.size();
      if (EVP_PKEY_get_raw_public_key(key, raw.data(), &length) != 1 || length != 32) {
        return openSslFailed("Ed25519 public key");
      }
      half.algorithm = KeyAlgorithm::ed25519Sha256;
      half.base64 = base64Of(raw);
      return half;
    }
    default:
      return fail(Errc::corrupt, {}, "a DKIM key is RSA or Ed25519 (RFC 8463)", "make a new key");
  }
}

/// The text in a memory BIO as a Secret; the BIO's own copy is wiped.
Secret takeText(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  Secret text{std::string(data, static_cast<std::size_t>(length))};
  OPENSSL_cleanse(data, static_cast<std::size_t>(length));
  return text;
}

/// There is no terminal to ask for a passphrase.
int noPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

Result<tenantdb::NewKey> generateRsaKey(int bits, TimePoint now) {
  if (bits < 1024 || bits > 4096) {
    return fail(Errc::invalidInput, std::to_string(bits), "RSA keys have 1024 to 4096 bits (RFC 8301 section 3.2)",
                "use 2048");
  }
  const std::unique_ptr<EVP_PKEY_CTX, Free> context(EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nullptr));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits) != 1 || EVP_PKEY_keygen(context.get(), &made) != 1) {
    return openSslFailed("RSA key generation");
  }
  const KeyPtr key(made);
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return openSslFailed("writing PEM");
  }
  auto half = publicHalfOf(key.get());
  if (!half) return pass(half);
  tenantdb::NewKey pair;
  pair.algorithm = half->algorithm;
  pair.bits = half->bits;
  pair.publicBase64 = std::move(half->base64);
  pair.fingerprint = std::move(half->fingerprint);
  pair.generatedAt = now;
  pair.privatePem = takeText(bio.get());
  return pair;
}

Result<PublicHalf> publicHalfOf(const Secret& privatePem) {
  const BioPtr bio(BIO_new_mem_buf(privatePem.reveal().data(), static_cast<int>(privatePem.reveal().size())));
  if (!bio) return openSslFailed("reading PEM");
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassphrase, nullptr));
  if (!key) return fail(Errc::corrupt, {}, "not a private key in PEM", "make a new key");
  return publicHalfOf(key.get());
}

}  // namespace mailzone::rotation
