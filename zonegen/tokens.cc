#include "zonegen/tokens.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailzone::zonegen {
namespace {

bool isBlank(char c) {
  return c == ' ' || c == '\t';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isSpecial(char c) {
  return c == ';' || c == '(' || c == ')' || c == '"';
}

tl::unexpected<Error> failAt(Position position, std::string_view value, std::string rule, std::string remedy = {}) {
  return tl::unexpected<Error>(
      at(position, fail(Errc::invalidInput, value, std::move(rule), std::move(remedy)).value()));
}

}  // namespace

Error at(Position position, Error error) {
  error.rule = fmt::format("line {}, column {}: {}", position.line, position.column, error.rule);
  return error;
}

std::string_view Tokenizer::takeLine() {
  const auto end = rest_.find('\n');
  auto line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  ++lineNumber_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

Result<std::optional<Entry>> Tokenizer::next() {
  Entry entry;
  while (!rest_.empty()) {
    const auto line = takeLine();
    if (line.size() > kMaxLineOctets) {
      return failAt({lineNumber_, kMaxLineOctets + 1}, "", fmt::format("a line has at most {} octets", kMaxLineOctets),
                    "break the line within parentheses");
    }
    if (!open_ && entry.tokens.empty()) entry.startsBlank = !line.empty() && isBlank(line.front());
    if (auto ok = readLine(line, entry); !ok) return pass(ok);
    if (!open_ && !entry.tokens.empty()) return entry;
  }
  if (open_) return failAt(*open_, "(", "a parenthesis is not closed", "close it, or remove it");
  return std::nullopt;
}

Result<void> Tokenizer::readSpecial(char c, Position position) {
  if (c == '(') {
    if (open_) return failAt(position, "(", "parentheses do not nest (RFC 1035 section 5.1)", "remove one");
    open_ = position;
  } else {
    if (!open_) return failAt(position, ")", "no parenthesis is open", "remove it");
    open_.reset();
  }
  return {};
}

Result<void> Tokenizer::readLine(std::string_view line, Entry& entry) {
  for (std::size_t offset = 0; offset < line.size();) {
    const char c = line[offset];
    const Position position{lineNumber_, offset + 1};
    if (isBlank(c)) {
      ++offset;
    } else if (c == ';') {
      return {};
    } else if (c == '(' || c == ')') {
      if (auto ok = readSpecial(c, position); !ok) return ok;
      ++offset;
    } else {
      auto token = readToken(line, offset);
      if (!token) return pass(token);
      if (entry.tokens.size() == kMaxEntryTokens) {
        return failAt(position, token->text, fmt::format("a record has at most {} words", kMaxEntryTokens),
                      "is a parenthesis missing?");
      }
      entry.tokens.push_back(std::move(*token));
    }
  }
  return {};
}

Result<Token> Tokenizer::readToken(std::string_view line, std::size_t& offset) const {
  Token token;
  token.position = {lineNumber_, offset + 1};
  token.quoted = line[offset] == '"';
  if (token.quoted) ++offset;
  const auto begin = offset;
  for (; offset < line.size(); ++offset) {
    const char c = line[offset];
    if (c == '\\') {
      if (++offset == line.size()) break;
    } else if (token.quoted ? c == '"' : (isBlank(c) || isSpecial(c))) {
      token.text = std::string(line.substr(begin, offset - begin));
      if (token.quoted) ++offset;
      return token;
    } else if (c == '\0' || (!token.quoted && static_cast<unsigned char>(c) < 0x20)) {
      return failAt({lineNumber_, offset + 1}, line.substr(offset, 1), "a control character stands in the file",
                    "write \\DDD");
    }
  }
  token.text = std::string(line.substr(begin));
  if (token.quoted) return failAt(token.position, token.text, "a quote is not closed on its line", "close it");
  return token;
}

Result<std::vector<Token>> contentTokens(std::string_view content) {
  const auto bad = [&](std::string rule) {
    return fail(Errc::invalidInput, content, std::move(rule), "write the content as a master file's last fields");
  };
  bool quoted = false;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\n' || c == '\r') return bad("a record's content is one line");
    if (c == '"') quoted = !quoted;
    if (c == '\\') {
      ++i;
    } else if (!quoted && (c == ';' || c == '(' || c == ')')) {
      return bad("comments and parentheses do not stand in a record's content; a text is written in quotes");
    }
  }
  if (content.size() > kMaxLineOctets) return bad(fmt::format("a content has at most {} octets", kMaxLineOctets));
  auto entry = Tokenizer(content).next();
  if (!entry) return pass(entry);
  if (!*entry) return bad("a record has a content");
  return std::move((*entry)->tokens);
}

Result<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 3);
    if (digits.empty()) return fail(Errc::invalidInput, text, "a backslash ends the text", "write \\\\");
    if (!isDigit(digits[0])) {
      out += digits[0];
      ++i;
      continue;
    }
    if (digits.size() < 3 || !std::all_of(digits.begin(), digits.end(), isDigit)) {
      return fail(Errc::invalidInput, text, "an escape has three digits (RFC 1035 section 5.1)", "write \\DDD");
    }
    const int value = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (value > 255) return fail(Errc::invalidInput, text, "an escape is at most \\255", "write \\DDD");
    out += static_cast<char>(value);
    i += 3;
  }
  return out;
}

}  // namespace mailzone::zonegen
