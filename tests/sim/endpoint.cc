#include "tests/sim/endpoint.h"

namespace millrace::sim {

void Endpoint::send(Message message) {
  if (powerless) return;
  World& world = network.world();
  MonoTime due = world.now() + network.draw_latency();
  if (network.loss_ > 0 && world.random().one_in(network.loss_)) due += retransmission;
  last_due = message.due = std::max(due, last_due);
  under_way.push_back(std::move(message));
  network.sending_[id] = shared_from_this();
  world.at(due, [self = shared_from_this()] { self->deliver_due(); });
}

void Endpoint::send(Message::Kind kind, size_t size) {
  Message message{kind, {}, size};
  send(std::move(message));
}

void Endpoint::deliver_due() {
  while (!under_way.empty() && under_way.front().due <= network.world().now()) {
    if (network.blocked(node, *peer_node)) return;  // until heal
    Message message = std::move(under_way.front());
    under_way.pop_front();
    network.world().mix_into_trace(id << 8 | static_cast<uint64_t>(message.kind));
    arrive(std::move(message));
  }
  if (under_way.empty()) network.sending_.erase(id);
}

void Endpoint::reset() {
  was_reset = true;
  under_way.clear();
  changed.notify();
}

void Endpoint::close() {
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

void Endpoint::lose_power() {
  powerless = true;
  closed = true;
  under_way.clear();
  network.sending_.erase(id);
}

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

}  // namespace millrace::sim
