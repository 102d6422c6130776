#include "cli/dns_query.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cli/names.h"

namespace mailzone::cli {
namespace {

using Deadline = std::chrono::steady_clock::time_point;
constexpr std::size_t kHeader = 12;
constexpr std::size_t kMaxMessage = 65535;

tl::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::corrupt, what, "the server's answer is malformed", "ask another server");
}

/// Reads a message from its beginning; every step checks the bounds.
class Reader {
 public:
  explicit Reader(std::string_view message) : message_(message) {}
  [[nodiscard]] std::size_t at() const noexcept { return at_; }
  void jump(std::size_t at) noexcept { at_ = at; }

  std::optional<std::uint32_t> number(std::size_t octets) {
    if (message_.size() - at_ < octets) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) value = value << 8 | static_cast<unsigned char>(message_[at_ + i]);
    at_ += octets;
    return value;
  }
  std::optional<std::string_view> octets(std::size_t count) {
    if (message_.size() - at_ < count) return std::nullopt;
    const std::string_view text = message_.substr(at_, count);
    at_ += count;
    return text;
  }
  /// RFC 1035 section 4.1.4. Pointers go backwards only, so that none can loop.
  std::optional<DnsName> name() {
    std::string wire;
    std::size_t at = at_, limit = at_;
    bool jumped = false;
    while (at < message_.size()) {
      const auto length = static_cast<unsigned char>(message_[at]);
      if ((length & 0xc0) == 0xc0) {
        if (at + 1 >= message_.size()) return std::nullopt;
        const std::size_t target =
            (static_cast<std::size_t>(length & 0x3f) << 8) | static_cast<unsigned char>(message_[at + 1]);
        if (!jumped) at_ = at + 2;
        if (target >= limit) return std::nullopt;
        jumped = true;
        limit = target;
        at = target;
        continue;
      }
      if (length > 63 || at + 1 + length > message_.size() || wire.size() + length + 1U > 255) return std::nullopt;
      wire.append(message_.substr(at, 1U + length));
      at += 1U + length;
      if (length == 0) {
        if (!jumped) at_ = at;
        const auto read = DnsName::fromWire(wire);
        return read ? std::optional(*read) : std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  std::string_view message_;
  std::size_t at_ = 0;
};

std::optional<std::string> textsOf(std::string_view rdata) {
  std::string all;
  while (!rdata.empty()) {
    const std::size_t length = static_cast<unsigned char>(rdata.front());
    if (rdata.size() < 1 + length) return std::nullopt;
    all += rdata.substr(1, length);
    rdata.remove_prefix(1 + length);
  }
  return txtContent(all);
}

std::optional<std::string> caaOf(std::string_view rdata) {
  if (rdata.size() < 2) return std::nullopt;
  const auto flags = static_cast<unsigned char>(rdata[0]);
  const std::size_t length = static_cast<unsigned char>(rdata[1]);
  if (rdata.size() < 2 + length) return std::nullopt;
  return fmt::format("{} {} {}", flags, rdata.substr(2, length), txtContent(rdata.substr(2 + length)));
}

std::string genericOf(std::string_view rdata) {
  std::string text = fmt::format("\\# {}", rdata.size());  // RFC 3597 section 5
  if (!rdata.empty()) text += ' ';
  for (const char c : rdata) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::optional<std::string> numbersAndName(Reader& reader, int numbers) {
  std::string text;
  for (int i = 0; i < numbers; ++i) {
    const auto value = reader.number(2);
    if (!value) return std::nullopt;
    text += fmt::format("{} ", *value);
  }
  const auto name = reader.name();
  if (!name) return std::nullopt;
  return text + name->text();
}

std::optional<std::string> soaOf(Reader& reader) {
  const auto server = reader.name();
  const auto hostmaster = server ? reader.name() : std::nullopt;
  if (!hostmaster) return std::nullopt;
  std::string text = server->text() + " " + hostmaster->text();
  for (int i = 0; i < 5; ++i) {
    const auto value = reader.number(4);
    if (!value) return std::nullopt;
    text += fmt::format(" {}", *value);
  }
  return text;
}

/// Presentation form, as this project writes it.
std::optional<std::string> contentOf(Reader reader, RecordType type, std::string_view rdata) {
  if (type == rrtype::A && rdata.size() == 4) {
    std::uint32_t value = 0;
    for (const char c : rdata) value = value << 8 | static_cast<unsigned char>(c);
    return IpAddress::v4(value).text();
  }
  if (type == rrtype::AAAA && rdata.size() == 16) {
    std::array<std::uint8_t, 16> octets{};
    std::transform(rdata.begin(), rdata.end(), octets.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    return IpAddress::v6(octets).text();
  }
  if (type == rrtype::NS || type == rrtype::CNAME || type == rrtype::PTR) return numbersAndName(reader, 0);
  if (type == rrtype::MX) return numbersAndName(reader, 1);
  if (type == rrtype::SRV) return numbersAndName(reader, 3);
  if (type == rrtype::SOA) return soaOf(reader);
  if (type == rrtype::TXT) return textsOf(rdata);
  if (type == rrtype::CAA) return caaOf(rdata);
  return genericOf(rdata);
}

std::string rcodeName(unsigned rcode) {
  constexpr std::array<const char*, 6> names = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  return rcode < names.size() ? names[rcode] : fmt::format("RCODE{}", rcode);
}

Result<void> readAnswers(Reader& reader, unsigned count, ServerAnswer& answer) {
  for (unsigned i = 0; i < count; ++i) {
    const auto owner = reader.name();
    const auto type = owner ? reader.number(2) : std::nullopt;
    const auto rrclass = type ? reader.number(2) : std::nullopt;
    const auto seconds = rrclass ? reader.number(4) : std::nullopt;
    const auto length = seconds ? reader.number(2) : std::nullopt;
    if (!length) return malformed("answer section");
    const Reader data = reader;
    const auto rdata = reader.octets(*length);
    if (!rdata) return malformed("record data");
    const RecordType is(static_cast<std::uint16_t>(*type));
    auto content = contentOf(data, is, *rdata);
    const auto ttl = Ttl::of(*seconds);
    if (!content) return malformed("record data of " + is.text());
    if (*rrclass != 1) continue;
    const auto same = std::find_if(answer.sets.begin(), answer.sets.end(),
                                   [&](const RRset& set) { return set.owner == *owner && set.type == is; });
    if (same == answer.sets.end()) {
      answer.sets.push_back({*owner, is, ttl.value_or(Ttl()), {std::move(*content)}});
    } else {
      same->contents.push_back(std::move(*content));
    }
  }
  return {};
}

std::string questionOf(std::uint16_t id, const DnsName& name, RecordType type) {
  const auto two = [](unsigned value) {
    return std::string{static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
  };
  // One question, no flags: authoritative servers are asked, so recursion is not desired.
  return two(id) + two(0) + two(1) + two(0) + two(0) + two(0) + name.wire() + two(type.number()) + two(1);
}

class Socket {
 public:
  Socket(const ServerAddress& server, int kind) : server_(server) {
    const bool v4 = server.address.isV4();
    number_ = ::socket(v4 ? AF_INET : AF_INET6, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto& octets = server.address.octets();
    if (v4) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(server.port);
      std::copy_n(octets.begin(), 4, static_cast<std::uint8_t*>(static_cast<void*>(&address.sin_addr)));
      connect(&address, sizeof(address));
    } else {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(server.port);
      std::copy(octets.begin(), octets.end(), static_cast<std::uint8_t*>(static_cast<void*>(&address.sin6_addr)));
      connect(&address, sizeof(address));
    }
  }
  ~Socket() {
    if (number_ >= 0) ::close(number_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] Result<void> send(std::string_view octets, Deadline deadline) {
    while (!octets.empty()) {
      if (auto ready = wait(POLLOUT, deadline); !ready) return ready;
      const ssize_t count = ::send(number_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) return unreachable(std::strerror(errno));
      octets.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }
  [[nodiscard]] Result<std::string> receive(Deadline deadline) {
    while (true) {
      if (auto ready = wait(POLLIN, deadline); !ready) return pass(ready);
      std::string block(kMaxMessage, '\0');
      const ssize_t count = ::recv(number_, block.data(), block.size(), 0);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) return unreachable(std::strerror(errno));
      if (count == 0) return unreachable("it hung up");
      block.resize(static_cast<std::size_t>(count));
      return block;
    }
  }

 private:
  void connect(const void* address, socklen_t length) {
    const int done = ::connect(number_, static_cast<const sockaddr*>(address), length);
    if (done != 0 && errno != EINPROGRESS) failure_ = errno;
  }
  [[nodiscard]] Result<void> wait(short events, Deadline deadline) const {
    if (number_ < 0 || failure_ != 0) return unreachable(std::strerror(failure_));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd entry{number_, events, 0};
    if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) == 0) {
      return unreachable("it did not answer in time");
    }
    return {};
  }
  [[nodiscard]] tl::unexpected<Error> unreachable(std::string_view why) const {
    return fail(Errc::unavailable, fmt::format("{}@{}", server_.address.text(), server_.port),
                fmt::format("the DNS server cannot be asked: {}", why), "check --server and that it runs");
  }

  ServerAddress server_;
  int number_ = -1;
  int failure_ = 0;
};

Result<std::string> overTcp(const ServerAddress& server, const std::string& question, Deadline deadline) {
  Socket socket(server, SOCK_STREAM);
  const std::string length = {static_cast<char>(question.size() >> 8), static_cast<char>(question.size() & 0xff)};
  if (auto sent = socket.send(length + question, deadline); !sent) return pass(sent);
  std::string reply;
  while (true) {
    auto block = socket.receive(deadline);
    if (!block) return block;
    reply += *block;
    if (reply.size() < 2) continue;
    const std::size_t whole =
        (static_cast<std::size_t>(static_cast<unsigned char>(reply[0])) << 8) | static_cast<unsigned char>(reply[1]);
    if (reply.size() >= 2 + whole) return reply.substr(2, whole);
  }
}

}  // namespace

Result<ServerAddress> readServer(std::string_view text) {
  const std::size_t at = text.find('@');
  const auto address = IpAddress::parse(text.substr(0, at));
  if (!address) return fail(Errc::invalidInput, text, "is no address of a server", "write ADDRESS or ADDRESS@PORT");
  if (at == std::string_view::npos) return ServerAddress{*address, 53};
  const auto port = readNumber(text.substr(at + 1), "port", 1, 65535);
  if (!port) return pass(port);
  return ServerAddress{*address, static_cast<std::uint16_t>(*port)};
}

Result<ServerAnswer> readMessage(std::string_view message, std::uint16_t id, const DnsName& name, RecordType type,
                                 bool& truncated) {
  Reader reader(message);
  if (message.size() < kHeader) return malformed("header");
  const auto its = reader.number(2);
  const auto flags = reader.number(2);
  const auto questions = reader.number(2);
  const auto answers = reader.number(2);
  reader.jump(kHeader);
  if (*its != id || (*flags & 0x8000) == 0) return malformed("another message's id");
  ServerAnswer answer;
  answer.rcode = rcodeName(*flags & 0xf);
  answer.authoritative = (*flags & 0x0400) != 0;
  truncated = (*flags & 0x0200) != 0;
  if (*questions == 1) {
    const auto asked = reader.name();
    const auto askedType = asked ? reader.number(2) : std::nullopt;
    const auto askedClass = askedType ? reader.number(2) : std::nullopt;
    if (!askedClass || !(*asked == name) || *askedType != type.number()) return malformed("another question");
  } else if (*questions != 0 || answer.rcode == "NOERROR") {
    return malformed("no question");
  }
  if (truncated) return answer;
  if (auto read = readAnswers(reader, *answers, answer); !read) return pass(read);
  return answer;
}

Result<ServerAnswer> askServer(const ServerAddress& server, const DnsName& name, RecordType type,
                               std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof(id), 0) != sizeof(id))
    return fail(Errc::internal, "", "the system gave no random octets");
  const std::string question = questionOf(id, name, type);
  Socket socket(server, SOCK_DGRAM);
  if (auto sent = socket.send(question, deadline); !sent) return pass(sent);
  bool truncated = false;
  const auto datagram = socket.receive(deadline);
  if (!datagram) return pass(datagram);
  auto answer = readMessage(*datagram, id, name, type, truncated);
  if (!answer || !truncated) return answer;
  const auto whole = overTcp(server, question, deadline);
  if (!whole) return pass(whole);
  return readMessage(*whole, id, name, type, truncated);
}

}  // namespace mailzone::cli
