// Server: the broker, whole: storage, controller, coordinators, listeners and sessions, started and stopped in order.
//
// Built from shards alone, so that the simulator runs it as production does. Made, started and stopped on shard 0.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/api_usage.h"
#include "broker/broker.h"
#include "broker/controller.h"
#include "broker/dispatch.h"
#include "broker/gateway/service.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/group_handlers.h"
#include "broker/offsets_log.h"
#include "broker/session.h"
#include "broker/storage.h"
#include "broker/topic_ports.h"
#include "runtime/gate.h"

namespace millrace::broker {

struct ServerOptions {
  Config config;
  // What to advertise where a listener names no host.
  std::string host_name = "localhost";
  // Used when the storage is formatted; a random one otherwise.
  std::optional<std::string> cluster_id;
  // No log directory is left, or not the one with the metadata: whoever runs the server should stop it.
  std::function<void()> on_storage_lost;
};

class Server {
 public:
  Server(ServerOptions options, std::vector<Shard*> shards);
  ~Server();
  Server(const Server&) = delete;

  // Returns once clients are served. Throws StorageError, ConfigError, NetError, DiskError, …; then call stop() all
  // the same.
  Task<void> start();
  // Stops accepting, finishes what is being answered, closes the logs cleanly. Safe to call twice.
  Task<void> stop();

  Broker& broker() { return broker_; }
  Controller& controller() { return *controller_; }
  const Dispatch& dispatch() const { return dispatch_; }
  Dispatch& dispatch() { return dispatch_; }
  groups::GroupCoordinator& groups() { return groups_; }
  // What jobs read and write through.
  TopicPorts& topics() { return topics_; }
  gateway::SqlService& sql() { return sql_; }
  // The port in use; of the first listener unless named.
  uint16_t port(std::string_view listener = {}) const;

 private:
  Task<void> listen();
  Task<void> accept(Listener* listener, std::string name);
  Task<void> serve(std::unique_ptr<Connection> connection, std::string listener);
  void fill_dispatch();
  Task<Located> locate_group(RequestContext context, std::string group);
  Task<void> topic_deleted(std::string name, int partitions);

  struct Open {
    std::string name;
    std::unique_ptr<Listener> listener;
  };

  ServerOptions options_;
  Broker broker_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Controller> controller_;
  PartitionOffsetsLog offsets_log_;
  groups::GroupCoordinator groups_;
  TopicPorts topics_;
  gateway::SqlService sql_;
  CoordinatorFinder finder_;
  GroupServices group_services_;
  Dispatch dispatch_;
  std::vector<Open> listeners_;
  std::list<Session*> sessions_;
  Event session_ended_;
  ApiUsage usage_;
  uint64_t last_connection_ = 0;
  std::map<std::string, int> connections_from_;
  Gate accepting_;
  Gate serving_;
  bool controller_started_ = false;
  bool groups_started_ = false;
  bool sql_started_ = false;
  bool stopped_ = false;
};

}  // namespace millrace::broker
