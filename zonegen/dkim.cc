#include "zonegen/dkim.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

namespace mailzone::zonegen {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Strict base64 (RFC 4648 section 4): full groups, no white space, unused bits zero. Nothing else is unchanged by
/// every verifier.
std::optional<std::string> decodeBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    std::uint32_t bits = 0;
    unsigned padding = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text[at + i];
      const auto value = kAlphabet.find(c);
      if (c == '=' && last && i >= 2) {
        ++padding;
        bits <<= 6;
      } else if (value != std::string_view::npos && padding == 0) {
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
      } else {
        return std::nullopt;
      }
    }
    for (unsigned i = 0; i < 3 - padding; ++i) out += static_cast<char>((bits >> (16 - 8 * i)) & 0xff);
    if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0)) return std::nullopt;
  }
  return out;
}

/// The length that a DER header at `at` declares, and where the contents begin. Only what keys need: up to 65,535.
std::optional<std::pair<std::size_t, std::size_t>> derLength(std::string_view der, std::size_t at) {
  const auto octet = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(der[i])); };
  if (at + 2 > der.size()) return std::nullopt;
  if (octet(at + 1) < 0x80) return std::pair(octet(at + 1), at + 2);
  if (octet(at + 1) == 0x81 && at + 3 <= der.size()) return std::pair(octet(at + 2), at + 3);
  if (octet(at + 1) == 0x82 && at + 4 <= der.size()) return std::pair(octet(at + 2) * 256 + octet(at + 3), at + 4);
  return std::nullopt;
}

/// SubjectPublicKeyInfo of rsaEncryption (RFC 3279 section 2.3.1): a SEQUENCE of exactly this length that begins with
/// the algorithm's identifier. A bare RSAPublicKey, which OpenDKIM refuses, fails here.
bool isRsaKeyInfo(std::string_view der) {
  constexpr std::string_view kRsaEncryption("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);
  if (der.empty() || der[0] != '\x30') return false;
  const auto length = derLength(der, 0);
  return length && length->second + length->first == der.size() &&
         der.substr(length->second, kRsaEncryption.size()) == kRsaEncryption;
}

/// RFC 8301 section 3.2: below 1024 bits a signature is not valid. 162 octets is a SubjectPublicKeyInfo of 1024 bits.
constexpr std::size_t kMinRsaInfo = 160;
/// RFC 8301 section 3.2: verifiers need not handle more than 4096 bits (550 octets).
constexpr std::size_t kMaxRsaInfo = 560;

Result<void> requireKey(const PublicKey& key) {
  const auto bad = [&](std::string rule) {
    return fail(Errc::invalidInput, key.base64, std::move(rule),
                "write the key as mailzone-rotate does (dkim_key.public_key), or remove it");
  };
  const auto octets = decodeBase64(key.base64);
  if (!octets) return bad("p= is base64 without white space or PEM armour (RFC 6376 section 3.6.1)");
  if (key.algorithm == KeyAlgorithm::ed25519Sha256) {
    if (octets->size() != 32) return bad("p= of an Ed25519 key is the bare 32 octets (RFC 8463 section 4.2)");
    return {};
  }
  if (!isRsaKeyInfo(*octets)) return bad("p= of an RSA key is a SubjectPublicKeyInfo (RFC 6376 erratum 3017)");
  if (octets->size() < kMinRsaInfo) return bad("an RSA key has at least 1024 bits (RFC 8301 section 3.2)");
  if (octets->size() > kMaxRsaInfo) return bad("verifiers take RSA keys of up to 4096 bits (RFC 8301 section 3.2)");
  return {};
}

}  // namespace

Result<std::string> dkimText(const SlotContent& content) {
  // RFC 6376 section 3.6.1: an empty p= says that the key is revoked; which algorithm it had does not matter then.
  if (!content.key) return std::string("v=DKIM1; p=");
  if (auto ok = requireKey(*content.key); !ok) return pass(ok);
  return fmt::format("v=DKIM1; k={}; p={}", word(content.key->algorithm), content.key->base64);
}

}  // namespace mailzone::zonegen
