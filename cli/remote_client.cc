#include "cli/remote_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/document.h"

namespace mailzone::cli {
namespace {

constexpr std::size_t kMaxReply = 16 * 1024 * 1024;
constexpr int kMaxChunks = 100'000;

Result<void> wait(int socket, short events, std::chrono::steady_clock::time_point deadline, const std::string& path) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd entry{socket, events, 0};
  const int ready = left.count() <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left.count()));
  if (ready > 0 || (ready < 0 && errno == EINTR)) return {};
  return fail(Errc::unavailable, path, "the backend does not answer in time", "see its log");
}

Result<RRset> recordOf(const Document& entry) {
  const Document* type = entry.find("qtype");
  const Document* name = entry.find("qname");
  const Document* content = entry.find("content");
  const Document* ttl = entry.find("ttl");
  if (type == nullptr || type->text() == nullptr || name == nullptr || name->text() == nullptr || content == nullptr ||
      content->text() == nullptr || ttl == nullptr || ttl->number() == nullptr) {
    return fail(Errc::corrupt, entry.jsonLine(), "is no record of the remote protocol", "see the backend's log");
  }
  const auto owner = DnsName::parse(*name->text());
  if (!owner) return pass(owner);
  const auto known = RecordType::parse(*type->text());
  if (!known) return pass(known);
  const auto seconds = Ttl::of(*ttl->number());
  if (!seconds) return pass(seconds);
  return RRset{*owner, *known, *seconds, {*content->text()}};
}

}  // namespace

Result<std::unique_ptr<RemoteClient>> RemoteClient::connect(const std::string& path,
                                                            std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return fail(Errc::settings, path, "is too long for a socket", "");
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::unique_ptr<RemoteClient> client(new RemoteClient(socket, path, timeout));
  // sockaddr is the C API's base of every address.
  const auto* plain = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (socket < 0 || ::connect(socket, plain, sizeof(address)) != 0) {
    return fail(Errc::unavailable, path, fmt::format("the backend cannot be reached: {}", std::strerror(errno)),
                "start mailzone-backend");
  }
  const auto reply = client->exchange(Document::object()
                                          .set("method", "initialize")
                                          .set("parameters", Document::object().set("path", path))
                                          .jsonLine());
  if (!reply) return pass(reply);
  const auto document = Document::parse(*reply, kMaxReply);
  const Document* result = document ? document->find("result") : nullptr;
  if (result == nullptr || result->flag() == nullptr || !*result->flag()) {
    return fail(Errc::unavailable, path, "the backend does not serve yet", "see its log");
  }
  return client;
}

RemoteClient::~RemoteClient() {
  if (socket_ >= 0) ::close(socket_);
}

Result<std::string> RemoteClient::exchange(const std::string& line) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  const std::string request = line + "\n";
  for (std::size_t sent = 0; sent < request.size();) {
    if (auto ready = wait(socket_, POLLOUT, deadline, path_); !ready) return pass(ready);
    const ssize_t count = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return fail(Errc::unavailable, path_, "the backend hung up", "see its log");
    sent += static_cast<std::size_t>(count);
  }
  std::string reply;
  for (int chunk = 0; chunk < kMaxChunks; ++chunk) {
    if (auto ready = wait(socket_, POLLIN, deadline, path_); !ready) return pass(ready);
    std::string block(65536, '\0');
    const ssize_t count = ::recv(socket_, block.data(), block.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return fail(Errc::unavailable, path_, "the backend hung up", "see its log");
    reply.append(block, 0, static_cast<std::size_t>(count));
    if (reply.back() == '\n') return reply;
    if (reply.size() > kMaxReply) break;
  }
  return fail(Errc::limitExceeded, path_, "the backend's reply does not end", "see its log");
}

Result<std::vector<RRset>> RemoteClient::lookup(const DnsName& name) {
  Document parameters = Document::object()
                            .set("local", "0.0.0.0")
                            .set("qname", name.text())
                            .set("qtype", "ANY")
                            .set("real-remote", "0.0.0.0/0")
                            .set("remote", "0.0.0.0")
                            .set("zone-id", -1);
  const auto reply =
      exchange(Document::object().set("method", "lookup").set("parameters", std::move(parameters)).jsonLine());
  if (!reply) return pass(reply);
  const auto document = Document::parse(*reply, kMaxReply);
  if (!document) return pass(document);
  const Document* result = document->find("result");
  if (result == nullptr || result->isNull()) {
    return fail(Errc::temporary, name.textNoDot(), "the backend cannot tell: PowerDNS says SERVFAIL", "see its log");
  }
  std::vector<RRset> sets;
  if (result->array() == nullptr) return sets;
  for (const Document& entry : *result->array()) {
    // An empty non-terminal: the name exists without records.
    if (const Document* type = entry.find("qtype");
        type != nullptr && type->text() != nullptr && type->text()->empty()) {
      continue;
    }
    auto record = recordOf(entry);
    if (!record) return pass(record);
    const auto same = std::find_if(sets.begin(), sets.end(), [&](const RRset& set) {
      return set.owner == record->owner && set.type == record->type;
    });
    if (same == sets.end()) {
      sets.push_back(std::move(*record));
    } else {
      same->contents.push_back(record->contents.front());
    }
  }
  return sets;
}

}  // namespace mailzone::cli
