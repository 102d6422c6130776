#include "backend/source_id.h"

#include <array>

#include "backend/bytes.h"

namespace mailzone::backend {
namespace {
constexpr std::array<std::string_view, 6> kWords = {"static", "zone", "platform", "pool", "domain", "departed"};
}

std::string SourceId::key() const {
  std::string out(1, static_cast<char>(kind));
  appendBigEndian(out, static_cast<std::uint64_t>(id));
  return out;
}

Result<SourceId> SourceId::fromKey(std::string_view key) {
  if (key.size() != 9 || static_cast<unsigned char>(key[0]) >= kWords.size()) {
    return fail(Errc::corrupt, key, "not the key of a source");
  }
  return SourceId{static_cast<SourceKind>(key[0]),
                  static_cast<std::int64_t>(readBigEndian<std::uint64_t>(key.substr(1)))};
}

std::string SourceId::text() const {
  return std::string(kWords[static_cast<std::size_t>(kind)]) + ':' + std::to_string(id);
}

}  // namespace mailzone::backend
