#include "broker/broker.h"

namespace millrace::broker {

Broker::Broker(Config config, std::vector<Shard*> shards) : config_(std::move(config)), shards_(std::move(shards)) {
  for (size_t i = 0; i < shards_.size(); ++i) per_shard_.push_back(std::make_unique<PerShard>());
  durability_ =
      config_.text("millrace.ack.durability") == "written" ? log::Durability::written : log::Durability::durable;
}

Broker::PerShard& Broker::here() {
  if (shards_.size() == 1) return *per_shard_.front();
  const Shard& current = Shard::current();
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i] == &current) return *per_shard_[i];
  }
  check(false);
  return *per_shard_.front();
}

const Address& Broker::advertised(const std::string& listener) const {
  for (const Endpoint& endpoint : advertised_) {
    if (endpoint.listener == listener) return endpoint.address;
  }
  check(!advertised_.empty());
  return advertised_.front().address;
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

std::string topic_name_fault(std::string_view name) {
  if (name.empty()) return "Topic name is invalid: the empty string is not allowed";
  if (name == "." || name == "..") return "Topic name is invalid: '.' or '..' is not allowed";
  if (name.size() > 249) {
    return "Topic name is invalid: the length of '" + std::string(name) + "' is longer than the max allowed length 249";
  }
  for (const char c : name) {
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) {
      return "Topic name is invalid: '" + std::string(name) +
             "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
    }
  }
  return {};
}

}  // namespace millrace::broker
