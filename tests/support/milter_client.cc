#include "tests/support/milter_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

namespace mailzone::test {
namespace {

constexpr std::size_t kMaxPacket = 1U << 20U;

std::string number32(std::uint32_t value) {
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8) out += static_cast<char>(value >> (shift - 8) & 0xffU);
  return out;
}

/// Each text with its final zero octet.
std::string zeroEnded(std::initializer_list<std::string_view> texts) {
  std::string out;
  for (const auto text : texts) (out += text) += '\0';
  return out;
}

struct Packet {
  char command = 0;
  std::string data;
};

class Link {
 public:
  explicit Link(const std::string& path) : path_(path), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  ~Link() { ::close(fd_); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  Result<void> open() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return broken("connect");
    return {};
  }
  Result<void> send(char command, const std::string& data) {
    const std::string packet = number32(static_cast<std::uint32_t>(data.size()) + 1) + command + data;
    if (::send(fd_, packet.data(), packet.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(packet.size())) {
      return broken("send");
    }
    return {};
  }
  Result<Packet> receive() {
    const auto head = read(4);
    if (!head) return pass(head);
    std::size_t size = 0;
    for (const char c : *head) size = size << 8U | static_cast<unsigned char>(c);
    if (size == 0 || size > kMaxPacket) return fail(Errc::corrupt, path_, "the milter sends a packet of no size");
    auto body = read(size);
    if (!body) return pass(body);
    return Packet{body->front(), body->substr(1)};
  }

 private:
  tl::unexpected<Error> broken(const char* what) const {
    return fail(Errc::unavailable, path_, std::string(what) + ": " + std::strerror(errno));
  }
  Result<std::string> read(std::size_t size) {
    std::string out(size, '\0');
    if (::recv(fd_, out.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) return broken("receive");
    return out;
  }
  std::string path_;
  int fd_;
};

class Conversation {
 public:
  explicit Conversation(const std::string& socket) : link_(socket) {}

  Result<MilterOutcome> run(std::string_view sender, std::string_view message) {
    if (auto opened = link_.open(); !opened) return pass(opened);
    // Every action is allowed, no step may be left out: each one is answered.
    if (auto sent = link_.send('O', number32(6) + number32(0x1ff) + number32(0)); !sent) return pass(sent);
    const auto options = link_.receive();
    if (!options) return pass(options);
    if (options->command != 'O') return fail(Errc::corrupt, options->data, "no answer to the milter's options");

    const std::string client("\0\x19", 2);
    step('C', zeroEnded({"app.shop.example"}) + '4' + client + zeroEnded({"192.0.2.80"}));
    step('H', zeroEnded({"app.shop.example"}));
    macros('M', {"i", "4TEST", "{mail_addr}", sender});
    step('M', zeroEnded({"<" + std::string(sender) + ">"}));
    macros('R', {"i", "4TEST", "{rcpt_addr}", "r@receiver.example"});
    step('R', zeroEnded({"<r@receiver.example>"}));
    step('T', "");
    const auto split = message.find("\r\n\r\n");
    for (std::string_view head = message.substr(0, split + 2); !head.empty();) {
      const auto line = head.substr(0, head.find("\r\n"));
      head.remove_prefix(line.size() + 2);
      const auto colon = line.find(':');
      step('L', zeroEnded({line.substr(0, colon), line.substr(colon + 2)}));
    }
    step('N', "");
    step('B', std::string(message.substr(split + 4)));
    step('E', "");
    if (error_) return tl::unexpected<Error>(*error_);
    return outcome_;
  }

 private:
  [[nodiscard]] bool over() const { return error_ || (outcome_.action != 0 && outcome_.action != 'c'); }
  void macros(char command, std::initializer_list<std::string_view> values) {
    if (over()) return;
    if (auto sent = link_.send('D', command + zeroEnded(values)); !sent) error_ = sent.error();
  }
  /// Sends, and takes what comes until the answer itself.
  void step(char command, const std::string& data) {
    if (over()) return;
    if (auto sent = link_.send(command, data); !sent) {
      error_ = sent.error();
      return;
    }
    for (;;) {
      const auto packet = link_.receive();
      if (!packet) {
        error_ = packet.error();
        return;
      }
      if (packet->command == 'i' && packet->data.size() > 4) {
        std::string field = packet->data.substr(4);
        field.pop_back();
        field.replace(field.find('\0'), 1, ": ");
        for (std::size_t at = 0; (at = field.find('\n', at)) != std::string::npos; at += 2) {
          if (at == 0 || field[at - 1] != '\r') field.insert(at, 1, '\r');
        }
        outcome_.fields.insert(outcome_.fields.begin(), field + "\r\n");
        continue;
      }
      if (std::string_view("carty").find(packet->command) == std::string_view::npos) continue;  // progress, log, ...
      outcome_.action = packet->command;
      if (packet->command == 'y') outcome_.reply = packet->data.c_str();
      return;
    }
  }

  Link link_;
  MilterOutcome outcome_;
  std::optional<Error> error_;
};

}  // namespace

Result<MilterOutcome> throughMilter(const std::string& socket, std::string_view sender, std::string_view message) {
  return Conversation(socket).run(sender, message);
}

}  // namespace mailzone::test
