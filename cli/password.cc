#include "cli/password.h"

#include <crypt.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "system/settings.h"

namespace mailzone::cli {
namespace {

constexpr std::size_t kMinOctets = 8;
constexpr std::size_t kMaxOctets = 512;  // libcrypt refuses longer ones (CRYPT_MAX_PASSPHRASE_SIZE)

Result<Secret> readStandardInput() {
  std::string text(kMaxOctets + 2, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = ::read(STDIN_FILENO, text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Errc::io, "-", "standard input cannot be read", "give the password on it");
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  Secret whole(std::move(text));
  std::string_view line = whole.reveal().substr(0, length);
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return Secret(std::string(line));
}

}  // namespace

Result<Secret> readLoginPassword(const std::string& file) {
  auto password = file == "-" ? readStandardInput() : readPassword({"the login", file});
  if (!password) {
    // A file of the caller's choice is an input, not a setting.
    Error error = password.error();
    if (error.code == Errc::settings) error.code = Errc::invalidInput;
    return tl::unexpected<Error>(error);
  }
  const std::string_view text = password->reveal();
  if (text.size() < kMinOctets || text.size() > kMaxOctets) {
    return fail(Errc::invalidInput, file, "the password has not between 8 and 512 octets", "choose another");
  }
  if (text.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos) {
    return fail(Errc::invalidInput, file, "the password has a line break or a zero octet", "choose another");
  }
  return password;
}

Result<std::string> hashPassword(const Secret& password) {
  constexpr std::string_view kLetters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<std::uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return fail(Errc::internal, "", "the system gave no random octets", "try again");
  }
  std::string setting = "$6$";
  for (const std::uint8_t octet : random) setting += kLetters[octet % kLetters.size()];
  const Secret copy{std::string(password.reveal())};  // ends with the zero octet that crypt_r wants
  const auto work = std::make_unique<crypt_data>();
  const char* hash = ::crypt_r(copy.reveal().data(), setting.c_str(), work.get());
  std::string result = hash == nullptr ? "" : hash;
  explicit_bzero(work.get(), sizeof(crypt_data));
  if (result.rfind("$6$", 0) != 0) {
    return fail(Errc::internal, "", "libcrypt cannot hash by SHA512-CRYPT", "check libcrypt's configuration");
  }
  return "{SHA512-CRYPT}" + result;
}

}  // namespace mailzone::cli
