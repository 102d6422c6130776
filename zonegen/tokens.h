// Words of a master file (RFC 1035 section 5.1): blanks, quotes, escapes, comments, parentheses. Internal to zonegen/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::zonegen {

/// A place in a text, both counted from 1; the column in octets.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// Puts "line L, column C: " in front of an error's rule.
[[nodiscard]] Error at(Position position, Error error);

struct Token {
  std::string text;     ///< escapes are still in it; without the quotes
  bool quoted = false;  ///< stood in quotes
  Position position;
};

/// What parentheses make one entry of. Never without tokens.
struct Entry {
  bool startsBlank = false;  ///< the owner is that of the entry before
  std::vector<Token> tokens;
};

inline constexpr std::size_t kMaxLineOctets = 65535;
inline constexpr std::size_t kMaxEntryTokens = 1000;

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : rest_(text) {}
  /// The next entry, nullopt at the end.
  [[nodiscard]] Result<std::optional<Entry>> next();

 private:
  [[nodiscard]] Result<void> readLine(std::string_view line, Entry& entry);
  [[nodiscard]] Result<void> readSpecial(char c, Position position);
  [[nodiscard]] Result<Token> readToken(std::string_view line, std::size_t& offset) const;
  [[nodiscard]] std::string_view takeLine();

  std::string_view rest_;
  std::size_t lineNumber_ = 0;
  std::optional<Position> open_;  ///< where the parenthesis that is open stands
};

/// The words of a record's content that stands alone, as a column static_record.content: one line, no comment and no
/// parentheses outside quotes.
[[nodiscard]] Result<std::vector<Token>> contentTokens(std::string_view content);

/// The octets of a token, its escapes read.
[[nodiscard]] Result<std::string> unescaped(std::string_view text);

}  // namespace mailzone::zonegen
