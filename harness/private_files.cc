#include "harness/private_files.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include "harness/text_file.h"
#include "system/process.h"

namespace mailzone::harness {
namespace {

Result<void> mountAt(const std::string& source, const std::string& target, const char* type, unsigned long flags,
                     const char* data = nullptr) {
  if (::mount(source.c_str(), target.c_str(), type, flags, data) == 0) return {};
  return fail(Errc::io, target, "cannot mount there: " + std::string(std::strerror(errno)),
              "in a container it needs CAP_SYS_ADMIN (docker run --privileged)");
}

/// A path held open, so that it can be mounted again after something was mounted over it.
class Held {
 public:
  explicit Held(std::string path) : path_(std::move(path)), fd_(::open(path_.c_str(), O_PATH | O_CLOEXEC)) {}
  Held(Held&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool exists() const noexcept { return fd_ >= 0; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Result<void> putBack(bool folder) const {
    std::error_code error;
    if (folder)
      std::filesystem::create_directories(path_, error);
    else if (const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); fd >= 0)
      ::close(fd);
    return mountAt("/proc/self/fd/" + std::to_string(fd_), path_, nullptr, MS_BIND | MS_REC);
  }

 private:
  std::string path_;
  int fd_;
};

Result<void> emptyFolder(const std::string& path, const char* options) {
  if (!std::filesystem::exists(path)) return {};
  return mountAt("mailzone", path, "tmpfs", MS_NOSUID, options);
}

/// Programs log to /dev/log, and /dev belongs to the machine.
Result<void> privateDev() {
  std::vector<Held> nodes;
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty", "ptmx"})
    nodes.emplace_back("/dev/" + std::string(name));
  const Held terminals("/dev/pts");
  if (auto done = mountAt("mailzone", "/dev", "tmpfs", MS_NOSUID, "mode=755"); !done) return done;
  for (const Held& node : nodes)
    if (auto done = node.exists() ? node.putBack(false) : Result<void>(); !done) return done;
  if (auto done = terminals.exists() ? terminals.putBack(true) : Result<void>(); !done) return done;
  std::error_code error;
  std::filesystem::create_directory_symlink("/proc/self/fd", "/dev/fd", error);
  constexpr std::array<std::pair<const char*, const char*>, 3> kStandard{
      {{"0", "/dev/stdin"}, {"1", "/dev/stdout"}, {"2", "/dev/stderr"}}};
  for (const auto& [number, link] : kStandard)
    std::filesystem::create_symlink("/proc/self/fd/" + std::string(number), link, error);
  if (auto made = makeFolder("/dev/shm", 01777); !made) return made;
  return {};
}

Result<void> privateEtc() {
  // A copy, not an overlay: in a container /etc may itself lie on an overlay, which cannot be stacked everywhere.
  if (auto made = makeFolder("/run/etc"); !made) return made;
  Command copy;
  copy.argv = {"cp", "-a", "/etc/.", "/run/etc/"};
  const auto copied = run(copy, "", std::chrono::seconds{30});
  if (!copied) return pass(copied);
  if (copied->exitStatus != 0) return fail(Errc::io, "/etc", "cannot be copied: " + copied->errors);
  return mountAt("/run/etc", "/etc", nullptr, MS_BIND);
}

}  // namespace

Result<void> makeFilesPrivate(const std::vector<std::string>& visible) {
  if (auto done = mountAt("none", "/", nullptr, MS_REC | MS_PRIVATE); !done) return done;
  std::vector<Held> held;
  for (const std::string& path : visible) {
    std::error_code error;
    const std::string real = std::filesystem::canonical(path, error).string();
    held.emplace_back(error ? path : real);
    if (!held.back().exists()) return fail(Errc::notFound, path, "no such folder");
  }
  if (auto done = emptyFolder("/run", "mode=755"); !done) return done;
  if (auto done = privateEtc(); !done) return done;
  for (const char* path : {"/var/lib", "/var/spool", "/var/log", "/usr/local/bin"})
    if (auto done = emptyFolder(path, "mode=755"); !done) return done;
  for (const char* path : {"/tmp", "/var/tmp"})
    if (auto done = emptyFolder(path, "mode=1777"); !done) return done;
  if (auto done = privateDev(); !done) return done;
  for (const Held& folder : held)
    if (auto done = folder.putBack(true); !done) return done;
  return mountAt("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

Result<void> exposeProgram(const std::string& program, const std::string& path) {
  if (::access(program.c_str(), X_OK) != 0)
    return fail(Errc::notFound, program, "is not there or not executable", "build it: cmake --build --preset release");
  if (auto made = writeFile(path, "", 0755); !made) return made;
  return mountAt(program, path, nullptr, MS_BIND);
}

}  // namespace mailzone::harness
