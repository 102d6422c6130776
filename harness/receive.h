// `mailzone-harness receive`: the receiver alone, in the foreground, one JSON line per mail.
#pragma once

#include <cstdint>
#include <string>

#include "harness/receiver.h"
#include "system/resolver.h"

namespace mailzone::harness {

struct ReceiveOptions {
  ReceiverOptions receiver;
  ResolverOptions resolver;
};

/// One mail as `mailzone/receive/1` on one line, without line feed: what the verdict's fields say, and where the mail
/// is stored. Nothing is expected of such a mail, so there is no `ok`.
[[nodiscard]] std::string receivedLine(const ReceivedMail& mail);

/// Listens until SIGTERM or SIGINT (which it blocks for the calling thread), prints receivedLine() on standard output
/// for each mail as soon as it is judged, and tells its supervisor READY=1 when it listens. Exit status.
[[nodiscard]] int runReceive(const ReceiveOptions& options);

}  // namespace mailzone::harness
