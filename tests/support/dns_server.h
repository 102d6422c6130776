// A DNS server in the test's own process: answers over UDP on a port of 127.0.0.1 from a FakeResolver's maps, so that a
// test may ask both and compare.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/fake_resolver.h"

namespace mailzone::testing {

class DnsServer {
 public:
  /// `zone.servfail` names get SERVFAIL; those of `silent` get no reply at all.
  explicit DnsServer(FakeResolver zone, std::set<DnsName> silent = {})
      : zone_(std::move(zone)), silent_(std::move(silent)) {
    socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    stop_ = eventfd(0, EFD_CLOEXEC);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (socket_ < 0 || stop_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no socket for the test's DNS server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~DnsServer() {
    eventfd_write(stop_, 1);
    thread_.join();
    close(stop_);
    close(socket_);
  }
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  /// As resolver.servers has it.
  [[nodiscard]] std::string address() const { return "127.0.0.1@" + std::to_string(port_); }
  [[nodiscard]] int questions() const noexcept { return questions_; }

 private:
  static constexpr int kNoError = 0, kServfail = 2, kNxdomain = 3;

  static std::string number(std::uint32_t value, unsigned octets) {
    std::string out;
    for (unsigned i = octets; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xffU);
    return out;
  }
  static std::string record(const DnsName& owner, std::uint16_t type, const std::string& rdata) {
    return owner.wire() + number(type, 2) + number(1, 2) + number(300, 4) +
           number(static_cast<std::uint32_t>(rdata.size()), 2) + rdata;
  }

  static std::string rdata(const std::string& text) {
    std::string out;
    std::string_view rest = text;
    do {
      const auto part = rest.substr(0, 255);
      out += static_cast<char>(part.size());
      out += part;
      rest.remove_prefix(part.size());
    } while (!rest.empty());
    return out;
  }
  static std::string rdata(const IpAddress& address) {
    const auto& octets = address.octets();
    return {reinterpret_cast<const char*>(octets.data()), address.bits() / 8};
  }
  static std::string rdata(const DnsName& name) { return name.wire(); }
  static std::string rdata(const MailExchanger& exchanger) {
    return number(exchanger.preference, 2) + exchanger.host.wire();
  }

  struct Reply {
    int rcode = kNoError;
    std::string records;
    std::uint32_t count = 0;
  };
  template <class T>
  Reply reply(const DnsName& name, std::uint16_t type, const Result<Answer<T>>& answer) {
    Reply out;
    if (!answer) {
      out.rcode = kServfail;
      return out;
    }
    if (!answer->nameExists) out.rcode = kNxdomain;
    DnsName owner = name;
    while (type != rrtype::CNAME.number() && zone_.cnameRecords.count(owner) != 0) {
      const auto next = zone_.cnameRecords.at(owner);
      out.records += record(owner, rrtype::CNAME.number(), next.wire());
      ++out.count;
      owner = next;
    }
    for (const auto& value : answer->records) {
      out.records += record(owner, type, rdata(value));
      ++out.count;
    }
    return out;
  }
  Reply answerTo(const DnsName& name, std::uint16_t type) {
    switch (type) {
      case 1:
        return reply(name, type, zone_.a(name));
      case 2:
        return reply(name, type, zone_.ns(name));
      case 5:
        return reply(name, type, zone_.cname(name));
      case 12:
        return reply(name, type, zone_.ptr(name));
      case 15:
        return reply(name, type, zone_.mx(name));
      case 28:
        return reply(name, type, zone_.aaaa(name));
      default:
        return reply(name, type, type == 16 ? zone_.txt(name) : noSuchType(name));
    }
  }
  Result<Answer<std::string>> noSuchType(const DnsName& name) {
    auto answer = zone_.txt(name);
    if (answer) answer->records.clear();
    return answer;
  }

  void run() {
    std::array<pollfd, 2> events = {{{socket_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    for (;;) {
      poll(events.data(), events.size(), -1);
      if (events[1].revents != 0) return;
      if (events[0].revents != 0) serveOne();
    }
  }

  void serveOne() {
    std::array<char, 4096> buffer{};
    sockaddr_in from{};
    socklen_t fromSize = sizeof from;
    const auto got = recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &fromSize);
    if (got < 17) return;
    const std::string query(buffer.data(), static_cast<std::size_t>(got));
    const auto end = query.find('\0', 12);
    if (end == std::string::npos || end + 5 > query.size()) return;
    const auto name = DnsName::fromWire(query.substr(12, end - 11));
    if (!name) return;
    ++questions_;
    if (silent_.count(*name) != 0) return;
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[end + 1]) << 8U |
                                                 static_cast<unsigned char>(query[end + 2]));
    const Reply out = answerTo(*name, type);
    std::string packet = query.substr(0, 2);
    packet += number(0x8580U | static_cast<unsigned>(out.rcode), 2);  // QR, AA, RD, RA
    packet += number(1, 2) + number(out.count, 2) + number(out.count == 0 ? 1 : 0, 2) + number(0, 2);
    packet += query.substr(12, end + 5 - 12) + out.records;
    if (out.count == 0) {  // a SOA, so that the negative answer has a TTL
      const DnsName root;
      packet += record(
          root, 6,
          root.wire() + root.wire() + number(1, 4) + number(60, 4) + number(60, 4) + number(60, 4) + number(60, 4));
    }
    sendto(socket_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), fromSize);
  }

  FakeResolver zone_;  // used by the thread alone
  std::set<DnsName> silent_;
  std::atomic<int> questions_{0};
  int socket_ = -1;
  int stop_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace mailzone::testing
