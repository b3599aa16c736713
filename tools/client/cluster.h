// A cluster as the command line sees it: who leads what, and connections to them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/messages/metadata.h"
#include "tools/client/connection.h"

namespace millrace::tools {

// "host:port,host:port"; the port is 9092 when left out. Throws ClientError.
std::vector<Address> parse_addresses(std::string_view list);

class Cluster {
 public:
  Cluster(std::vector<Address> bootstrap, std::string client_id)
      : bootstrap_(std::move(bootstrap)), client_id_(std::move(client_id)) {}

  // A connection to any broker that answers.
  Task<BrokerConnection*> any();
  Task<BrokerConnection*> broker(BrokerId id);
  // A connection of the caller's own, for calls that wait long.
  Task<std::unique_ptr<BrokerConnection>> own_connection(BrokerId id);
  Task<BrokerId> coordinator(std::string group);

  // All topics when none are named. `create` lets the broker create what is missing.
  Task<protocol::MetadataResponse> metadata(std::optional<std::vector<std::string>> topics, bool create = false);
  // The topic once it has leaders; waits up to `timeout` for one that is being created. Throws ClientError.
  Task<protocol::MetadataResponseTopic> topic(std::string name, bool create, Millis timeout = std::chrono::seconds(20));
  const protocol::MetadataResponse& known() const { return known_; }

 private:
  Address address_of(BrokerId id) const;

  std::vector<Address> bootstrap_;
  std::string client_id_;
  std::unique_ptr<BrokerConnection> any_;
  std::map<BrokerId, std::unique_ptr<BrokerConnection>> brokers_;
  protocol::MetadataResponse known_;
};

// "Unknown topic or partition (UNKNOWN_TOPIC_OR_PARTITION)": for people and for searching.
std::string describe(ErrorCode error);

}  // namespace millrace::tools
