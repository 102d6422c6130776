#include "harness/text_file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mailzone::harness {
namespace {

Result<void> give(const std::string& path, mode_t mode, const FileOwner& owner) {
  const passwd* user = ::getpwnam(owner.user.c_str());
  if (user == nullptr) return fail(Errc::notFound, owner.user, "no such user, to own " + path);
  const uid_t uid = user->pw_uid;
  const group* entry = ::getgrnam(owner.group.c_str());
  if (entry == nullptr) return fail(Errc::notFound, owner.group, "no such group, to own " + path);
  if (::chown(path.c_str(), uid, entry->gr_gid) != 0 || ::chmod(path.c_str(), mode) != 0)
    return fail(Errc::io, path, "cannot set its owner and mode: " + std::string(std::strerror(errno)));
  return {};
}

}  // namespace

Result<void> writeFile(const std::string& path, std::string_view content, mode_t mode, const FileOwner& owner) {
  ::unlink(path.c_str());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Errc::io, path, "cannot be made: " + std::string(std::strerror(errno)));
  ::close(fd);
  if (auto given = give(path, mode, owner); !given) return given;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) return fail(Errc::io, path, "cannot be written");
  return {};
}

Result<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file.is_open() || file.bad()) return fail(Errc::io, path, "cannot be read");
  return text.str();
}

Result<void> makeFolder(const std::string& path, mode_t mode, const FileOwner& owner) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(Errc::io, path, "cannot be made: " + error.message());
  return give(path, mode, owner);
}

}  // namespace mailzone::harness
