#include "runtime/unread.h"

#include "runtime/disk.h"

namespace millrace {

Bytes unread(File& file, int64_t at, size_t size) {
  auto* const source = dynamic_cast<UnreadSource*>(&file);
  return source && size > 0 ? source->unread(at, size) : Bytes();
}

// What is in memory has an address, or no size.
Bytes unread_bytes(std::shared_ptr<const UnreadPart> part, size_t size) {
  return Bytes(std::move(part), {static_cast<const std::byte*>(nullptr), size});
}

const UnreadPart* unread_part(const Bytes& bytes) {
  if (bytes.data() != nullptr || bytes.empty()) return nullptr;
  return static_cast<const UnreadPart*>(bytes.owner().get());
}

}  // namespace millrace
