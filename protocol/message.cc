#include "protocol/message.h"

#include <algorithm>
#include <string>

#include "protocol/registry.h"
#include "protocol/writer.h"

namespace millrace::protocol {

size_t Records::size() const {
  size_t total = 0;
  for (const Bytes& piece : pieces) total += piece.size();
  return total;
}

Bytes Records::whole() const {
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return pieces.front();
  std::vector<std::byte> joined;
  joined.reserve(size());
  for (const Bytes& piece : pieces) joined.insert(joined.end(), piece.span().begin(), piece.span().end());
  return Bytes::take(std::move(joined));
}

bool operator==(const Records& a, const Records& b) { return a.size() == b.size() && a.whole() == b.whole(); }

namespace generated {

void not_in_version(std::string_view field, int16_t version) {
  throw CannotEncode(std::string(field) + " is set, which version " + std::to_string(version) + " does not carry");
}
void null_in_version(std::string_view field, int16_t version) {
  throw CannotEncode(std::string(field) + " is null, which it cannot be in version " + std::to_string(version));
}
void no_version(std::string_view message, int16_t version) {
  throw CannotEncode(std::string(message) + " has no version " + std::to_string(version));
}
int32_t narrow(Millis duration) {
  return static_cast<int32_t>(std::clamp<int64_t>(duration.count(), INT32_MIN, INT32_MAX));
}

}  // namespace generated

std::span<const MessageInfo> all_messages() { return {generated::messages, generated::message_count}; }

const MessageInfo* find_message(MessageKind kind, int16_t key) {
  for (const MessageInfo& message : all_messages())
    if (message.kind == kind && message.key == key) return &message;
  return nullptr;
}

const MessageInfo* find_message(std::string_view name) {
  for (const MessageInfo& message : all_messages())
    if (message.name == name) return &message;
  return nullptr;
}

}  // namespace millrace::protocol
