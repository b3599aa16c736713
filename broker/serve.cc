#include "broker/serve.h"

#include <cstdio>

#include "broker/logging.h"
#include "broker/server.h"
#include "runtime/real/world.h"

namespace millrace::broker {

namespace {

// What a broker without a file does: one node, everything under ./millrace-data, clients on this machine.
constexpr const char* embedded_default = R"(
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://:9092
advertised.listeners=PLAINTEXT://localhost:9092
controller.listener.names=CONTROLLER
controller.quorum.voters=1@localhost:9093
log.dirs=./millrace-data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
)";

Config read_config(const ServeOptions& options) {
  Properties properties = parse_properties(options.properties.value_or(embedded_default));
  Properties overrides;
  for (const std::string& item : options.overrides) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) throw ConfigError("--override wants key=value, not " + item);
    overrides[item.substr(0, equals)] = item.substr(equals + 1);
  }
  // Moving the embedded default to another port moves what it tells clients.
  if (!options.properties && overrides.contains("listeners") && !overrides.contains("advertised.listeners")) {
    properties.erase("advertised.listeners");
  }
  return Config(std::move(properties), overrides);
}

Task<int> run(real::World& world, const Config& config, const ServeOptions& options) {
  Event stop;
  bool stop_wanted = false;
  int status = 0;
  world.on_stop_signal([&] {
    stop_wanted = true;
    stop.notify();
  });
  ServerOptions server_options{config, options.host_name, options.cluster_id, [&] {
                                 log_error("Shutdown broker because its log dirs have failed");
                                 status = 1;
                                 stop_wanted = true;
                                 stop.notify();
                               }};
  Server server(std::move(server_options), world.shards());
  try {
    co_await server.start();
    while (!stop_wanted) co_await stop.wait();
  } catch (const std::exception& error) {
    log_error(std::string("Cannot serve: ") + error.what());
    status = 1;
  }
  try {
    co_await server.stop();
  } catch (const std::exception& error) {
    log_error(std::string("Stopping: ") + error.what());
    status = 1;
  }
  co_return status;
}

}  // namespace

int serve(const ServeOptions& options) {
  std::optional<Config> config;
  try {
    config.emplace(read_config(options));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "millrace serve: %s\n", error.what());
    return 1;
  }
  real::World world(static_cast<int>(config->number("millrace.shards")));
  return world.run([&](real::World& running) { return run(running, *config, options); });
}

}  // namespace millrace::broker
