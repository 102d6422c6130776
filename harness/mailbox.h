// Where the receiver keeps mails: one folder, two files a mail, the raw bytes and the facts of its delivery.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "harness/judge.h"
#include "harness/verdict.h"

namespace mailzone::harness {

struct StoredMail {
  std::filesystem::path message;
  std::filesystem::path envelope;
};

/// Thread-safe; several may share a folder (names begin with the time and the process).
class Mailbox {
 public:
  /// Makes the folder (0700) when it is missing.
  [[nodiscard]] static Result<Mailbox> open(std::filesystem::path folder);
  Mailbox(Mailbox&& other) noexcept;

  /// Writes NAME.eml and NAME.json (`mailzone/received/1`), the latter last and by rename: a mail that has it is whole.
  [[nodiscard]] Result<StoredMail> store(std::string_view message, const Facts& facts, const Verdict& verdict,
                                         TimePoint at);

 private:
  explicit Mailbox(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
  std::atomic<unsigned> counter_{0};
};

}  // namespace mailzone::harness
