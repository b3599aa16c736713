#include "broker/config/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "protocol/check.h"

namespace millrace::broker {

namespace {

void require(bool holds, const std::string& text) {
  if (!holds) throw ConfigError("requirement failed: " + text);
}

std::string trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\n\r\f");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\n\r\f") - first + 1));
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

// NAME://host:port, host in brackets when it is an IPv6 literal.
Endpoint parse_endpoint(const std::string& text, std::string_view key) {
  const auto refuse = [&]() -> Endpoint {
    throw ConfigError("Error creating broker listeners from '" + text + "': Unable to parse " + text +
                      " to a broker endpoint for " + std::string(key));
  };
  const size_t slashes = text.find("://");
  const size_t colon = text.rfind(':');
  if (slashes == std::string::npos || colon == std::string::npos || colon < slashes + 3) return refuse();
  Endpoint endpoint;
  endpoint.listener = text.substr(0, slashes);
  std::ranges::transform(endpoint.listener, endpoint.listener.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string host = text.substr(slashes + 3, colon - slashes - 3);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  int port = 0;
  const char* first = text.data() + colon + 1;
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535) return refuse();
  endpoint.address = {std::move(host), static_cast<uint16_t>(port)};
  return endpoint;
}

std::vector<Endpoint> parse_endpoints(const std::string& value, std::string_view key) {
  std::vector<Endpoint> endpoints;
  for (const std::string& item : split_list(value)) {
    Endpoint endpoint = parse_endpoint(item, key);
    for (const Endpoint& other : endpoints) {
      require(other.listener != endpoint.listener,
              "Each listener must have a different name, " + std::string(key) + ": " + value);
      require(other.address.port != endpoint.address.port || endpoint.address.port == 0 || key != "listeners",
              "Each listener must have a different port, " + std::string(key) + ": " + value);
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

}  // namespace

Config::Config(Properties properties, const Properties& overrides) : given_(std::move(properties)) {
  for (const auto& [key, value] : overrides) given_[key] = value;
  for (auto& [key, value] : given_) value = trim(value);
  check_values();
  read_roles();
  read_listeners();
  read_log_dirs();
}

std::optional<std::string> Config::value(std::string_view key) const {
  if (const auto given = given_.find(key); given != given_.end()) return given->second;
  const ConfigKey* known = find_broker_key(key);
  if (known == nullptr || known->fallback == nullptr) return std::nullopt;
  return known->fallback;
}

std::string Config::text(std::string_view key) const { return value(key).value_or(""); }

int64_t Config::number(std::string_view key) const {
  const std::optional<std::string> text = value(key);
  check(text.has_value());
  return std::strtoll(text->c_str(), nullptr, 10);
}

double Config::real(std::string_view key) const { return std::strtod(text(key).c_str(), nullptr); }

bool Config::flag(std::string_view key) const {
  const std::string value = text(key);
  return value.size() == 4 && (value[0] == 't' || value[0] == 'T');
}

std::vector<std::string> Config::list(std::string_view key) const { return split_list(text(key)); }

void Config::check_values() const {
  for (const auto& [key, value] : given_) {
    const ConfigKey* known = find_broker_key(key);
    if (known != nullptr) validate_value(key, known->type, known->allowed, value);
  }
  const std::string authorizer = text("authorizer.class.name");
  if (!authorizer.empty()) {
    // Starting without a policy that was asked for would open the cluster to everybody.
    const bool everyone = authorizer == "org.apache.kafka.metadata.authorizer.StandardAuthorizer" &&
                          given_.contains("allow.everyone.if.no.acl.found") &&
                          given_.at("allow.everyone.if.no.acl.found") == "true";
    if (!everyone) {
      throw ConfigError("Invalid value " + authorizer +
                        " for configuration authorizer.class.name: this version of Millrace keeps no ACLs; only "
                        "StandardAuthorizer with allow.everyone.if.no.acl.found=true can be started.");
    }
  }
  require(number("replica.fetch.wait.max.ms") <= number("replica.socket.timeout.ms"),
          "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket "
          "timeouts");
  require(number("replica.fetch.wait.max.ms") <= number("replica.lag.time.max.ms"),
          "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent "
          "frequent changes in ISR");
  require(number("group.min.session.timeout.ms") <= number("group.max.session.timeout.ms"),
          "group.min.session.timeout.ms should be less than or equal to group.max.session.timeout.ms");
}

void Config::read_roles() {
  const std::vector<std::string> roles = list("process.roles");
  if (roles.empty()) {
    throw ConfigError("Missing required configuration \"process.roles\" which has no default value.");
  }
  if (!is_given("node.id") && !is_given("broker.id")) {
    throw ConfigError("Missing required configuration \"node.id\" which has no default value.");
  }
  node_id_ = BrokerId(static_cast<int32_t>(number(is_given("node.id") ? "node.id" : "broker.id")));
  if (is_given("node.id") && is_given("broker.id") && number("broker.id") != -1) {
    if (number("broker.id") != node_id_.value) {
      throw ConfigError("You must set `node.id` to the same value as `broker.id`.");
    }
  }
  if (!contains(roles, "broker") || !contains(roles, "controller")) {
    throw ConfigError("Invalid value " + text("process.roles") +
                      " for configuration process.roles: this version of Millrace runs as one combined node; "
                      "set process.roles=broker,controller.");
  }
  const std::vector<std::string> voters = list("controller.quorum.voters");
  static_quorum_ = !voters.empty();
  if (voters.empty() && list("controller.quorum.bootstrap.servers").empty()) {
    throw ConfigError(
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap "
        "controllers or controller.quorum.voters must contain a parseable set of controllers.");
  }
  if (!voters.empty()) {
    std::vector<std::string> ids;
    for (const std::string& voter : voters) ids.push_back(voter.substr(0, voter.find('@')));
    require(contains(ids, std::to_string(node_id_.value)),
            "If process.roles contains the 'controller' role, the node id " + std::to_string(node_id_.value) +
                " must be included in the set of voters controller.quorum.voters=" + text("controller.quorum.voters"));
    if (ids.size() > 1) {
      throw ConfigError("Invalid value " + text("controller.quorum.voters") +
                        " for configuration controller.quorum.voters: this version of Millrace runs as one node.");
    }
  }
}

void Config::read_listeners() {
  const std::vector<std::string> controllers = list("controller.listener.names");
  require(!controllers.empty(),
          "controller.listener.names must contain at least one value when running KRaft with the controller role");
  std::vector<std::pair<std::string, std::string>> protocols;
  for (const std::string& entry : list("listener.security.protocol.map")) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos) throw ConfigError("Error parsing listener security protocol map: " + entry);
    protocols.emplace_back(entry.substr(0, colon), entry.substr(colon + 1));
  }
  const auto protocol_of = [&](const std::string& listener) -> std::string {
    for (const auto& [name, protocol] : protocols) {
      if (name == listener) return protocol;
    }
    // Kafka, too, gives the controller's listener PLAINTEXT when nothing else is said.
    if (!is_given("listener.security.protocol.map") && contains(controllers, listener)) return "PLAINTEXT";
    throw ConfigError("No security protocol defined for listener " + listener);
  };

  std::vector<Endpoint> all = parse_endpoints(text("listeners"), "listeners");
  for (Endpoint& endpoint : all) {
    endpoint.protocol = protocol_of(endpoint.listener);
    if (contains(controllers, endpoint.listener)) {
      controller_listeners_.push_back(endpoint);
    } else {
      if (endpoint.protocol != "PLAINTEXT") {
        throw ConfigError("Listener " + endpoint.listener + " uses " + endpoint.protocol +
                          ", which this version of Millrace does not speak; use PLAINTEXT.");
      }
      listeners_.push_back(endpoint);
    }
  }
  const bool advertises = is_given("advertised.listeners") && !text("advertised.listeners").empty();
  std::vector<Endpoint> advertised =
      advertises ? parse_endpoints(text("advertised.listeners"), "advertised.listeners") : listeners_;
  std::erase_if(advertised, [&](const Endpoint& e) { return contains(controllers, e.listener); });
  require(!listeners_.empty() && !advertised.empty(),
          "There must be at least one broker advertised listener. Perhaps all listeners appear in "
          "controller.listener.names?");
  for (Endpoint& endpoint : advertised) {
    require(!advertises || endpoint.address.host != "0.0.0.0",
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.");
    if (!advertises && endpoint.address.host == "0.0.0.0") endpoint.address.host.clear();
    endpoint.protocol = protocol_of(endpoint.listener);
    require(
        std::ranges::find(listeners_, endpoint.listener, &Endpoint::listener) != listeners_.end(),
        "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found " +
            endpoint.listener + ".");
  }
  // One for each listener, in that order: a listener that is not advertised answers with the first that is.
  for (const Endpoint& listener : listeners_) {
    const auto same = std::ranges::find(advertised, listener.listener, &Endpoint::listener);
    Endpoint endpoint = same != advertised.end() ? *same : advertised.front();
    endpoint.listener = listener.listener;
    advertised_.push_back(std::move(endpoint));
  }
  if (const std::string inter = text("inter.broker.listener.name"); !inter.empty()) {
    std::string options;
    for (const Endpoint& e : advertised) options += (options.empty() ? "" : ",") + e.listener;
    require(std::ranges::find(advertised, inter, &Endpoint::listener) != advertised.end(),
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options "
            "based on currently configured listeners are " +
                options);
  }
}

void Config::read_log_dirs() {
  log_dirs_ = list(is_given("log.dirs") && !text("log.dirs").empty() ? "log.dirs" : "log.dir");
  require(!log_dirs_.empty(), "At least one log directory must be defined via log.dirs or log.dir.");
  for (std::string& dir : log_dirs_) {
    while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
  }
  metadata_dir_ = text("metadata.log.dir").empty() ? log_dirs_.front() : text("metadata.log.dir");
}

std::vector<std::string> Config::report() const {
  std::vector<std::string> lines;
  for (const auto& [key, value] : given_) {
    if (key.starts_with("listener.name.")) continue;
    const ConfigKey* known = find_broker_key(key);
    if (known == nullptr) {
      lines.push_back(key + ": unknown, accepted");
    } else if (known->tier == Tier::ignored) {
      lines.push_back(key + ": has no meaning in Millrace, ignored");
    } else if (known->tier == Tier::later) {
      lines.push_back(key + ": accepted, not in effect in this version");
    }
  }
  return lines;
}

}  // namespace millrace::broker
