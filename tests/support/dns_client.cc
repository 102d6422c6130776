#include "tests/support/dns_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "core/ip_address.h"

namespace mailzone::test {
namespace {

using Deadline = std::chrono::steady_clock::time_point;
constexpr std::uint16_t kUdpSize = 1232;
constexpr std::uint16_t kOpt = 41;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> malformed(std::string rule) {
  return fail(Errc::corrupt, "", "DNS reply: " + std::move(rule));
}

void put16(std::string& out, unsigned value) {
  out += static_cast<char>((value >> 8) & 0xff);
  out += static_cast<char>(value & 0xff);
}

/// Reads a message's octets; past its end everything is zero and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view message) : message_(message) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] bool atEnd() const { return offset_ == message_.size(); }

  unsigned octet() {
    if (offset_ >= message_.size()) {
      ok_ = false;
      return 0;
    }
    return static_cast<unsigned char>(message_[offset_++]);
  }
  unsigned u16() {
    const auto high = octet();
    return high << 8 | octet();
  }
  std::uint32_t u32() {
    const auto high = u16();
    return static_cast<std::uint32_t>(high) << 16 | u16();
  }
  std::string_view bytes(std::size_t count) {
    if (count > message_.size() - offset_) {
      ok_ = false;
      return {};
    }
    const auto out = message_.substr(offset_, count);
    offset_ += count;
    return out;
  }
  /// RFC 1035 section 4.1.4; as it stands there, in the case that it has.
  std::string wireName() {
    std::string wire;
    std::size_t at = offset_;
    std::optional<std::size_t> behind;
    for (int jumps = 0; jumps < 64 && at < message_.size() && wire.size() < 256;) {
      const auto length = static_cast<unsigned char>(message_[at]);
      if (length >= 0xc0) {
        if (at + 1 >= message_.size()) break;
        if (!behind) behind = at + 2;
        at = static_cast<std::size_t>(length & 0x3f) << 8 | static_cast<unsigned char>(message_[at + 1]);
        ++jumps;
        continue;
      }
      if (length > 63 || at + 1 + length > message_.size()) break;
      wire += message_.substr(at, 1 + std::size_t{length});
      at += 1 + std::size_t{length};
      if (length == 0) {
        offset_ = behind.value_or(at);
        return wire;
      }
    }
    ok_ = false;
    return std::string(1, '\0');
  }
  DnsName name() {
    const auto name = DnsName::fromWire(wireName());
    if (!name) ok_ = false;
    return name.value_or(DnsName());
  }

 private:
  std::string_view message_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

std::string wireOf(const DnsQuestion& question) {
  auto wire = question.name.wire();
  if (!question.mixedCase) return wire;
  for (std::size_t i = 0; i < wire.size(); i += 2) {
    if (wire[i] >= 'a' && wire[i] <= 'z') wire[i] = static_cast<char>(wire[i] - 'a' + 'A');
  }
  return wire;
}

std::string messageOf(const DnsQuestion& question, unsigned id) {
  std::string out;
  put16(out, id);
  put16(out, question.recursionDesired ? 0x0100 : 0);
  for (const unsigned count : {1U, 0U, 0U, 1U}) put16(out, count);
  out += wireOf(question);
  put16(out, question.type.number());
  put16(out, 1);
  out += '\0';  // OPT (RFC 6891 section 6.1.2)
  put16(out, kOpt);
  put16(out, kUdpSize);
  put16(out, 0);
  put16(out, question.dnssecOk ? 0x8000 : 0);
  put16(out, 0);
  return out;
}

std::string addressText(std::string_view octets) {
  std::array<std::uint8_t, 16> raw{};
  std::copy(octets.begin(), octets.end(), raw.begin());
  if (octets.size() == 16) return IpAddress::v6(raw).text();
  return fmt::format("{}.{}.{}.{}", raw[0], raw[1], raw[2], raw[3]);
}

std::string generic(std::string_view octets) {
  auto out = fmt::format("\\# {}", octets.size());
  if (!octets.empty()) out += ' ';
  for (const char c : octets) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string texts(Reader& reader, std::size_t end) {
  std::string out;
  while (reader.ok() && reader.offset() < end) {
    if (!out.empty()) out += ' ';
    out += txtContent(reader.bytes(reader.octet()));
  }
  return out;
}

std::string contentOf(RecordType type, Reader& reader, std::size_t length) {
  const auto end = reader.offset() + length;
  if (type == rrtype::A && length == 4) return addressText(reader.bytes(4));
  if (type == rrtype::AAAA && length == 16) return addressText(reader.bytes(16));
  if (type == rrtype::NS || type == rrtype::CNAME || type == rrtype::PTR) return reader.name().text();
  if (type == rrtype::TXT) return texts(reader, end);
  if (type == rrtype::MX) {
    const auto preference = reader.u16();
    return fmt::format("{} {}", preference, reader.name().text());
  }
  if (type == rrtype::SRV) {
    const auto priority = reader.u16(), weight = reader.u16(), port = reader.u16();
    return fmt::format("{} {} {} {}", priority, weight, port, reader.name().text());
  }
  if (type == rrtype::SOA) {
    auto out = reader.name().text();
    out += ' ' + reader.name().text();
    for (int i = 0; i < 5; ++i) out += fmt::format(" {}", reader.u32());
    return out;
  }
  if (type == rrtype::CAA && length > 2) {
    const auto flags = reader.octet();
    const auto tag = reader.bytes(reader.octet());
    if (!reader.ok() || reader.offset() > end) return {};
    return fmt::format("{} {} {}", flags, tag, txtContent(reader.bytes(end - reader.offset())));
  }
  return generic(reader.bytes(length));
}

Result<void> readSection(Reader& reader, unsigned count, std::vector<DnsRecord>& section, int& rcode) {
  for (unsigned i = 0; i < count; ++i) {
    DnsRecord record;
    record.owner = reader.name();
    record.type = RecordType(static_cast<std::uint16_t>(reader.u16()));
    const auto recordClass = reader.u16();
    record.ttl = reader.u32();
    const std::size_t length = reader.u16();
    const auto end = reader.offset() + length;
    if (record.type.number() == kOpt) {
      rcode |= static_cast<int>(record.ttl >> 24) << 4;
      (void)reader.bytes(length);
      continue;
    }
    if (recordClass != 1) return malformed(fmt::format("class {}", recordClass));
    record.content = contentOf(record.type, reader, length);
    if (!reader.ok() || reader.offset() != end) return malformed("a record of type " + record.type.text());
    section.push_back(std::move(record));
  }
  return {};
}

/// nullopt: an answer to something else, as a late one.
Result<std::optional<DnsReply>> parseReply(std::string_view message, const DnsQuestion& question, unsigned id,
                                           bool& truncated) {
  Reader reader(message);
  const auto replyId = reader.u16();
  const auto flags = reader.u16();
  unsigned counts[4];
  for (auto& count : counts) count = reader.u16();
  if (!reader.ok()) return malformed("shorter than its header");
  if (replyId != id || (flags & 0x8000) == 0) return std::nullopt;
  DnsReply reply;
  reply.rcode = static_cast<int>(flags & 0xf);
  reply.authoritative = (flags & 0x0400) != 0;
  reply.recursionAvailable = (flags & 0x0080) != 0;
  reply.authenticData = (flags & 0x0020) != 0;
  truncated = (flags & 0x0200) != 0;
  if (counts[0] != 1 || reader.wireName() != wireOf(question) || reader.u16() != question.type.number() ||
      reader.u16() != 1) {
    return malformed("another question than was asked (its case counts)");
  }
  if (truncated) return reply;
  std::vector<DnsRecord>* const sections[] = {&reply.answer, &reply.authority, &reply.additional};
  for (std::size_t i = 0; i < 3; ++i) {
    if (auto ok = readSection(reader, counts[i + 1], *sections[i], reply.rcode); !ok) return pass(ok);
  }
  if (!reader.ok() || !reader.atEnd()) return malformed("octets behind its records");
  return reply;
}

tl::unexpected<Error> systemError(const DnsServer& server, std::string_view what) {
  const int number = errno;
  return fail(number == ECONNREFUSED ? Errc::unavailable : Errc::io, fmt::format("{}:{}", server.address, server.port),
              fmt::format("{}: {}", what, std::strerror(number)));
}

/// Waits until the socket is ready for `events`.
Result<void> await(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) break;
  }
  return fail(Errc::temporary, "", "no DNS answer in time");
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> addressOf(const DnsServer& server) {
  const auto parsed = IpAddress::parse(server.address);
  if (!parsed) return pass(parsed);
  Address out;
  if (parsed->isV4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(out.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(server.port);
    std::memcpy(&in.sin_addr, parsed->octets().data(), 4);
    out.length = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(server.port);
    std::memcpy(&in6.sin6_addr, parsed->octets().data(), 16);
    out.length = sizeof in6;
  }
  return out;
}

Result<DnsReply> overUdp(const DnsServer& server, const DnsQuestion& question, unsigned id, Deadline deadline,
                         bool& truncated) {
  const auto address = addressOf(server);
  if (!address) return pass(address);
  const Socket socket(::socket(address->get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.fd(), address->get(), address->length) != 0) return systemError(server, "connect");
  const auto message = messageOf(question, id);
  if (::send(socket.fd(), message.data(), message.size(), 0) < 0) return systemError(server, "send");
  std::string buffer(65535, '\0');
  for (;;) {
    if (auto ok = await(socket.fd(), POLLIN, deadline); !ok) return pass(ok);
    const auto got = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return systemError(server, "recv");
    }
    auto reply = parseReply(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)), question, id, truncated);
    if (!reply) return pass(reply);
    if (*reply) return std::move(**reply);
  }
}

Result<std::string> readExactly(const DnsServer& server, int fd, std::size_t count, Deadline deadline) {
  std::string out(count, '\0');
  for (std::size_t have = 0; have < count;) {
    if (auto ok = await(fd, POLLIN, deadline); !ok) return pass(ok);
    const auto got = ::recv(fd, out.data() + have, count - have, 0);
    if (got == 0) return malformed("the connection was closed");
    if (got < 0 && errno != EAGAIN && errno != EINTR) return systemError(server, "recv");
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  return out;
}

Result<DnsReply> overTcp(const DnsServer& server, const DnsQuestion& question, unsigned id, Deadline deadline) {
  const auto address = addressOf(server);
  if (!address) return pass(address);
  const Socket socket(::socket(address->get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.fd(), address->get(), address->length) != 0 && errno != EINPROGRESS) {
    return systemError(server, "connect");
  }
  if (auto ok = await(socket.fd(), POLLOUT, deadline); !ok) return pass(ok);
  const auto message = messageOf(question, id);
  std::string framed;
  put16(framed, static_cast<unsigned>(message.size()));
  framed += message;
  if (::send(socket.fd(), framed.data(), framed.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(framed.size())) {
    return systemError(server, "send");
  }
  const auto length = readExactly(server, socket.fd(), 2, deadline);
  if (!length) return pass(length);
  const auto body = readExactly(server, socket.fd(), Reader(*length).u16(), deadline);
  if (!body) return pass(body);
  bool truncated = false;
  auto reply = parseReply(*body, question, id, truncated);
  if (!reply) return pass(reply);
  if (!*reply || truncated) return malformed("an answer over TCP that is cut or not ours");
  (*reply)->usedTcp = true;
  return std::move(**reply);
}

}  // namespace

std::vector<std::string> DnsReply::contents(RecordType type) const {
  std::vector<std::string> out;
  for (const auto& record : answer) {
    if (record.type == type) out.push_back(record.content);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<DnsReply> query(const DnsServer& server, const DnsQuestion& question) {
  static std::uint16_t lastId = static_cast<std::uint16_t>(::getpid());
  const unsigned id = ++lastId;
  const auto deadline = std::chrono::steady_clock::now() + question.timeout;
  if (!question.tcp) {
    bool truncated = false;
    auto reply = overUdp(server, question, id, deadline, truncated);
    if (!reply || !truncated) return reply;
  }
  return overTcp(server, question, id, deadline);
}

Result<DnsReply> query(const DnsServer& server, std::string_view name, std::string_view type) {
  const auto parsedName = DnsName::parse(name);
  const auto parsedType = RecordType::parse(type);
  if (!parsedName) throw std::invalid_argument(describe(parsedName.error()));
  if (!parsedType) throw std::invalid_argument(describe(parsedType.error()));
  DnsQuestion question;
  question.name = *parsedName;
  question.type = *parsedType;
  return query(server, question);
}

std::uint16_t freePort() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const Socket tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Socket udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    if (::bind(tcp.fd(), raw, length) != 0 || ::getsockname(tcp.fd(), raw, &length) != 0) continue;
    if (::bind(udp.fd(), raw, length) == 0) return ntohs(address.sin_port);
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

}  // namespace mailzone::test
