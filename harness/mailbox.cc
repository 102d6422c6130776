#include "harness/mailbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/clock.h"

namespace mailzone::harness {
namespace {

using Json = nlohmann::ordered_json;

/// O_EXCL: a name that is there already belongs to another mail.
Result<void> writeNew(const std::filesystem::path& path, std::string_view bytes) {
  const auto failed = [&] { return fail(Errc::io, path.string(), std::strerror(errno), "is the storage full?"); };
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return failed();
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int why = errno;
      ::close(fd);
      errno = why;
      return failed();
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(fd) != 0) return failed();
  return {};
}

std::string receivedJson(const Facts& facts, const Verdict& verdict, TimePoint at) {
  Json json = Json::object();
  json["schema"] = "mailzone/received/1";
  json["at"] = printSqlTime(at);
  json["client"] = facts.client.text();
  json["helo"] = facts.helo;
  json["mail_from"] = facts.mailFrom;
  json["recipients"] = facts.recipients;
  json["tls"] = facts.tlsVersion;
  json["from_domain"] = facts.fromDomain;
  json["ptr_name"] = facts.ptrName;
  json["spf"] =
      Json{{"result", mailauth::word(facts.spf.result)}, {"domain", facts.spf.domain}, {"reason", facts.spf.reason}};
  json["dmarc"] = Json{{"result", mailauth::word(facts.dmarc.result)},
                       {"record_domain", facts.dmarc.recordDomain},
                       {"policy", word(facts.dmarc.policy)},
                       {"reason", facts.dmarc.reason}};
  json["form"] = Json::array();
  for (const FormFinding& finding : facts.form) json["form"].push_back(finding.rule);
  json["verdict"] = Json::parse(observedJson(verdict));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

Mailbox::Mailbox(Mailbox&& other) noexcept : folder_(std::move(other.folder_)), counter_(other.counter_.load()) {}

Result<Mailbox> Mailbox::open(std::filesystem::path folder) {
  std::error_code error;
  if (std::filesystem::create_directories(folder, error); error) {
    return fail(Errc::io, folder.string(), "cannot make this folder: " + error.message());
  }
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    return fail(Errc::io, folder.string(), "mails cannot be stored in this folder", "choose one that we may write to");
  }
  return Mailbox(std::move(folder));
}

Result<StoredMail> Mailbox::store(std::string_view message, const Facts& facts, const Verdict& verdict, TimePoint at) {
  const std::string name = fmt::format("{}-{}-{}", at.time_since_epoch().count(), ::getpid(),
                                       counter_.fetch_add(1, std::memory_order_relaxed));
  StoredMail stored{folder_ / (name + ".eml"), folder_ / (name + ".json")};
  if (auto done = writeNew(stored.message, message); !done) return pass(done);
  const std::filesystem::path draft = folder_ / (name + ".json.new");
  if (auto done = writeNew(draft, receivedJson(facts, verdict, at)); !done) return pass(done);
  std::error_code error;
  std::filesystem::rename(draft, stored.envelope, error);
  if (error) return fail(Errc::io, stored.envelope.string(), error.message());
  return stored;
}

}  // namespace mailzone::harness
