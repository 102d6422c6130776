#include "core/clock.h"

#include <fmt/format.h>

#include <charconv>

namespace mailzone {
namespace {

bool readDigits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (at + count > text.size()) return false;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  std::from_chars(text.data() + at, text.data() + at + count, value);
  return true;
}

}  // namespace

TimePoint SystemClock::now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string printSqlTime(TimePoint time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04d}-{:02d}-{:02d} {:02d}:{:02d}:{:02d}.{:06d}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<TimePoint> parseSqlTime(std::string_view text) {
  const auto bad = [&] {
    return fail(Errc::invalidInput, text, "not a UTC time", "write it as 2026-11-25 09:51:08.000000");
  };
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::string_view body = text;
  if (!body.empty() && body.back() == 'Z') body.remove_suffix(1);
  if (body.size() < 19 || !readDigits(body, 0, 4, year) || body[4] != '-' || !readDigits(body, 5, 2, month) ||
      body[7] != '-' || !readDigits(body, 8, 2, day) || (body[10] != ' ' && body[10] != 'T') ||
      !readDigits(body, 11, 2, hour) || body[13] != ':' || !readDigits(body, 14, 2, minute) || body[16] != ':' ||
      !readDigits(body, 17, 2, second)) {
    return bad();
  }
  int micros = 0;
  if (body.size() > 19) {
    const std::size_t digits = body.size() - 20;
    if (body[19] != '.' || digits > 6 || digits == 0 || !readDigits(body, 20, digits, micros)) return bad();
    for (std::size_t i = digits; i < 6; ++i) micros *= 10;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  return TimePoint{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second} + std::chrono::microseconds{micros};
}

}  // namespace mailzone
