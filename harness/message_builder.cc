#include "harness/message_builder.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace mailzone::harness {
namespace {

constexpr std::size_t kMaxLine = 998;  // RFC 5322 section 2.1.1

/// RFC 5322 section 3.3: "Wed, 25 Nov 2026 10:08:23 +0000"
std::string printDate(TimePoint time) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::uint64_t randomBits() {
  std::uint64_t bits = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&bits), sizeof bits) != 1) throw std::runtime_error("no random bits");
  return bits;
}

struct Preset {
  std::string_view stream;
  std::string_view subject;
  std::string_view body;
};
constexpr std::array kPresets = {
    Preset{"webapp", "Your order 1042 is on its way", "Hello,\n\nyour order 1042 has left our shop today.\n"},
    Preset{"mailbox", "Re: your question", "Hello,\n\nyes, we have that in stock.\n\nYours,\nthe owner\n"},
    Preset{"marketing", "What is new this week",
           "Hello,\n\nthis is what is new this week.\n\nTo leave this list open "
           "https://news.example/unsubscribe/0123456789abcdef\n"},
};

std::string withCrLf(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
    out += text[i];
  }
  if (out.size() < 2 || out.substr(out.size() - 2) != "\r\n") out += "\r\n";
  return out;
}

/// A display name as an atom, or quoted (RFC 5322 section 3.2.4).
std::string phrase(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

Result<std::string> buildMessage(const MessagePlan& plan, TimePoint now) {
  const auto* preset = std::find_if(kPresets.begin(), kPresets.end(),
                                    [&](const Preset& candidate) { return candidate.stream == plan.stream; });
  if (preset == kPresets.end()) {
    return fail(Errc::invalidInput, plan.stream, "there is no such stream", "webapp, mailbox or marketing");
  }
  std::vector<std::pair<std::string, std::string>> headers;
  headers.emplace_back("Date", printDate(now));
  headers.emplace_back("From",
                       plan.fromName.empty() ? plan.from : fmt::format("{} <{}>", phrase(plan.fromName), plan.from));
  headers.emplace_back("To", plan.to);
  headers.emplace_back("Subject", plan.subject.empty() ? std::string(preset->subject) : plan.subject);
  if (!plan.messageId.empty()) headers.emplace_back("Message-ID", plan.messageId);
  headers.emplace_back("MIME-Version", "1.0");
  headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  headers.emplace_back("Content-Transfer-Encoding", "8bit");
  if (plan.stream == "marketing") {
    // RFC 8058 section 3.1: exactly one HTTPS URI, with a part that nobody can guess.
    headers.emplace_back("List-Unsubscribe",
                         fmt::format("<https://news.example/unsubscribe/{:016x}{:016x}>", randomBits(), randomBits()));
    headers.emplace_back("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
  }
  headers.insert(headers.end(), plan.extraHeaders.begin(), plan.extraHeaders.end());

  std::string message;
  for (const auto& [name, value] : headers) {
    const bool left = std::any_of(plan.withoutHeaders.begin(), plan.withoutHeaders.end(),
                                  [&name = name](const std::string& without) { return lower(without) == lower(name); });
    if (left) continue;
    for (const std::string* text : {&name, &value}) {
      if (text->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        return fail(Errc::invalidInput, *text, "a header field may not hold CR, LF or NUL");
      }
    }
    if (name.size() + value.size() + 2 > kMaxLine) {
      return fail(Errc::limitExceeded, name, fmt::format("a header line has at most {} octets", kMaxLine));
    }
    message += fmt::format("{}: {}\r\n", name, value);
  }
  message += "\r\n";
  message += withCrLf(plan.body.empty() ? preset->body : plan.body);
  return message;
}

std::string newMessageId(std::string_view stream, std::string_view domain) {
  return fmt::format("<{}.{:016x}@{}>", stream, randomBits(), domain);
}

}  // namespace mailzone::harness
