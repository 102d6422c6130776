#include "harness/tls_identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>

namespace mailzone::harness {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* object) const noexcept { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION, X509_EXTENSION_free>>;
struct BioFreer {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioFreer>;

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool addExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool setSerial(X509* certificate) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1;
}

}  // namespace

Result<TlsIdentity> makeTlsIdentity(std::string_view hostName, TimePoint now) {
  const auto failed = [&] { return fail(Errc::internal, hostName, "OpenSSL cannot make a certificate for this name"); };
  const std::string host(hostName);
  std::string curve = "P-256";
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
  const Certificate certificate(X509_new());
  if (!key || !certificate || !setSerial(certificate.get())) return failed();

  std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_time_adj_ex(X509_getm_notBefore(certificate.get()), 0, -3600, &seconds);
  X509_time_adj_ex(X509_getm_notAfter(certificate.get()), 30, 0, &seconds);

  // A common name has at most 64 characters (RFC 5280, upper bound ub-common-name); the DNS name is what counts.
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::string common = host.substr(0, 64);
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1,
                                 -1, 0) != 1 ||
      X509_set_issuer_name(certificate.get(), name) != 1 || X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      !addExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE") ||
      !addExtension(certificate.get(), NID_subject_alt_name, "DNS:" + host) ||
      X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) {
    return failed();
  }
  const Bio certificateBio(BIO_new(BIO_s_mem()));
  const Bio keyBio(BIO_new(BIO_s_mem()));
  if (!certificateBio || !keyBio || PEM_write_bio_X509(certificateBio.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(keyBio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failed();
  }
  return TlsIdentity{contents(certificateBio.get()), contents(keyBio.get())};
}

}  // namespace mailzone::harness
