// The backend alone: lookups over its unix socket, from a replica of synthetic tenants. One connection, the server in
// one thread; every reply is checked against what was put in, so that speed is of right answers.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backend/replica.h"
#include "backend/replica_slot.h"
#include "backend/unix_server.h"
#include "bench/report.h"

namespace {

using namespace mailzone;
using namespace mailzone::backend;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;

[[noreturn]] void die(const Error& error) {
  throw std::runtime_error(describe(error));
}
template <class T>
T must(Result<T> result) {
  if (!result) die(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A public key of RSA-2048's length; no private half exists.
std::string syntheticKey(std::mt19937_64& random) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA";
  while (key.size() < 392) key += kDigits[random() % kDigits.size()];
  return key;
}

struct Question {
  std::string line;      ///< the request
  std::string expected;  ///< the reply, both with their line feed
};

std::string requestFor(const std::string& owner) {
  return R"({"method": "lookup", "parameters": {"local": "192.0.2.53", "qname": ")" + owner +
         R"(", "qtype": "ANY", "real-remote": "198.51.100.7/32", "remote": "198.51.100.7", "zone-id": 1}})" + "\n";
}

/// The reply as an independent program would write it: from the record, by a JSON library.
nlohmann::json rowFor(const std::string& owner, const char* type, const std::string& content) {
  return {{"qtype", type}, {"qname", owner}, {"content", content}, {"ttl", 300}, {"domain_id", 1}, {"auth", 1}};
}

/// Fills the replica with tenants and returns questions about them, one in eight of a name that does not exist.
std::vector<std::pair<std::string, nlohmann::json>> fill(Replica& replica, int tenants) {
  std::mt19937_64 random(20261125);  // NOLINT(cert-msc51-cpp): the same data each time
  std::vector<std::pair<std::string, nlohmann::json>> answers;
  auto writer = must(Replica::Writer::beginFill(replica));
  ServedZone zone;
  zone.id = 1;
  zone.name = must(DnsName::parse("shop.example"));
  zone.serial = 1;
  must(writer.setZones({&zone, 1}));
  const auto rrset = [](const std::string& owner, RecordType type, std::string content) {
    return zonegen::ZoneRRset{ZoneId{1},
                              RRset{must(DnsName::parse(owner)), type, must(Ttl::of(300)), {std::move(content)}}};
  };
  must(writer.apply({SourceKind::zone, 1}, std::vector{rrset("shop.example.", rrtype::SOA, "a. b. 1 2 3 4 5")}));
  for (int id = 1; id <= tenants; ++id) {
    const std::string owner = fmt::format("shop{}.shop.example.", id);
    std::vector<zonegen::ZoneRRset> records;
    const auto put = [&](const std::string& at, std::vector<std::pair<const char*, std::string>> all) {
      nlohmann::json rows = nlohmann::json::array();
      for (auto& [type, content] : all) {
        rows.push_back(rowFor(at, type, content));
        records.push_back(rrset(at, must(RecordType::parse(type)), content));
      }
      answers.emplace_back(at, std::move(rows));
    };
    put(owner, {{"MX", "10 mx1.shop.example."}, {"TXT", "\"v=spf1 include:main._spf.shop.example ~all\""}});
    put("_dmarc." + owner, {{"TXT", "\"v=DMARC1; p=quarantine; adkim=s; aspf=s; psd=n\""}});
    for (const char* slot : {"mz1", "mz2"}) {
      put(fmt::format("{}._domainkey.{}", slot, owner),
          {{"TXT", txtContent("v=DKIM1; k=rsa; p=" + syntheticKey(random))}});
    }
    must(writer.apply({SourceKind::domain, id}, records));
    if (id % 2000 == 0) {
      must(writer.commit());
      writer = must(Replica::Writer::continueFill(replica));
    }
  }
  must(writer.commitFill());
  return answers;
}

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the server hung up");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Reads until `lines` line feeds have come.
  const std::string& receive(std::size_t lines) {
    in_.clear();
    char chunk[65536];
    while (lines != 0) {
      const auto got = ::recv(fd_, chunk, sizeof(chunk), 0);
      if (got <= 0) throw std::runtime_error("the server hung up");
      lines -= static_cast<std::size_t>(std::count(chunk, chunk + got, '\n'));
      in_.append(chunk, static_cast<std::size_t>(got));
    }
    return in_;
  }

 private:
  int fd_;
  std::string in_;
};

/// Asks each question once and keeps the reply's bytes, after comparing its meaning with what was put in.
std::vector<Question> learn(Client& client, const std::vector<std::pair<std::string, nlohmann::json>>& answers,
                            std::size_t count) {
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp)
  std::vector<Question> questions;
  for (std::size_t i = 0; i < count; ++i) {
    const bool miss = i % 8 == 0;
    const auto& [owner, rows] = answers[random() % answers.size()];
    Question question;
    question.line = requestFor(miss ? fmt::format("no{}.shop.example.", random() % 20000) : owner);
    client.send(question.line);
    question.expected = client.receive(1);
    const auto reply = nlohmann::json::parse(question.expected);
    if (reply["result"] != (miss ? nlohmann::json::array() : rows)) {
      throw std::runtime_error("a wrong answer: " + question.line + question.expected);
    }
    questions.push_back(std::move(question));
  }
  return questions;
}

double lookupsPerSecond(Client& client, const std::vector<Question>& questions, std::chrono::milliseconds duration) {
  // Batches and their replies are laid out before the clock starts: the client's own work is one comparison.
  std::vector<std::pair<std::string, std::string>> batches;
  for (std::size_t at = 0; at + kBatch <= questions.size(); at += kBatch) {
    auto& [out, in] = batches.emplace_back();
    for (std::size_t i = at; i < at + kBatch; ++i) {
      out += questions[i].line;
      in += questions[i].expected;
    }
  }
  std::size_t lookups = 0;
  const auto begun = Clock::now();
  Clock::duration took{};
  for (std::size_t i = 0; (took = Clock::now() - begun) < duration; ++i) {
    const auto& [out, in] = batches[i % batches.size()];
    client.send(out);
    if (client.receive(kBatch) != in) throw std::runtime_error("a wrong answer in a batch");
    lookups += kBatch;
  }
  return static_cast<double>(lookups) / std::chrono::duration<double>(took).count();
}

double p99Microseconds(Client& client, const std::vector<Question>& questions, std::size_t rounds) {
  std::vector<double> times;
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto& question = questions[i % questions.size()];
    const auto begun = Clock::now();
    client.send(question.line);
    const bool right = client.receive(1) == question.expected;
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
    if (!right) throw std::runtime_error("a wrong answer");
  }
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 99 / 100);
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

int measure(const bench::Options& options) {
  std::string folder = (std::filesystem::temp_directory_path() / "mailzone-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  struct Remove {
    std::string path;
    ~Remove() { std::filesystem::remove_all(path); }
  } const remove{folder};

  auto replica = must(Replica::open(folder, {std::size_t{1} << 40, false}));
  const int tenants = options.smoke ? 500 : 40000;
  const auto answers = fill(*replica, tenants);
  const double bytes = static_cast<double>(std::filesystem::file_size(folder + "/data.mdb"));
  fmt::print(stderr, "{} tenants, {:.0f} octets of replica each\n", tenants, bytes / tenants);

  const ReplicaSlot slot(replica);
  UnixServer::Options serverOptions;
  serverOptions.path = folder + "/backend.sock";
  UnixServer server(slot, serverOptions);
  must(server.listen());
  std::jthread serving([&] { server.run({}); });
  struct Stop {
    UnixServer& server;
    ~Stop() { server.stop(); }
  } const stop{server};

  Client client(serverOptions.path);
  const auto questions = learn(client, answers, options.smoke ? 640 : 64000);
  const int runs = options.smoke ? 1 : 5;
  bench::Row throughput{"lookups_per_s", "1/s", true, {}, std::nullopt, 300000, false};
  bench::Row latency{"p99_us", "us", false, {}, std::nullopt, 50, false};
  for (int run = 0; run < runs; ++run) {
    throughput.ours.push_back(
        lookupsPerSecond(client, questions, std::chrono::milliseconds(options.smoke ? 200 : 2000)));
    latency.ours.push_back(p99Microseconds(client, questions, options.smoke ? 1000 : 50000));
  }
  return bench::report("backend", {throughput, latency}, options);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::parseOptions(argc, argv);
  try {
    return measure(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench backend: {}\n", error.what());
    return 1;
  }
}
