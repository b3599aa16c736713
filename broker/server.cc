#include "broker/server.h"

#include "broker/handlers/handlers.h"
#include "broker/logging.h"

namespace millrace::broker {

namespace {

// How long requests that are being answered may take once the broker stops.
constexpr std::chrono::seconds drain_time(5);

}  // namespace

Server::Server(ServerOptions options, std::vector<Shard*> shards)
    : options_(std::move(options)),
      broker_(options_.config, std::move(shards)),
      offsets_log_(broker_),
      groups_(offsets_log_, group_settings(broker_.config())),
      topics_(broker_, groups_),
      sql_(broker_.config(), topics_, topics_),
      group_services_{broker_.first_shard(), groups_, offsets_log_, finder_} {
  fill_dispatch();
}

Server::~Server() = default;

void Server::fill_dispatch() {
  add_api_versions(dispatch_, broker_);
  add_metadata(dispatch_, broker_);
  add_produce(dispatch_, broker_);
  add_fetch(dispatch_, broker_);
  add_offsets(dispatch_, broker_);
  add_producer_ids(dispatch_, broker_);
  add_topics(dispatch_, broker_);
  add_configs(dispatch_, broker_);
  add_cluster(dispatch_, broker_);
  add_security(dispatch_);
  finder_.add(CoordinatorType::group, [this](RequestContext context, std::string group) {
    return locate_group(std::move(context), std::move(group));
  });
  add_group_handlers(dispatch_, group_services_);
}

Task<Located> Server::locate_group(RequestContext context, std::string group) {
  auto ask = [this, &group] { return groups_.locate(group); };
  const std::expected<PartitionId, ErrorCode> partition = co_await on(broker_.first_shard(), std::move(ask));
  if (!partition) co_return Located{partition.error()};
  const Address& address = broker_.advertised(context.peer->listener);
  co_return Located{ErrorCode::none, broker_.id(), address.host, address.port};
}

// What was committed for it means nothing any more; without its own topic the coordinator has nothing at all.
Task<void> Server::topic_deleted(std::string name, int partitions) {
  if (name == groups::offsets_topic) {
    for (int i = 0; i < partitions; ++i) groups_.resign(PartitionId(i));
    co_return;
  }
  std::vector<std::string> names{name};
  co_await groups_.topics_deleted(std::move(names));
}

Task<void> Server::start() {
  log_info("Millrace " MILLRACE_VERSION " starting as node " + std::to_string(broker_.id().value));
  for (const std::string& line : broker_.config().report()) log_info("config " + line);
  co_await listen();
  sql_started_ = true;
  co_await sql_.listen();
  storage_ = co_await Storage::open(broker_.config(), options_.cluster_id);
  broker_.set_cluster_id(storage_->cluster_id());
  log_info("Cluster ID = " + storage_->cluster_id());
  controller_ = std::make_unique<Controller>(broker_, *storage_);
  controller_->on_topic_deleted(
      [this](std::string name, int partitions) { return topic_deleted(std::move(name), partitions); });
  controller_->on_storage_lost(options_.on_storage_lost);
  broker_.set_controller(controller_.get());
  controller_started_ = true;
  co_await controller_->start();
  groups_started_ = true;
  groups_.start();
  for (const Open& open : listeners_) accepting_.spawn(accept(open.listener.get(), open.name));
  for (const Endpoint& endpoint : broker_.advertised()) {
    log_info("Clients of " + endpoint.listener + " are told to connect to " + to_string(endpoint.address));
  }
  controller_->announce();
  sql_.start();
}

// Ports are taken before the storage is touched, so that a second broker on the same port fails at once and leaves
// nothing behind; connections wait in the backlog until they can be served.
Task<void> Server::listen() {
  std::vector<Endpoint> advertised = broker_.config().advertised();
  for (size_t i = 0; i < broker_.config().listeners().size(); ++i) {
    const Endpoint& endpoint = broker_.config().listeners()[i];
    Address address = endpoint.address;
    if (address.host == "0.0.0.0") address.host.clear();
    Open open;
    open.name = endpoint.listener;
    open.listener = co_await broker_.first_shard().net().listen(address);
    if (advertised[i].address.host.empty()) advertised[i].address.host = options_.host_name;
    if (advertised[i].address.port == 0) advertised[i].address.port = open.listener->local().port;
    log_info("Listening on " + endpoint.listener + "://" + to_string(open.listener->local()));
    listeners_.push_back(std::move(open));
  }
  broker_.set_advertised(std::move(advertised));
}

uint16_t Server::port(std::string_view listener) const {
  for (const Open& open : listeners_) {
    if (listener.empty() || open.name == listener) return open.listener->local().port;
  }
  check(false);
  return 0;
}

Task<void> Server::accept(Listener* listener, std::string name) {
  const auto most = static_cast<size_t>(broker_.config().number("max.connections"));
  const int64_t most_per_address = broker_.config().number("max.connections.per.ip");
  while (true) {
    std::unique_ptr<Connection> connection;
    try {
      connection = co_await listener->accept();
    } catch (const NetError&) {
      co_return;
    }
    const std::string host = connection->peer().host;
    if (sessions_.size() >= most || connections_from_[host] >= most_per_address) {
      log_warn("Too many connections; closing one from " + host);
      if (connections_from_[host] == 0) connections_from_.erase(host);
      connection->close();
      continue;
    }
    serving_.spawn(serve(std::move(connection), name));
  }
}

Task<void> Server::serve(std::unique_ptr<Connection> connection, std::string listener) {
  auto peer = std::make_shared<Peer>();
  peer->connection = ++last_connection_;
  peer->listener = std::move(listener);
  peer->address = connection->peer();
  const std::string host = peer->address.host;
  SessionLimits limits;
  limits.max_request_bytes = static_cast<int32_t>(broker_.config().number("socket.request.max.bytes"));
  limits.max_idle = broker_.config().millis("connections.max.idle.ms");
  Session session(std::move(connection), peer, dispatch_, limits);
  const auto place = sessions_.insert(sessions_.end(), &session);
  ++connections_from_[host];
  co_await session.run();
  sessions_.erase(place);
  usage_.add(*peer);
  session_ended_.notify();
  if (--connections_from_[host] == 0) connections_from_.erase(host);
}

Task<void> Server::stop() {
  if (stopped_) co_return;
  stopped_ = true;
  log_info("Shutting down");
  // Jobs write their last epoch while partitions still take it.
  if (sql_started_) co_await sql_.close();
  broker_.set_stopping();
  for (const Open& open : listeners_) open.listener->close();
  co_await accepting_.close();
  for (Session* session : sessions_) session->finish();
  // Whoever waits for records or for a group is answered now.
  for (Shard* shard : broker_.shards()) {
    auto wake = [this]() -> Task<void> {
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) partition->wake();
      co_return;
    };
    co_await on(*shard, std::move(wake));
  }
  if (groups_started_) co_await groups_.close();
  const MonoTime deadline = after(drain_time);
  while (!sessions_.empty() && now() < deadline) co_await session_ended_.wait(deadline);
  for (Session* session : sessions_) session->close();
  co_await serving_.close();
  if (controller_started_) {
    co_await controller_->stop();
  } else if (storage_) {
    co_await storage_->abandon();
  }
  for (const std::string& line : usage_.lines()) log_info(line);
  log_info("Stopped");
}

}  // namespace millrace::broker
