#include "runtime/unread.h"

namespace millrace {

// What is in memory has an address, or no size.
Bytes unread_bytes(std::shared_ptr<const UnreadPart> part, size_t size) {
  return Bytes(std::move(part), {static_cast<const std::byte*>(nullptr), size});
}

const UnreadPart* unread_part(const Bytes& bytes) {
  if (bytes.data() != nullptr || bytes.empty()) return nullptr;
  return static_cast<const UnreadPart*>(bytes.owner().get());
}

}  // namespace millrace
