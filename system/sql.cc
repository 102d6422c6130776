#include "system/sql.h"

#include <algorithm>
#include <cctype>

namespace mailzone::sql {
namespace {

bool startsWithWord(std::string_view text, std::string_view word) noexcept {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(text[i])) != word[i]) return false;
  }
  return text.size() == word.size() || std::isspace(static_cast<unsigned char>(text[word.size()])) != 0;
}

/// Octets up to the end of the comment or quoted text at the front of `text`; 0: neither begins here.
std::size_t opaqueLength(std::string_view text, Dialect dialect) noexcept {
  const auto endOf = [&](std::string_view mark, std::size_t from) {
    const auto at = text.find(mark, from);
    return at == std::string_view::npos ? text.size() : at + mark.size();
  };
  if (text.starts_with("--")) return endOf("\n", 2);
  if (dialect == Dialect::mysql && text.starts_with("#")) return endOf("\n", 1);
  if (text.starts_with("/*")) return endOf("*/", 2);
  if (text.empty() || std::string_view("'\"`").find(text[0]) == std::string_view::npos) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (dialect == Dialect::mysql && text[i] == '\\' && text[0] != '`') {
      ++i;
    } else if (text[i] == text[0]) {
      return i + 1;  // a doubled quote begins another quoted text at once: the same for splitting
    }
  }
  return text.size();
}

bool isComment(std::string_view text) noexcept {
  return text.starts_with("--") || text.starts_with("/*") || text.starts_with("#");
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

/// SQLite ends a CREATE TRIGGER by `END;`, not by the first semicolon.
bool isInsideTrigger(const std::string& statement) {
  std::string upper = trimmed(statement);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::isspace(c) != 0 ? ' ' : std::toupper(c)); });
  const bool trigger = upper.starts_with("CREATE TRIGGER ") || upper.starts_with("CREATE TEMP TRIGGER ");
  return trigger && !upper.ends_with(" END");
}

}  // namespace

std::vector<std::string> splitScript(std::string_view script, Dialect dialect) {
  std::vector<std::string> statements;
  std::string delimiter = ";";
  std::string current;
  const auto finish = [&] {
    if (auto statement = trimmed(current); !statement.empty()) statements.push_back(std::move(statement));
    current.clear();
  };
  bool lineStart = true;
  while (!script.empty()) {
    if (lineStart && trimmed(current).empty() && dialect == Dialect::mysql && startsWithWord(script, "DELIMITER")) {
      const auto line = script.substr(0, script.find('\n'));
      delimiter = trimmed(line.substr(9));
      script.remove_prefix(line.size());
      continue;
    }
    if (const auto length = opaqueLength(script, dialect); length > 0) {
      const bool leading = isComment(script) && trimmed(current).empty();
      if (!leading) current += script.substr(0, length);
      lineStart = script[length - 1] == '\n';
      script.remove_prefix(length);
      continue;
    }
    if (script.starts_with(delimiter) && !(dialect == Dialect::sqlite && isInsideTrigger(current))) {
      finish();
      script.remove_prefix(delimiter.size());
      continue;
    }
    lineStart = script[0] == '\n';
    current += script[0];
    script.remove_prefix(1);
  }
  finish();
  return statements;
}

Result<void> inTransaction(Connection& connection, const std::function<Result<void>()>& work) {
  if (connection.inTransaction()) return work();
  if (auto begun = connection.begin(); !begun) return begun;
  struct Guard {
    Connection& connection;
    bool armed = true;
    ~Guard() {
      if (armed) connection.rollback();
    }
  } guard{connection};
  if (auto done = work(); !done) return done;
  auto committed = connection.commit();
  // A COMMIT that failed as "busy" leaves SQLite's transaction open: the guard ends it.
  guard.armed = !committed;
  return committed;
}

}  // namespace mailzone::sql
