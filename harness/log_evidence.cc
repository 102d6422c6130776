#include "harness/log_evidence.h"

namespace mailzone::harness {
namespace {

/// Calls `take` with what follows " QUEUEID: " in each line that has it.
template <class Take>
void linesOf(std::string_view log, std::string_view queueId, Take take) {
  const std::string marker = " " + std::string(queueId) + ": ";
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    const std::string_view line = log.substr(0, end);
    if (const std::size_t at = line.find(marker); !queueId.empty() && at != std::string_view::npos)
      take(line.substr(at + marker.size()));
    log = end == std::string_view::npos ? std::string_view{} : log.substr(end + 1);
  }
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  const std::string_view rest = text.substr(start + before.size());
  return std::string(rest.substr(0, rest.find_first_of(after)));
}

}  // namespace

std::string queueIdOfReply(std::string_view reply) {
  return between(reply, "queued as ", " \r\n");
}

bool postfixDelivered(std::string_view log, std::string_view queueId) {
  bool found = false;
  linesOf(log, queueId, [&](std::string_view rest) { found = found || rest.starts_with("to=<"); });
  return found;
}

std::vector<SignedBy> opendkimSigned(std::string_view log, std::string_view queueId) {
  std::vector<SignedBy> signatures;
  linesOf(log, queueId, [&](std::string_view rest) {
    if (rest.starts_with("DKIM-Signature field added"))
      signatures.push_back({between(rest, "d=", ",)"), between(rest, "s=", ",)")});
  });
  return signatures;
}

}  // namespace mailzone::harness
