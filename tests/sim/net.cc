// Endpoints, their messages, and the Net seam of a simulated shard.
#include "tests/sim/net.h"

#include "runtime/event.h"
#include "tests/sim/file_part.h"
#include "tests/sim/shard.h"

namespace millrace::sim {

namespace {

constexpr Duration retransmission = std::chrono::milliseconds(200);

struct Message {
  enum class Kind : uint8_t { open, accept, bytes, end, reset, read };
  Kind kind;
  std::vector<Bytes> parts;  // bytes
  size_t size = 0;           // bytes; for read: how many the receiver has consumed
  MonoTime due{};
};

}  // namespace

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

  void send(Message message) {
    if (powerless) return;
    World& world = network.world();
    MonoTime due = world.now() + network.draw_latency();
    if (network.loss_ > 0 && world.random().one_in(network.loss_)) due += retransmission;
    last_due = message.due = std::max(due, last_due);
    under_way.push_back(std::move(message));
    network.sending_[id] = shared_from_this();
    world.at(due, [self = shared_from_this()] { self->deliver_due(); });
  }
  void send(Message::Kind kind, size_t size = 0) {
    Message message{kind, {}, size};
    send(std::move(message));
  }

  void deliver_due() {
    while (!under_way.empty() && under_way.front().due <= network.world().now()) {
      if (network.blocked(node, *peer_node)) return;  // until heal
      Message message = std::move(under_way.front());
      under_way.pop_front();
      network.world().mix_into_trace(id << 8 | static_cast<uint64_t>(message.kind));
      arrive(std::move(message));
    }
    if (under_way.empty()) network.sending_.erase(id);
  }

  void arrive(Message message);
  void take_open();

  void reset() {
    was_reset = true;
    under_way.clear();
    changed.notify();
  }
  void close() {
    if (closed) return;
    closed = true;
    // As the kernel: what the program has not read makes the close a reset.
    if (established && !was_reset) {
      if (received.empty()) {
        send(Message::Kind::end);
      } else {
        under_way.clear();
        send(Message::Kind::reset);
      }
    }
    received.clear();
    changed.notify();
  }
  void lose_power() {
    powerless = true;
    closed = true;
    under_way.clear();
    network.sending_.erase(id);
  }
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

void Endpoint::arrive(Message message) {
  using Kind = Message::Kind;
  if (message.kind == Kind::open) return take_open();
  const std::shared_ptr<Endpoint> to = other.lock();
  if (!to || to->closed) {
    // Nobody there any more. Only data provokes an answer.
    if (message.kind == Kind::bytes || message.kind == Kind::accept) {
      network.world().after(network.draw_latency(), [self = shared_from_this()] {
        if (!self->network.blocked(*self->peer_node, self->node)) self->reset();
      });
    }
    return;
  }
  switch (message.kind) {
    case Kind::accept:
      to->established = true;
      break;
    case Kind::bytes:
      for (Bytes& part : message.parts) to->received.push_back(std::move(part));
      break;
    case Kind::end:
      to->peer_finished = true;
      break;
    case Kind::reset:
      to->refused = !to->established;
      to->reset();
      break;
    case Kind::read:
      to->unread_by_peer -= message.size;
      break;
    case Kind::open:
      break;
  }
  to->changed.notify();
}

// A client's first message has reached the other computer.
void Endpoint::take_open() {
  const auto refuse = [this] {
    network.world().after(network.draw_latency(), [self = shared_from_this()] {
      if (self->closed || self->network.blocked(*self->peer_node, self->node)) return;
      self->refused = true;
      self->reset();
    });
  };
  const auto found = network.ports_.find({peer_node->index(), peer.port});
  if (found == network.ports_.end() || found->second->listeners == 0) return refuse();
  ListeningPort& port = *found->second;
  const std::shared_ptr<Endpoint> server = std::make_shared<Endpoint>(network, *peer_node);
  server->peer_node = &node;
  server->local = peer;
  server->peer = local;
  server->established = true;
  server->other = weak_from_this();
  other = server;
  server->send(Message::Kind::accept);
  port.waiting.push_back(server);
  port.arrived.notify();
}

class SimConnection final : public Connection {
 public:
  SimConnection(SimShard& shard, std::shared_ptr<Endpoint> end) : shard_(shard), end_(std::move(end)) {}
  ~SimConnection() override {
    check((!end_->reading && !end_->writing) || shard_.dropping());
    end_->close();
  }

  Task<size_t> read_some(std::span<std::byte> out, MonoTime deadline) override {
    check(&Shard::current() == &shard_);
    const std::shared_ptr<Endpoint> kept = end_;
    Endpoint& end = *kept;
    const Busy busy(end.reading);
    co_await something_to_read(end, deadline);
    if (end.received.empty() || out.empty()) co_return 0;
    if (end.closed) fail_if_unusable("read from", true);
    // Any cut is possible.
    size_t most = out.size();
    SeededRandom& random = end.network.world().random();
    if (random.one_in(4)) most = 1 + static_cast<size_t>(random.below(most));
    size_t got = 0;
    while (got < most && !end.received.empty()) {
      Bytes& first = end.received.front();
      const size_t count = std::min(most - got, first.size());
      std::memcpy(out.data() + got, first.data(), count);
      got += count;
      if (count == first.size()) {
        end.received.pop_front();
      } else {
        first = first.slice(count, first.size() - count);
      }
    }
    if (const std::shared_ptr<Endpoint> peer = end.other.lock()) {
      if (end.network.blocked(end.node, *end.peer_node)) {
        end.send(Message::Kind::read, got);
      } else {
        peer->unread_by_peer -= got;
        peer->changed.notify();
      }
    }
    co_return got;
  }

  Task<void> write(std::vector<Bytes> parts, MonoTime deadline) override {
    check(&Shard::current() == &shard_);
    const std::shared_ptr<Endpoint> kept = end_;
    Endpoint& end = *kept;
    const Busy busy(end.writing);
    size_t part = 0;
    size_t done = 0;  // bytes of `part`
    for (;;) {
      while (part < parts.size() && done == parts[part].size()) {
        ++part;
        done = 0;
      }
      if (part == parts.size()) co_return;
      fail_if_unusable("write to", false);
      const size_t window = end.network.window();
      size_t room = window - std::min(window, end.unread_by_peer);
      if (room == 0) {
        const bool in_time = co_await end.changed.wait(deadline);
        if (!in_time) throw NetError("write to " + to_string(end.peer) + ": timed out");
        continue;
      }
      Message message{Message::Kind::bytes, {}, 0};
      for (; part < parts.size() && room > 0; done = 0, ++part) {
        const size_t count = std::min(room, parts[part].size() - done);
        if (count > 0) message.parts.push_back(some_of(parts[part], done, count));
        message.size += count;
        room -= count;
        if (done + count < parts[part].size()) {
          done += count;
          break;
        }
      }
      end.unread_by_peer += message.size;
      end.send(std::move(message));
      if (end.network.world().random().one_in(8)) co_await yield();
    }
  }

  void close() override { end_->close(); }
  Address peer() const override { return end_->peer; }
  Address local() const override { return end_->local; }

 private:
  Bytes some_of(const Bytes& part, size_t from, size_t size) const {
    const auto* const file = static_cast<const FilePart*>(unread_part(part));
    if (!file) return part.slice(from, size);
    std::optional<Bytes> read = file->read(from, size);
    if (!read) {
      throw NetError("write to " + to_string(end_->peer) + ": a file ends before what was announced of it");
    }
    return std::move(*read);
  }

  struct Busy {
    explicit Busy(bool& flag_) : flag(flag_) {
      check(!flag);  // one at a time
      flag = true;
    }
    ~Busy() { flag = false; }
    bool& flag;
  };
  // Until something has come, or the peer has finished.
  Task<void> something_to_read(Endpoint& end, MonoTime deadline) {
    while (end.received.empty()) {
      fail_if_unusable("read from", true);
      if (end.peer_finished) co_return;
      const bool in_time = co_await end.changed.wait(deadline);
      if (!in_time && end.received.empty()) throw NetError("read from " + to_string(end.peer) + ": timed out");
    }
  }
  void fail_if_unusable(const char* doing, bool reading) const {
    const std::string what = std::string(doing) + " " + to_string(end_->peer) + ": ";
    if (end_->closed) throw NetError(what + "the connection is closed");
    if (end_->was_reset) throw NetError(what + (reading ? "Connection reset by peer" : "Broken pipe"));
  }

  SimShard& shard_;
  // Coroutines keep their own share: a crash destroys them and the connection in any order.
  const std::shared_ptr<Endpoint> end_;
};

class SimListener final : public Listener {
 public:
  SimListener(SimShard& shard, std::shared_ptr<ListeningPort> port) : shard_(shard), port_(std::move(port)) {
    ++port_->listeners;
  }
  ~SimListener() override {
    check(!accepting_ || shard_.dropping());
    close();
  }

  Task<std::unique_ptr<Connection>> accept() override {
    check(&Shard::current() == &shard_);
    check(!accepting_);
    accepting_ = true;
    // Several shards may listen: whoever is scheduled first takes it.
    while (!closed_ && port_->waiting.empty()) {
      const bool notified = co_await port_->arrived.wait();
      check(notified);
    }
    accepting_ = false;
    if (closed_) throw NetError("accept on " + to_string(port_->local) + ": the listener is closed");
    std::shared_ptr<Endpoint> end = std::move(port_->waiting.front());
    port_->waiting.pop_front();
    std::unique_ptr<Connection> connection = std::make_unique<SimConnection>(shard_, std::move(end));
    co_return connection;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    if (--port_->listeners == 0) {
      port_->close_all();
      auto& ports = shard_.node().world().net().ports_;
      const auto found = ports.find({shard_.node().index(), port_->local.port});
      if (found != ports.end() && found->second == port_) ports.erase(found);
    }
    port_->arrived.notify();
  }
  Address local() const override { return port_->local; }

 private:
  SimShard& shard_;
  const std::shared_ptr<ListeningPort> port_;
  bool accepting_ = false;
  bool closed_ = false;
};

class SimNet final : public Net {
 public:
  SimNet(SimShard& shard, Network& network) : shard_(shard), network_(network) {}

  Task<std::unique_ptr<Listener>> listen(Address address) override {
    const int node = shard_.node().index();
    if (!address.host.empty() && &resolve(address) != &shard_.node()) {
      throw NetError("listen on " + to_string(address) + ": Cannot assign requested address");
    }
    Address local = address;
    if (!address.host.empty()) local.host = canonical(address.host, shard_.node());
    if (local.port == 0) local.port = free_port(node);
    std::shared_ptr<ListeningPort>& port = network_.ports_[{node, local.port}];
    if (!port) {
      port = std::make_shared<ListeningPort>();
      port->local = local;
      port->hosts = {address.host, local.host};
    } else if (!port->hosts.contains(address.host)) {
      throw NetError("listen on " + to_string(address) + ": Address already in use");
    }
    std::unique_ptr<Listener> listener = std::make_unique<SimListener>(shard_, port);
    co_return listener;
  }

  Task<std::unique_ptr<Connection>> connect(Address address, MonoTime deadline) override {
    Node& node = shard_.node();
    Node& target = resolve(address);
    const std::shared_ptr<Endpoint> end = std::make_shared<Endpoint>(network_, node);
    end->peer_node = &target;
    const bool loopback = &target == &node;
    const std::string target_host = loopback ? canonical(address.host, node) : target.ip();
    end->peer = Address{target_host, address.port};
    end->local = Address{loopback ? target_host : node.ip(), free_port(node.index())};
    end->send(Message::Kind::open);
    while (!end->established) {
      if (end->refused || end->was_reset) {
        end->closed = true;
        throw NetError("connect to " + to_string(address) + ": Connection refused");
      }
      const bool in_time = co_await end->changed.wait(deadline);
      if (!in_time && !end->established) {
        end->closed = true;
        throw NetError("connect to " + to_string(address) + ": timed out");
      }
    }
    std::unique_ptr<Connection> connection = std::make_unique<SimConnection>(shard_, end);
    co_return connection;
  }

 private:
  static bool means_self(const std::string& host) {
    return host == "localhost" || host == "127.0.0.1" || host == "::1";
  }
  static std::string canonical(const std::string& host, const Node& node) {
    return means_self(host) ? "127.0.0.1" : node.ip();
  }
  Node& resolve(const Address& address) {
    if (means_self(address.host)) return shard_.node();
    for (const std::unique_ptr<Node>& node : network_.world().nodes()) {
      if (node->name() == address.host || node->ip() == address.host) return *node;
    }
    throw NetError("look up " + address.host + ": Name or service not known");
  }
  uint16_t free_port(int node) {
    uint16_t& last = network_.last_port_[node];
    do {
      last = last < 32768 || last == 60999 ? 32768 : static_cast<uint16_t>(last + 1);
    } while (network_.ports_.contains({node, last}));
    return last;
  }

  SimShard& shard_;
  Network& network_;
};

std::unique_ptr<Net> make_net(SimShard& shard, Network& network) { return std::make_unique<SimNet>(shard, network); }

// ---- what tests do to the network ----

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
