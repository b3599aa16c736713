// Collecting and wording the APIs that clients used.
#include "broker/api_usage.h"

#include "protocol/registry.h"

namespace millrace::broker {

void ApiUsage::add(const Peer& peer) {
  const bool named = peer.software_name != "unknown";
  const std::string client =
      named ? peer.software_name + " " + peer.software_version : "client id '" + peer.client_id + "'";
  if (!by_client_.contains(client) && by_client_.size() >= most_clients) return;
  by_client_[client].insert(peer.used.begin(), peer.used.end());
}

std::vector<std::string> ApiUsage::lines() const {
  std::vector<std::string> lines;
  for (const auto& [client, used] : by_client_) {
    std::string line = client + " used";
    for (const ApiVersion& api : used) {
      const protocol::MessageInfo* info = protocol::find_message(protocol::MessageKind::request, api.key);
      std::string_view name = info == nullptr ? "?" : info->name;
      if (name.ends_with("Request")) name.remove_suffix(7);
      line += (line.ends_with(" used") ? " " : ", ") + std::string(name) + " " + std::to_string(api.version);
    }
    if (!used.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace millrace::broker
