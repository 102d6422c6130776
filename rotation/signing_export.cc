#include "rotation/signing_export.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <vector>

namespace mailzone::rotation {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "generation-";
constexpr std::size_t kMaxTableLine = 1000;

tl::unexpected<Error> ioFailed(const std::string& path, const char* what, int error) {
  const Errc code = error == EACCES || error == EPERM ? Errc::forbidden : Errc::io;
  return fail(code, path, fmt::format("{}: {}", what, std::strerror(error)), "see its folder's owner, mode and space");
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Result<void> syncFolder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return ioFailed(path, "cannot sync the folder", errno);
  return {};
}

/// gid of the group that reads, or -1 for "leave it".
Result<gid_t> groupId(const std::string& name) {
  if (name.empty()) return static_cast<gid_t>(-1);
  std::vector<char> buffer(65536);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fail(Errc::settings, name, "there is no such group", "set rotation.export_group to OpenDKIM's group");
  }
  return found->gr_gid;
}

Result<void> makeFolder(const std::string& path, gid_t gid) {
  if (::mkdir(path.c_str(), 0750) != 0) return ioFailed(path, "cannot make the folder", errno);
  if (::chown(path.c_str(), static_cast<uid_t>(-1), gid) != 0) return ioFailed(path, "cannot give it its group", errno);
  if (::chmod(path.c_str(), 0750) != 0) return ioFailed(path, "cannot give it its mode", errno);
  return {};
}

/// A new file, 0640, synced. It has its group before it has its content.
Result<void> writeFile(const std::string& path, std::string_view content, gid_t gid) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return ioFailed(path, "cannot make the file", errno);
  if (::fchown(file.get(), static_cast<uid_t>(-1), gid) != 0) return ioFailed(path, "cannot give it its group", errno);
  if (::fchmod(file.get(), 0640) != 0) return ioFailed(path, "cannot give it its mode", errno);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return ioFailed(path, "cannot write", errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return ioFailed(path, "cannot sync", errno);
  return {};
}

/// The number in "generation-NUMBER"; 0 for other names.
std::uint64_t numberOf(std::string_view name) {
  if (name.substr(0, kPrefix.size()) != kPrefix) return 0;
  name.remove_prefix(kPrefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

std::vector<std::string> generationsIn(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (numberOf(name) != 0) names.push_back(name);
  }
  return names;
}

/// Only what can stand in a table of OpenDKIM, one entry a line, and in a file name: the database may hold anything.
bool isPlainName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
         });
}

/// The folder of a generation while it is made: removed again unless it was switched to.
class NewGeneration {
 public:
  NewGeneration(std::string path, gid_t gid, bool withKeys) : path_(std::move(path)), gid_(gid), withKeys_(withKeys) {}
  NewGeneration(const NewGeneration&) = delete;
  NewGeneration& operator=(const NewGeneration&) = delete;
  ~NewGeneration() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }

  Result<void> begin() {
    for (const char* folder : {"", "/keys", "/authors"}) {
      if (auto made = makeFolder(path_ + folder, gid_); !made) return made;
    }
    return {};
  }

  Result<void> add(const tenantdb::SigningRow& row) {
    for (const std::string* text : {&row.name, &row.d, &row.selector}) {
      if (!isPlainName(*text)) return leaveOut(*text, "a row of the signing view is no plain name");
    }
    if (row.privatePem.empty()) return leaveOut(row.name, "its private key is missing");
    const std::string keyPath = fmt::format("{}/keys/{}.pem", path_, raw(row.key));
    const std::string line = fmt::format("{} {}:{}:{}\n", row.name, row.d, row.selector, keyPath);
    if (line.size() > kMaxTableLine) return leaveOut(row.name, "OpenDKIM cuts lines of its tables at 1,023 octets");
    if (withKeys_ && keys_.insert(raw(row.key)).second) {
      if (auto written = writeFile(keyPath, row.privatePem.reveal(), gid_); !written) return written;
    }
    keyTable_ += line;
    ++rows_;
    hasCommon_ = hasCommon_ || row.name == "common";
    // TOKEN.rp.PLATFORM alone cannot tell author.lua whose envelope it is.
    if (isPlainName(row.author) && row.author != row.name) {
      return writeFile(fmt::format("{}/authors/{}", path_, row.name), row.author + "\n", gid_);
    }
    return {};
  }

  Result<void> finish() {
    if (!hasCommon_) {
      return fail(Errc::temporary, "common", "the common signing domain has no active key yet",
                  "wait until mailzone-rotate has given it one");
    }
    if (withKeys_) {
      if (auto written = writeFile(path_ + "/keytable", keyTable_, gid_); !written) return written;
    }
    // "*@*" would not match local parts above 255 octets: that mail would leave unsigned.
    if (auto written = writeFile(path_ + "/signingtable", "* %\n* common\n", gid_); !written) return written;
    for (const char* folder : {"/keys", "/authors", ""}) {
      if (auto synced = syncFolder(path_ + folder); !synced) return synced;
    }
    return {};
  }

  void keep() noexcept { kept_ = true; }
  [[nodiscard]] std::vector<Error> takeBadRows() { return std::move(badRows_); }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }

 private:
  Result<void> leaveOut(const std::string& value, const char* rule) {
    badRows_.push_back(fail(Errc::corrupt, value, rule, "see: mailzone db check").value());
    return {};
  }

  std::string path_;
  gid_t gid_;
  bool withKeys_;
  std::vector<Error> badRows_;
  std::set<std::int64_t> keys_;
  std::string keyTable_;
  std::size_t rows_ = 0;
  bool hasCommon_ = false;
  bool kept_ = false;
};

/// What `current` pointed to, "" for nothing.
std::string currentOf(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::read_symlink(path + "/current", error);
  return error ? std::string() : target.filename().string();
}

Result<void> switchTo(const std::string& path, const std::string& generation) {
  const std::string link = path + "/current.new";
  ::unlink(link.c_str());
  if (::symlink(generation.c_str(), link.c_str()) != 0) return ioFailed(link, "cannot make the link", errno);
  if (::rename(link.c_str(), (path + "/current").c_str()) != 0) return ioFailed(link, "cannot switch to it", errno);
  return syncFolder(path);
}

/// Generations that were left longer ago than OpenDKIM may need them. A folder's time is set when it is left.
void removeOld(const std::string& path, const std::string& current, std::chrono::seconds keep, TimePoint now) {
  for (const std::string& name : generationsIn(path)) {
    if (name == current) continue;
    const std::string folder = path + "/" + name;
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) continue;
    const TimePoint left{std::chrono::seconds(status.st_mtim.tv_sec)};
    std::error_code ignored;
    if (left + keep <= now) fs::remove_all(folder, ignored);
  }
}

std::string programOf(long pid) {
  std::string name;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(fmt::format("/proc/{}/comm", pid).c_str(), "re"), std::fclose);
  for (int c = 0; file && (c = std::fgetc(file.get())) != EOF && c != '\n';) name += static_cast<char>(c);
  return name;
}

void stampTime(const std::string& folder, TimePoint now) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const timespec times[2] = {{whole, 0}, {whole, 0}};
  ::utimensat(AT_FDCWD, folder.c_str(), times, 0);
}

}  // namespace

Result<ExportReport> writeSigningExport(KeyStore& store, const ExportOptions& options, TimePoint now) {
  if (options.path.empty() || options.path.front() != '/' ||
      options.path.find_first_of(": \t\r\n#") != std::string::npos) {
    return fail(Errc::settings, options.path, "the export's folder stands in OpenDKIM's tables: no blanks, ':' or '#'",
                "give an absolute path without them");
  }
  const auto gid = groupId(options.group);
  if (!gid) return pass(gid);
  std::error_code error;
  if (!fs::exists(options.path, error)) {
    if (auto made = makeFolder(options.path, *gid); !made) return pass(made);
  }
  // One writer: mailzone-rotate, or `mailzone signing export`.
  const Descriptor lock(::open((options.path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) return ioFailed(options.path + "/lock", "cannot open", errno);
  if (::flock(lock.get(), LOCK_EX) != 0) return ioFailed(options.path + "/lock", "cannot lock", errno);

  const std::string before = currentOf(options.path);
  std::uint64_t number = 0;
  for (const std::string& name : generationsIn(options.path)) number = std::max(number, numberOf(name));
  const std::string name = fmt::format("{}{}", kPrefix, number + 1);

  NewGeneration next(options.path + "/" + name, *gid, options.keys);
  if (auto begun = next.begin(); !begun) return pass(begun);
  Result<void> added;
  auto read = store.eachSigningRow([&](tenantdb::SigningRow row) {
    if (added) added = next.add(row);
  });
  if (!read) return pass(read);
  if (!added) return pass(added);
  if (auto finished = next.finish(); !finished) return pass(finished);
  if (auto switched = switchTo(options.path, name); !switched) return pass(switched);
  next.keep();

  if (!before.empty()) stampTime(options.path + "/" + before, now);
  removeOld(options.path, name, options.keepOld, now);
  return ExportReport{name, next.rows(), next.keys(), next.takeBadRows()};
}

Result<void> reloadOpenDkim(const std::string& pidFile) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(pidFile.c_str(), "re"), std::fclose);
  if (!file) return fail(Errc::notFound, pidFile, std::strerror(errno), "start OpenDKIM, or correct its PidFile");
  long pid = 0;
  if (std::fscanf(file.get(), "%ld", &pid) != 1 || pid <= 1 || pid > 4194304) {
    return fail(Errc::notFound, pidFile, "holds no process number", "start OpenDKIM, or correct its PidFile");
  }
  // The file belongs to another user: never signal what it merely names.
  const std::string program = programOf(pid);
  if (program.empty()) return fail(Errc::notFound, std::to_string(pid), "no such process", "start OpenDKIM");
  if (program != "opendkim") {
    return fail(Errc::notFound, std::to_string(pid), "this process is " + escapeForDisplay(program) + ", not opendkim",
                "correct rotation.opendkim_pid_file");
  }
  if (::kill(static_cast<pid_t>(pid), SIGUSR1) == 0) return {};
  if (errno == ESRCH) return fail(Errc::notFound, std::to_string(pid), "no such process", "start OpenDKIM");
  return fail(Errc::forbidden, std::to_string(pid), "may not signal OpenDKIM",
              "run mailzone-rotate by its unit, which has AmbientCapabilities=CAP_KILL");
}

}  // namespace mailzone::rotation
