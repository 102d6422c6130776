// JSON documents as values: what verbs report, and what they read. The JSON library stands in document.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace mailzone::cli {

/// One JSON value; objects keep the order in which their members were set.
class Document {
 public:
  struct Member;
  using Array = std::vector<Document>;
  using Object = std::vector<Member>;

  // All out of line: Member is complete only below.
  Document();
  Document(std::nullptr_t);
  Document(bool flag);
  Document(std::int64_t number);
  Document(int number);
  Document(std::string text);
  Document(std::string_view text);
  Document(const char* text);
  Document(Array array);
  Document(const std::vector<std::string>& texts);
  Document(const Document& other);
  Document(Document&& other) noexcept;
  Document& operator=(const Document& other);
  Document& operator=(Document&& other) noexcept;
  ~Document();
  template <class T>
  Document(const std::optional<T>& value) : Document(value ? Document(*value) : Document()) {}

  [[nodiscard]] static Document object();
  /// `text`, or null when it is empty: a field that has no value is there all the same.
  [[nodiscard]] static Document orNull(const std::string& text);

  /// Sets a member of an object; a member that exists is replaced where it stands. Returns *this.
  Document& set(std::string_view name, Document value);
  /// Appends to an array.
  void push(Document value);

  [[nodiscard]] bool isNull() const noexcept;
  // nullptr when it is something else.
  [[nodiscard]] const std::string* text() const noexcept;
  [[nodiscard]] const std::int64_t* number() const noexcept;
  [[nodiscard]] const bool* flag() const noexcept;
  [[nodiscard]] const Array* array() const noexcept;
  [[nodiscard]] const Object* members() const noexcept;
  /// A member of an object; nullptr when it is not there or this is no object.
  [[nodiscard]] const Document* find(std::string_view name) const noexcept;

  /// What a table's cell shows: texts as they are, "-" for null and "", lists joined by blanks.
  [[nodiscard]] std::string cell() const;

  /// JSON, indented by two blanks and ended by a line break; bytes that are no UTF-8 are replaced.
  [[nodiscard]] std::string json() const;
  /// JSON on one line without a line break.
  [[nodiscard]] std::string jsonLine() const;

  /// Reads JSON that comes from outside: at most `limit` octets, at most 64 levels. Numbers that are no 64-bit integer
  /// are refused.
  [[nodiscard]] static Result<Document> parse(std::string_view text, std::size_t limit);

 private:
  std::variant<std::nullptr_t, bool, std::int64_t, std::string, Array, Object> value_;
};

struct Document::Member {
  std::string name;
  Document value;
};

}  // namespace mailzone::cli
