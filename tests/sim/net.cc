// The Net seam of a simulated shard.
#include "tests/sim/net.h"

#include "tests/sim/endpoint.h"
#include "tests/sim/file_part.h"
#include "tests/sim/shard.h"

namespace millrace::sim {

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

}  // namespace millrace::sim
