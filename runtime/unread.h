// Bytes that stay in their file until a connection sends them, so that nobody copies them in between.
//
//   Bytes part = file.unread(at, size);           a size, and nothing to look at
//   connection.write({head, part});               takes them from the file, as it is then
//
// Only for what nobody will cut off or write again; removing the file does no harm. Should the file be too short by
// then, the connection ends with NetError.
#pragma once

#include <memory>

#include "protocol/bytes.h"

namespace millrace {

// Where such bytes are. Only the adapter that made it and its connections know more.
class UnreadPart {
 public:
  virtual ~UnreadPart() = default;
};

Bytes unread_bytes(std::shared_ptr<const UnreadPart> part, size_t size);
// Null when they are in memory.
const UnreadPart* unread_part(const Bytes& bytes);

}  // namespace millrace
