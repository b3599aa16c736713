// TCP of this machine: finding out what names mean, connecting, and the sockets that all shards listen on together.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/event.h"
#include "runtime/real/adapters.h"
#include "runtime/real/connection.h"
#include "runtime/real/listener.h"

namespace millrace::real {

namespace {

class RealNet final : public Net {
 public:
  RealNet(RealShard& shard, Process& process) : shard_(shard), process_(process) {}

  Task<std::unique_ptr<Listener>> listen(Address address) override {
    std::vector<SocketAddress> candidates;
    if (address.host.empty()) {
      candidates = {any_address(AF_INET6, address.port), any_address(AF_INET, address.port)};
    } else {
      candidates = co_await resolve(address, true, never);
      // As Java does: where a name has both kinds, listen on IPv4.
      const auto is_v4 = [](const SocketAddress& candidate) { return candidate.family() == AF_INET; };
      const auto first_v4 = std::find_if(candidates.begin(), candidates.end(), is_v4);
      if (first_v4 != candidates.end()) std::rotate(candidates.begin(), first_v4, first_v4 + 1);
    }
    std::unique_ptr<Listener> listener = make_listener(shard_, share(address, candidates));
    co_return listener;
  }

  Task<std::unique_ptr<Connection>> connect(Address address, MonoTime deadline) override {
    const std::vector<SocketAddress> candidates = co_await resolve(address, false, deadline);
    std::string why = "the name has no address";
    for (const SocketAddress& candidate : candidates) {
      ConnectResult attempt = co_await connect_to(shard_, candidate, deadline);
      if (attempt.connection) co_return std::move(attempt.connection);
      why = attempt.why;
      if (attempt.timed_out) break;
    }
    throw NetError("connect to " + to_string(address) + ": " + why);
  }

 private:
  // A literal at once; a name on a thread, given up (not interrupted) at the deadline.
  Task<std::vector<SocketAddress>> resolve(Address address, bool to_listen, MonoTime deadline) {
    if (const std::optional<SocketAddress> known = literal(address)) {
      std::vector<SocketAddress> one{*known};
      co_return one;
    }
    struct Lookup {
      std::vector<SocketAddress> addresses;
      std::exception_ptr error;
      bool finished = false;
      Event done;
    };
    const std::shared_ptr<Lookup> lookup = std::make_shared<Lookup>();
    process_.lookups.submit([lookup, address, to_listen, home = &shard_]() mutable {
      std::vector<SocketAddress> addresses;
      std::exception_ptr error;
      try {
        addresses = look_up(address, to_listen);
      } catch (...) {
        error = std::current_exception();
      }
      // The last use of `lookup` must be on its shard.
      home->post([lookup = std::move(lookup), addresses = std::move(addresses), error]() mutable {
        lookup->addresses = std::move(addresses);
        lookup->error = error;
        lookup->finished = true;
        lookup->done.notify();
      });
    });
    while (!lookup->finished) {
      const bool in_time = co_await lookup->done.wait(deadline);
      if (!in_time && !lookup->finished) throw NetError("look up " + address.host + ": timed out");
    }
    if (lookup->error) std::rethrow_exception(lookup->error);
    co_return std::move(lookup->addresses);
  }

  std::shared_ptr<ListeningSocket> share(const Address& address, const std::vector<SocketAddress>& candidates) {
    const std::lock_guard lock(process_.listening_mutex);
    std::erase_if(process_.listening, [](const auto& entry) { return entry.second.expired(); });
    if (const auto known = process_.listening.find(address); known != process_.listening.end()) {
      if (std::shared_ptr<ListeningSocket> socket = known->second.lock()) return socket;
    }
    std::string why = "the name has no address";
    for (const SocketAddress& candidate : candidates) {
      const int family = candidate.family();
      const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) {
        why = std::strerror(errno);
        continue;  // no IPv6 here
      }
      std::shared_ptr<ListeningSocket> socket = std::make_shared<ListeningSocket>(fd, family, address);
      const int on = 1;
      const int off = 0;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address.host.empty() ? &off : &on, sizeof on);
      if (::bind(fd, candidate.get(), candidate.size) < 0 || ::listen(fd, SOMAXCONN) < 0) {
        why = std::strerror(errno);
        if (errno == EADDRINUSE) break;  // not to be evaded on the other family
        continue;
      }
      SocketAddress bound;
      bound.size = sizeof bound.storage;
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) < 0) {
        why = std::strerror(errno);
        continue;
      }
      socket->local = to_address(bound);
      if (address.host.empty()) socket->local.host.clear();
      process_.listening[Address{address.host, socket->local.port}] = socket;
      process_.listening[socket->local] = socket;
      return socket;
    }
    throw NetError("listen on " + to_string(address) + ": " + why);
  }

  RealShard& shard_;
  Process& process_;
};

}  // namespace

std::unique_ptr<Net> make_net(RealShard& shard, Process& process) { return std::make_unique<RealNet>(shard, process); }

}  // namespace millrace::real
