#include "broker/groups/consumer_protocol.h"

#include "protocol/record_batch.h"

namespace millrace::broker::groups {

std::optional<std::vector<std::string>> subscribed_topics(std::span<const std::byte> subscription) {
  size_t at = 0;
  const auto left = [&] { return subscription.size() - at; };
  if (left() < 6) return std::nullopt;
  if (protocol::load_big<int16_t>(subscription.data()) < 0) return std::nullopt;
  const int32_t count = protocol::load_big<int32_t>(subscription.data() + 2);
  at = 6;
  if (count < 0 || static_cast<size_t>(count) > left() / 2) return std::nullopt;
  std::vector<std::string> topics;
  topics.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    if (left() < 2) return std::nullopt;
    const int16_t length = protocol::load_big<int16_t>(subscription.data() + at);
    at += 2;
    if (length < 0 || static_cast<size_t>(length) > left()) return std::nullopt;
    topics.emplace_back(reinterpret_cast<const char*>(subscription.data() + at), static_cast<size_t>(length));
    at += static_cast<size_t>(length);
  }
  return topics;
}

}  // namespace millrace::broker::groups
