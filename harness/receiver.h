// The receiver of the harness: takes mail over SMTP with STARTTLS, judges it as the profile says against one resolver,
// answers after DATA, stores every mail, and hands the verdicts to whoever waits for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "core/result.h"
#include "harness/judge.h"
#include "harness/smtp_session.h"
#include "harness/verdict.h"

namespace mailzone::harness {

struct ReceiverOptions {
  IpAddress address = IpAddress::v4(0x7f000001);
  std::uint16_t port = 25;  ///< 0: the kernel chooses; see port()
  std::string hostName = "mx.receiver.example";
  JudgeProfile profile;           ///< gmail, bulk
  std::filesystem::path storage;  ///< made when missing, mode 0700; what is in it stays
  SmtpLimits limits;
  std::vector<std::string> recipientDomains;  ///< others are refused (550 5.1.2); empty: all are taken
};

/// One hop that the mail names in a Received line, top (last hop) first.
struct ReceivedHop {
  std::string by;       ///< host after "by"
  std::string queueId;  ///< word after "id"; "" when there is none
};

/// One judged mail, accepted or refused.
struct ReceivedMail {
  Verdict verdict;  ///< scenario, stream and expected are left to the caller
  Facts facts;
  std::vector<ReceivedHop> hops;
  std::filesystem::path message;   ///< the bytes after DATA, dots unstuffed, nothing added
  std::filesystem::path envelope;  ///< JSON beside it: the facts that a second opinion needs
};

/// Listens in threads of its own from start() until destroyed. All functions are thread-safe.
class Receiver {
 public:
  /// Returns when the socket listens. `resolver` and `clock` must outlive the Receiver. Errc::unavailable: the address
  /// or port cannot be had; Errc::io: the storage cannot be written.
  [[nodiscard]] static Result<std::unique_ptr<Receiver>> start(ReceiverOptions options, Resolver& resolver,
                                                               const Clock& clock);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  /// Closes all connections and waits for judges at work.
  ~Receiver();

  [[nodiscard]] std::uint16_t port() const noexcept;
  /// The certificate made at start, for clients that check it.
  [[nodiscard]] const std::string& certificatePem() const noexcept;

  /// Waits for the mail with this Message-ID (with or without angle brackets) until it has been accepted or refused for
  /// good (2xx, 5xx). At the deadline: the last one that got 4xx, else Errc::temporary.
  [[nodiscard]] Result<ReceivedMail> await(std::string_view messageId, std::chrono::steady_clock::time_point deadline);
  /// The same for the first mail that `wanted` likes (mails without Message-ID can be awaited by their envelope).
  [[nodiscard]] Result<ReceivedMail> awaitWhere(const std::function<bool(const ReceivedMail&)>& wanted,
                                                std::chrono::steady_clock::time_point deadline);
  /// All so far, in the order of their replies.
  [[nodiscard]] std::vector<ReceivedMail> all() const;
  /// Called for each mail, before its reply is sent, from a thread of the Receiver.
  void onMail(std::function<void(const ReceivedMail&)> observer);

 private:
  struct State;
  explicit Receiver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mailzone::harness
