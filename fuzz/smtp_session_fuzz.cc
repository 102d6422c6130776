// The SMTP dialogue: however the bytes are cut into pieces, the same mails come out, each line of a mail ends in CR LF
// and in nothing else, no limit is passed, and every reply is whole lines.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "harness/smtp_session.h"

using mailzone::harness::SmtpAction;
using mailzone::harness::SmtpLimits;
using mailzone::harness::SmtpSession;
using mailzone::harness::SmtpStep;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Small, so that short inputs reach them.
SmtpLimits smallLimits() {
  SmtpLimits limits;
  limits.commandLine = 64;
  limits.textLine = 40;
  limits.message = 200;
  limits.headerSection = 100;
  limits.recipients = 2;
  limits.mails = 2;
  limits.commands = 30;
  limits.errors = 4;
  return limits;
}

bool onlyWholeLines(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return false;
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return false;
  }
  return text.empty() || text.back() == '\n';
}

struct Outcome {
  std::vector<std::string> mails;
  std::string replies;  ///< without the last words of a dialogue that was ended
  bool closed = false;
};

Outcome talk(std::string_view input, std::size_t piece) {
  const SmtpLimits limits = smallLimits();
  SmtpSession session("mx.example", limits, true);
  Outcome outcome;
  while (!input.empty() && !outcome.closed) {
    const std::string_view bytes = input.substr(0, piece);
    input.remove_prefix(bytes.size());
    SmtpStep step = session.feed(bytes);
    while (step.action == SmtpAction::judge) {
      require(onlyWholeLines(session.message()) && session.message().size() <= limits.message);
      require(!session.envelope().recipients.empty() && session.envelope().recipients.size() <= limits.recipients);
      outcome.mails.push_back(session.envelope().mailFrom + '\n' + session.message());
      outcome.replies += step.reply;
      step = session.answer("250 judged\r\n");
    }
    require(onlyWholeLines(step.reply));
    outcome.closed = step.action == SmtpAction::close;
    if (outcome.closed) {
      step.reply.erase(step.reply.size() - 2);
      step.reply.erase(step.reply.rfind('\n') + 1);
    }
    outcome.replies += step.reply;
    if (step.action == SmtpAction::startTls) return outcome;  // what follows is thrown away, so pieces do matter
  }
  require(outcome.mails.size() <= limits.mails);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Outcome whole = talk(input, std::max<std::size_t>(size, 1));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const Outcome pieces = talk(input, piece);
    require(pieces.mails == whole.mails);
    require(pieces.closed == whole.closed);
    require(pieces.replies == whole.replies);
  }
  return 0;
}
