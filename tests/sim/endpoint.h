// The ends of simulated connections, and what is under way between them. Only the simulated network knows them.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/event.h"
#include "tests/sim/net.h"
#include "tests/sim/world.h"

namespace millrace::sim {

// After which a lost packet is sent again.
inline constexpr Duration retransmission = std::chrono::milliseconds(200);

struct Message {
  enum class Kind : uint8_t { open, accept, bytes, end, reset, read };
  Kind kind;
  std::vector<Bytes> parts;  // bytes
  size_t size = 0;           // bytes; for read: how many the receiver has consumed
  MonoTime due{};
};

// One end of a connection. Lives while its Connection does, or messages of it are under way.
struct Endpoint : std::enable_shared_from_this<Endpoint> {
  Network& network;
  Node& node;
  const uint64_t id;
  Address local;
  Address peer;
  Node* peer_node = nullptr;
  std::weak_ptr<Endpoint> other;
  uint16_t port_wanted = 0;

  std::deque<Message> under_way;  // to the other end, in order
  MonoTime last_due{};
  size_t unread_by_peer = 0;

  std::deque<Bytes> received;
  bool established = false;
  bool peer_finished = false;
  bool was_reset = false;
  bool refused = false;
  bool closed = false;  // by this side
  bool reading = false;
  bool writing = false;
  bool powerless = false;  // its computer has lost it: says nothing, answers with a reset
  Event changed;

  Endpoint(Network& network_, Node& node_) : network(network_), node(node_), id(++network_.endpoints_made_) {
    network.endpoints_[id] = this;
  }
  ~Endpoint() { network.endpoints_.erase(id); }

  void send(Message message);
  void send(Message::Kind kind, size_t size = 0);
  void deliver_due();
  void arrive(Message message);
  void take_open();
  void reset();
  void close();
  void lose_power();
};

// A port of a node: the listeners of its shards, and the connections nobody has accepted yet.
struct ListeningPort {
  std::set<std::string> hosts;  // the names it may be shared under
  Address local;
  int listeners = 0;
  std::deque<std::shared_ptr<Endpoint>> waiting;
  Event arrived;

  void close_all() {
    for (const std::shared_ptr<Endpoint>& endpoint : waiting) endpoint->close();
    waiting.clear();
  }
};

}  // namespace millrace::sim
