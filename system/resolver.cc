#include "system/resolver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace mailzone {
namespace {

constexpr int kClassIn = 1;
constexpr int kServfail = 2;

struct FreeResult {
  void operator()(ub_result* result) const noexcept { ub_resolve_free(result); }
};
using RawResult = std::unique_ptr<ub_result, FreeResult>;

struct DeleteContext {
  void operator()(ub_ctx* context) const noexcept { ub_ctx_delete(context); }
};
using Context = std::unique_ptr<ub_ctx, DeleteContext>;

/// One question under way. Shared by the asking thread and libunbound's callback: whichever is last lets it go.
struct Pending {
  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;
  int error = 0;
  RawResult result;
};

extern "C" void onAnswer(void* data, int error, ub_result* result) {
  const std::unique_ptr<std::shared_ptr<Pending>> held(static_cast<std::shared_ptr<Pending>*>(data));
  Pending& pending = **held;
  const std::lock_guard lock(pending.mutex);
  pending.done = true;
  pending.error = error;
  pending.result.reset(result);
  pending.answered.notify_one();
}

/// Calls ub_process() whenever libunbound has answers. libunbound's own thread does the work; its callbacks run here.
class Pump {
 public:
  explicit Pump(ub_ctx* context) : context_(context), stop_(eventfd(0, EFD_CLOEXEC)) {
    if (stop_ >= 0) thread_ = std::thread([this] { run(); });
  }
  ~Pump() {
    if (thread_.joinable()) {
      eventfd_write(stop_, 1);
      thread_.join();
    }
    if (stop_ >= 0) close(stop_);
  }
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  [[nodiscard]] bool runs() const noexcept { return thread_.joinable(); }

 private:
  void run() {
    std::array<pollfd, 2> events = {{{ub_fd(context_), POLLIN, 0}, {stop_, POLLIN, 0}}};
    for (;;) {
      if (poll(events.data(), events.size(), -1) < 0) continue;  // EINTR
      if (events[1].revents != 0) return;
      if (events[0].revents != 0) ub_process(context_);
    }
  }

  ub_ctx* context_;
  int stop_;
  std::thread thread_;
};

// ---- RDATA, as libunbound gives it: uncompressed wire form ----

Result<std::string> readTxt(std::string_view rdata) {
  std::string text;
  for (std::size_t at = 0; at < rdata.size();) {
    const std::size_t length = static_cast<unsigned char>(rdata[at]);
    if (at + 1 + length > rdata.size()) return fail(Errc::temporary, rdata, "malformed TXT record");
    text += rdata.substr(at + 1, length);
    at += 1 + length;
  }
  return text;
}

Result<IpAddress> readA(std::string_view rdata) {
  if (rdata.size() != 4) return fail(Errc::temporary, rdata, "malformed A record");
  std::uint32_t address = 0;
  for (const char c : rdata) address = address << 8U | static_cast<unsigned char>(c);
  return IpAddress::v4(address);
}

Result<IpAddress> readAaaa(std::string_view rdata) {
  std::array<std::uint8_t, 16> octets{};
  if (rdata.size() != octets.size()) return fail(Errc::temporary, rdata, "malformed AAAA record");
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::uint8_t>(rdata[i]);
  return IpAddress::v6(octets);
}

Result<DnsName> readName(std::string_view rdata) {
  auto name = DnsName::fromWire(rdata);
  if (!name) return fail(Errc::temporary, rdata, "malformed name in a record");
  return name;
}

Result<MailExchanger> readMx(std::string_view rdata) {
  if (rdata.size() < 3) return fail(Errc::temporary, rdata, "malformed MX record");
  auto host = readName(rdata.substr(2));
  if (!host) return pass(host);
  const auto preference =
      static_cast<std::uint16_t>(static_cast<unsigned char>(rdata[0]) << 8U | static_cast<unsigned char>(rdata[1]));
  return MailExchanger{preference, std::move(*host)};
}

class UnboundResolver final : public Resolver {
 public:
  UnboundResolver(Context context, std::chrono::milliseconds timeout)
      : context_(std::move(context)), timeout_(timeout), pump_(context_.get()) {}

  [[nodiscard]] bool runs() const noexcept { return pump_.runs(); }

  Result<Answer<std::string>> txt(const DnsName& name) override { return ask<std::string>(name, rrtype::TXT, readTxt); }
  Result<Answer<IpAddress>> a(const DnsName& name) override { return ask<IpAddress>(name, rrtype::A, readA); }
  Result<Answer<IpAddress>> aaaa(const DnsName& name) override { return ask<IpAddress>(name, rrtype::AAAA, readAaaa); }
  Result<Answer<MailExchanger>> mx(const DnsName& name) override {
    return ask<MailExchanger>(name, rrtype::MX, readMx);
  }
  Result<Answer<DnsName>> ptr(const DnsName& name) override { return ask<DnsName>(name, rrtype::PTR, readName); }
  Result<Answer<DnsName>> ns(const DnsName& name) override { return ask<DnsName>(name, rrtype::NS, readName); }
  Result<Answer<DnsName>> cname(const DnsName& name) override { return ask<DnsName>(name, rrtype::CNAME, readName); }

 private:
  static tl::unexpected<Error> cannotTell(const DnsName& name, RecordType type, const std::string& why) {
    return fail(Errc::temporary, name.text(), fmt::format("{} cannot be looked up: {}", type.text(), why));
  }

  Result<RawResult> question(const DnsName& name, RecordType type) {
    const auto pending = std::make_shared<Pending>();
    auto forCallback = std::make_unique<std::shared_ptr<Pending>>(pending);
    int id = 0;
    const int error = ub_resolve_async(context_.get(), name.text().c_str(), type.number(), kClassIn, forCallback.get(),
                                       onAnswer, &id);
    if (error != 0) return cannotTell(name, type, ub_strerror(error));
    auto* owned = forCallback.release();  // the callback deletes it, unless the question is cancelled before that
    std::unique_lock lock(pending->mutex);
    if (!pending->answered.wait_for(lock, timeout_, [&pending] { return pending->done; })) {
      lock.unlock();
      if (ub_cancel(context_.get(), id) == 0) delete owned;
      return cannotTell(name, type, fmt::format("no answer within {} ms", timeout_.count()));
    }
    if (pending->error != 0) return cannotTell(name, type, ub_strerror(pending->error));
    return std::move(pending->result);
  }

  template <class T>
  Result<Answer<T>> ask(const DnsName& name, RecordType type, Result<T> (*read)(std::string_view)) {
    auto raw = question(name, type);
    if (!raw) return pass(raw);
    const ub_result& result = **raw;
    if (result.bogus != 0) {
      return cannotTell(name, type, result.why_bogus != nullptr ? result.why_bogus : "DNSSEC validation failed");
    }
    if (result.rcode != 0 && result.nxdomain == 0) {
      return cannotTell(name, type, result.rcode == kServfail ? "SERVFAIL" : fmt::format("rcode {}", result.rcode));
    }
    Answer<T> answer;
    answer.nameExists = result.nxdomain == 0;
    answer.secure = result.secure != 0;
    answer.ttl = Ttl::of(result.ttl).value_or(Ttl());
    answer.canonicalName = name;
    if (result.canonname != nullptr) {
      if (auto canonical = DnsName::parse(result.canonname)) answer.canonicalName = std::move(*canonical);
    }
    for (std::size_t i = 0; result.havedata != 0 && result.data[i] != nullptr; ++i) {
      auto record = read({result.data[i], static_cast<std::size_t>(result.len[i])});
      if (!record) return pass(record);
      answer.records.push_back(std::move(*record));
    }
    return answer;
  }

  Context context_;
  std::chrono::milliseconds timeout_;
  Pump pump_;  // after context_: it must end first
};

tl::unexpected<Error> refused(std::string_view value, std::string rule, std::string remedy = {}) {
  return fail(Errc::settings, value, std::move(rule), std::move(remedy));
}

Result<void> addServer(ub_ctx* context, const std::string& server) {
  const auto at = server.find('@');
  const auto address = IpAddress::parse(std::string_view(server).substr(0, at));
  unsigned port = 53;
  if (at != std::string::npos) {
    const char* end = server.data() + server.size();
    const auto [stop, error] = std::from_chars(server.data() + at + 1, end, port);
    if (error != std::errc() || stop != end) port = 0;
  }
  if (!address || port == 0 || port > 65535) {
    return refused(server, "resolver.servers holds addresses", "write 192.0.2.53 or 192.0.2.53@5353");
  }
  const auto text = fmt::format("{}@{}", address->text(), port);
  if (const int error = ub_ctx_set_fwd(context, text.c_str()); error != 0) {
    return refused(server, fmt::format("libunbound refuses this server: {}", ub_strerror(error)));
  }
  return {};
}

Result<void> configure(ub_ctx* context, const ResolverOptions& options) {
  static constexpr std::array<std::pair<const char*, const char*>, 5> kOptions = {{
      {"do-not-query-localhost:", "no"},  // a server named by the operator may well be on this machine
      {"unblock-lan-zones:", "yes"},      // reverse zones of private and documentation networks are asked like others
      {"infra-keep-probing:", "yes"},     // a server that comes up late is found again at once ...
      {"infra-host-ttl:", "10"},          // ... and not after the 15 minutes of the default
      {"infra-cache-max-rtt:", "4000"},
  }};
  ub_ctx_debugout(context, nullptr);  // libunbound writes to standard error otherwise
  for (const auto& [name, value] : kOptions) {
    if (const int error = ub_ctx_set_option(context, name, value); error != 0) {
      return fail(Errc::internal, name, fmt::format("libunbound: {}", ub_strerror(error)));
    }
  }
  for (const auto& server : options.servers) {
    if (auto added = addServer(context, server); !added) return added;
  }
  if (options.servers.empty()) {
    if (const int error = ub_ctx_resolvconf(context, nullptr); error != 0) {
      return refused("/etc/resolv.conf", fmt::format("cannot be read: {}", ub_strerror(error)),
                     "name servers in resolver.servers");
    }
  }
  if (!options.trustAnchorFile.empty()) {
    if (access(options.trustAnchorFile.c_str(), R_OK) != 0) {
      return refused(options.trustAnchorFile, "the trust anchors cannot be read",
                     "resolver.trust_anchor_file names a file with DS or DNSKEY records");
    }
    if (const int error = ub_ctx_add_ta_file(context, options.trustAnchorFile.c_str()); error != 0) {
      return refused(options.trustAnchorFile, ub_strerror(error));
    }
  }
  if (const int error = ub_ctx_async(context, 1); error != 0) {
    return fail(Errc::internal, "", fmt::format("libunbound: {}", ub_strerror(error)));
  }
  // Makes libunbound read its settings now, so that a wrong one is told at start and not with the first question.
  if (const int error = ub_ctx_zone_add(context, "settled.invalid.", "static"); error != 0) {
    return refused(options.trustAnchorFile, fmt::format("libunbound refuses its settings: {}", ub_strerror(error)),
                   "see that the trust anchors are DS or DNSKEY records");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Resolver>> openResolver(const ResolverOptions& options) {
  if (options.timeout <= std::chrono::milliseconds(0)) {
    return refused(std::to_string(options.timeout.count()), "resolver.timeout_ms is 1 or more");
  }
  Context context(ub_ctx_create());
  if (!context) return fail(Errc::internal, "", "libunbound cannot make a context");
  if (auto done = configure(context.get(), options); !done) return pass(done);
  auto resolver = std::make_unique<UnboundResolver>(std::move(context), options.timeout);
  if (!resolver->runs()) return fail(Errc::internal, "", "no eventfd for the resolver");
  return resolver;
}

}  // namespace mailzone
