// SocketAddress: what the kernel calls an end of a connection, and how names and literals become one.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <vector>

#include "runtime/net.h"

namespace millrace::real {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  SocketAddress() = default;
  SocketAddress(const void* data, size_t size_);  // a sockaddr of its family
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// An IPv4 client of a dual-stack listener is known by its IPv4 address.
Address to_address(const SocketAddress& address);
// 127.0.0.1, ::1, fe80::1%eth0; nothing where it is a name.
std::optional<SocketAddress> literal(const Address& address);
SocketAddress any_address(int family, uint16_t port);
// What name services know of a name; blocks. Throws NetError.
std::vector<SocketAddress> look_up(const Address& address, bool to_listen);

}  // namespace millrace::real
