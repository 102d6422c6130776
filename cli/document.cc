#include "cli/document.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace mailzone::cli {
namespace {

constexpr int kMaxDepth = 64;
using Json = nlohmann::ordered_json;

Json toJson(const Document& document) {
  if (document.isNull()) return nullptr;
  if (const bool* flag = document.flag()) return *flag;
  if (const std::int64_t* number = document.number()) return *number;
  if (const std::string* text = document.text()) return *text;
  if (const Document::Array* array = document.array()) {
    Json json = Json::array();
    for (const Document& each : *array) json.push_back(toJson(each));
    return json;
  }
  Json json = Json::object();
  for (const Document::Member& member : *document.members()) json[member.name] = toJson(member.value);
  return json;
}

Result<Document> fromJson(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return Document();
    case Json::value_t::boolean:
      return Document(json.get<bool>());
    case Json::value_t::number_integer:
      return Document(json.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) break;
      return Document(json.get<std::int64_t>());
    case Json::value_t::string:
      return Document(json.get<std::string>());
    case Json::value_t::array: {
      Document document{Document::Array{}};
      for (const Json& each : json) {
        auto value = fromJson(each);
        if (!value) return value;
        document.push(std::move(*value));
      }
      return document;
    }
    case Json::value_t::object: {
      Document document = Document::object();
      for (const auto& [name, each] : json.items()) {
        auto value = fromJson(each);
        if (!value) return value;
        document.set(name, std::move(*value));
      }
      return document;
    }
    case Json::value_t::number_float:
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  return fail(Errc::invalidInput, json.dump(-1, ' ', true, Json::error_handler_t::replace), "not a 64-bit whole number",
              "write a whole number or a text");
}

}  // namespace

Document::Document() : value_(nullptr) {}
Document::Document(std::nullptr_t) : value_(nullptr) {}
Document::Document(bool flag) : value_(flag) {}
Document::Document(std::int64_t number) : value_(number) {}
Document::Document(int number) : value_(std::int64_t{number}) {}
Document::Document(std::string text) : value_(std::move(text)) {}
Document::Document(std::string_view text) : value_(std::string(text)) {}
Document::Document(const char* text) : value_(std::string(text)) {}
Document::Document(Array array) : value_(std::move(array)) {}
Document::Document(const std::vector<std::string>& texts) : value_(Array(texts.begin(), texts.end())) {}
Document::Document(const Document& other) = default;
Document::Document(Document&& other) noexcept = default;
Document& Document::operator=(const Document& other) = default;
Document& Document::operator=(Document&& other) noexcept = default;
Document::~Document() = default;

bool Document::isNull() const noexcept {
  return std::holds_alternative<std::nullptr_t>(value_);
}
const std::string* Document::text() const noexcept {
  return std::get_if<std::string>(&value_);
}
const std::int64_t* Document::number() const noexcept {
  return std::get_if<std::int64_t>(&value_);
}
const bool* Document::flag() const noexcept {
  return std::get_if<bool>(&value_);
}
const Document::Array* Document::array() const noexcept {
  return std::get_if<Array>(&value_);
}
const Document::Object* Document::members() const noexcept {
  return std::get_if<Object>(&value_);
}

Document Document::object() {
  Document document;
  document.value_ = Object{};
  return document;
}

Document Document::orNull(const std::string& text) {
  return text.empty() ? Document() : Document(text);
}

Document& Document::set(std::string_view name, Document value) {
  auto& members = std::get<Object>(value_);
  const auto at = std::find_if(members.begin(), members.end(), [&](const Member& each) { return each.name == name; });
  if (at != members.end()) {
    at->value = std::move(value);
  } else {
    members.push_back({std::string(name), std::move(value)});
  }
  return *this;
}

void Document::push(Document value) {
  std::get<Array>(value_).push_back(std::move(value));
}

const Document* Document::find(std::string_view name) const noexcept {
  const Object* object = members();
  if (object == nullptr) return nullptr;
  const auto at = std::find_if(object->begin(), object->end(), [&](const Member& each) { return each.name == name; });
  return at == object->end() ? nullptr : &at->value;
}

std::string Document::cell() const {
  if (const bool* yes = flag()) return *yes ? "yes" : "no";
  if (const std::int64_t* count = number()) return std::to_string(*count);
  if (const std::string* word = text()) return word->empty() ? "-" : *word;
  if (const Array* list = array()) {
    std::string all;
    for (const Document& each : *list) all += (all.empty() ? "" : " ") + each.cell();
    return all.empty() ? "-" : all;
  }
  return "-";
}

std::string Document::json() const {
  return toJson(*this).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Document::jsonLine() const {
  return toJson(*this).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Document> Document::parse(std::string_view text, std::size_t limit) {
  if (text.size() > limit) {
    return fail(Errc::limitExceeded, text.substr(0, 40), "longer than " + std::to_string(limit) + " octets",
                "split it");
  }
  bool tooDeep = false;
  const Json::parser_callback_t depth = [&](int level, Json::parse_event_t, const Json&) {
    if (level > kMaxDepth) tooDeep = true;
    return !tooDeep;
  };
  const Json json = Json::parse(text, depth, false);
  if (tooDeep) return fail(Errc::limitExceeded, text.substr(0, 40), "nested deeper than 64 levels", "flatten it");
  if (json.is_discarded()) return fail(Errc::invalidInput, text.substr(0, 80), "not JSON", "correct it");
  return fromJson(json);
}

}  // namespace mailzone::cli
