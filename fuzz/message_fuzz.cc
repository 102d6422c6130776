// Messages: the fields and the body are the octets that came, and an author is one mailbox with a real domain.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mailauth/message.h"

using namespace mailzone;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto message = mailauth::splitMessage(text)) {
    std::string again;
    for (const auto& field : message->fields) {
      require(!field.name.empty() && field.raw.size() >= field.name.size() + field.value.size() + 3);
      again += field.raw;
    }
    require(text.substr(0, again.size()) == again);
    const auto rest = text.substr(again.size());
    require(rest.empty() ? message->body.empty() : rest == "\r\n" + std::string(message->body));
    if (const auto author = mailauth::soleAuthor(*message)) {
      require(message->named("from").size() == 1 && author->domain.labelCount() >= 2);
    }
  }
  if (const auto list = mailauth::parseMailboxList(text)) require(!list->empty() && list->size() <= 100);
  return 0;
}
