// What tests do to the network, and what the ends of nodes do to it.
#include "tests/sim/endpoint.h"
#include "tests/sim/net.h"

namespace millrace::sim {

Network::Network(World& world) : world_(world) {}

Network::~Network() {
  ports_.clear();
  sending_.clear();
  check(endpoints_.empty());
}

void Network::set_latency(Duration least, Duration most) {
  check(least <= most);
  least_latency_ = least;
  most_latency_ = most;
}

Duration Network::draw_latency() {
  return Duration(world_.random().between(least_latency_.count(), most_latency_.count()));
}

bool Network::blocked(const Node& from, const Node& to) const {
  return !from.powered() || !to.powered() || cuts_.contains({from.index(), to.index()});
}

void Network::cut(Node& from, Node& to) { cuts_.insert({from.index(), to.index()}); }

void Network::heal(Node& from, Node& to) {
  cuts_.erase({from.index(), to.index()});
  pump_all();
}

void Network::partition(const std::vector<Node*>& some, const std::vector<Node*>& others) {
  for (Node* a : some) {
    for (Node* b : others) {
      cut(*a, *b);
      cut(*b, *a);
    }
  }
}

void Network::heal_all() {
  cuts_.clear();
  pump_all();
}

// What waited is sent again, some time after the way is free.
void Network::pump_all() {
  for (const auto& [id, endpoint] : sending_) {
    const Duration wait(world_.random().between(0, retransmission.count()));
    world_.after(wait, [endpoint] { endpoint->deliver_due(); });
  }
}

int Network::reset_connections(Node& a, Node& b) {
  int count = 0;
  const std::map<uint64_t, Endpoint*> all = endpoints_;
  for (const auto& [id, endpoint] : all) {
    const bool between =
        (&endpoint->node == &a && endpoint->peer_node == &b) || (&endpoint->node == &b && endpoint->peer_node == &a);
    if (!between || endpoint->closed || endpoint->was_reset || !endpoint->established) continue;
    endpoint->reset();
    ++count;
  }
  return (count + 1) / 2;
}

int Network::connections() const {
  int open = 0;
  for (const auto& [id, endpoint] : endpoints_) {
    if (endpoint->established && !endpoint->closed && !endpoint->was_reset) ++open;
  }
  return open;
}

void Network::powered_off(Node& node) {
  std::vector<std::shared_ptr<Endpoint>> all;
  for (const auto& [id, endpoint] : endpoints_) {
    if (&endpoint->node == &node) all.push_back(endpoint->shared_from_this());
  }
  for (const std::shared_ptr<Endpoint>& endpoint : all) endpoint->lose_power();
  for (auto& [where, port] : ports_) {
    if (where.first == node.index()) port->waiting.clear();
  }
}

void Network::powered_on(Node& node) {
  (void)node;
  pump_all();
}

// The process is gone: the kernel closes what it left.
void Network::ended(Node& node) {
  std::vector<std::shared_ptr<Endpoint>> all;
  for (const auto& [id, endpoint] : endpoints_) {
    if (&endpoint->node == &node) all.push_back(endpoint->shared_from_this());
  }
  for (const std::shared_ptr<Endpoint>& endpoint : all) endpoint->close();
  std::erase_if(ports_, [&](const auto& entry) { return entry.first.first == node.index(); });
}

}  // namespace millrace::sim
