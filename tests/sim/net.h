// Network: the simulated one. Every byte takes time, and tests can make it worse.
//
//   world.net().set_latency(50us, 2ms);
//   world.net().cut(a, b);            // nothing from a reaches b; what is sent waits, as TCP does, until heal()
//   world.net().partition({&a}, {&b, &c});
//   world.net().set_loss(100);        // one message in 100 is lost and sent again 200 ms later
//   world.net().reset_connections(a, b);
//
// A connection is two endpoints, each with a queue of messages on their way to the other (open, bytes, end, reset) that
// arrive in order. A sender has a window: bytes that its peer has not read yet. It is full, then write() waits.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "tests/sim/world.h"

namespace millrace::sim {

struct Endpoint;
struct ListeningPort;

class Network {
 public:
  explicit Network(World& world);
  ~Network();

  // How long a message takes, drawn evenly from this range.
  void set_latency(Duration least, Duration most);
  void set_window(size_t bytes) { window_ = bytes; }
  // One message in `one_in` is delayed by a retransmission; 0: none.
  void set_loss(uint64_t one_in) { loss_ = one_in; }
  // Nothing goes from `from` to `to` any more.
  void cut(Node& from, Node& to);
  void heal(Node& from, Node& to);
  // Both ways between each of `some` and each of `others`.
  void partition(const std::vector<Node*>& some, const std::vector<Node*>& others);
  void heal_all();
  // Both ends of every connection between the two see a reset; bytes under way are lost. Returns how many.
  int reset_connections(Node& a, Node& b);
  int connections() const;  // open ends

  // --- for the world and the seams ---
  World& world() { return world_; }
  size_t window() const { return window_; }
  void powered_off(Node& node);
  void powered_on(Node& node);
  void ended(Node& node);

 private:
  friend struct Endpoint;
  friend class SimNet;
  friend class SimListener;
  friend class SimConnection;

  bool blocked(const Node& from, const Node& to) const;
  Duration draw_latency();
  void pump_all();

  World& world_;
  Duration least_latency_ = std::chrono::microseconds(20);
  Duration most_latency_ = std::chrono::microseconds(500);
  size_t window_ = 256 << 10;
  uint64_t loss_ = 0;
  std::set<std::pair<int, int>> cuts_;
  uint64_t endpoints_made_ = 0;
  std::map<uint64_t, Endpoint*> endpoints_;                // all that exist
  std::map<uint64_t, std::shared_ptr<Endpoint>> sending_;  // those with messages under way
  std::map<std::pair<int, uint16_t>, std::shared_ptr<ListeningPort>> ports_;
  std::map<int, uint16_t> last_port_;
};

std::unique_ptr<Net> make_net(SimShard& shard, Network& network);

}  // namespace millrace::sim
