#include "mailauth/tag_list.h"

#include <algorithm>

#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kMaxTags = 100;

bool isTagName(std::string_view name) noexcept {
  return !name.empty() && isAlpha(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return isAlnum(c) || c == '_'; });
}

// tval is visible ASCII but ";"; octets above are U-labels (RFC 8616 section 5), white space is folding.
bool isTagValue(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return isFws(c) || (byte > 0x20 && byte != 0x7f);
  });
}

}  // namespace

Result<TagList> TagList::parse(std::string_view text) {
  if (text.size() > kMaxText) {
    return fail(Errc::limitExceeded, text.substr(0, 40), "a tag list has at most 65536 octets");
  }
  TagList list;
  auto parts = split(text, ';');
  if (parts.size() > 1 && trim(parts.back()).empty())
    parts.pop_back();  // tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
  if (parts.size() > kMaxTags) return fail(Errc::limitExceeded, text.substr(0, 40), "a tag list has at most 100 tags");
  for (const auto part : parts) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return fail(Errc::invalidInput, part, "a tag is written NAME=VALUE");
    const auto name = trim(part.substr(0, equals));
    const auto value = trim(part.substr(equals + 1));
    if (!isTagName(name)) return fail(Errc::invalidInput, name, "not the name of a tag (RFC 6376 section 3.2)");
    if (!isTagValue(value)) return fail(Errc::invalidInput, value, "a tag's value holds no control characters");
    if (list.find(name)) return fail(Errc::invalidInput, name, "the tag stands twice (RFC 6376 section 3.2)");
    list.tags_.push_back({std::string(name), std::string(value)});
  }
  return list;
}

std::optional<std::string_view> TagList::find(std::string_view name) const noexcept {
  for (const auto& tag : tags_) {
    if (tag.name == name) return tag.value;
  }
  return std::nullopt;
}

}  // namespace mailzone::mailauth
