// Tag lists of RFC 6376 section 3.2 ("a=b; c=d"), which DKIM signatures and keys and DMARC records are written in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::mailauth {

struct Tag {
  std::string name;   ///< as written: names are case-sensitive
  std::string value;  ///< without white space around it; folding inside is kept
  friend bool operator==(const Tag&, const Tag&) = default;
};

class TagList {
 public:
  /// Duplicate names and malformed tags are errors; one final ";" is allowed. At most 64 KiB and 100 tags.
  [[nodiscard]] static Result<TagList> parse(std::string_view text);
  /// The value of a tag, or nothing when it is absent. An empty value is not an absent one.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<Tag>& tags() const noexcept { return tags_; }

 private:
  std::vector<Tag> tags_;
};

}  // namespace mailzone::mailauth
