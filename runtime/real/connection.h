// Connections over TCP (runtime/net.h).
#pragma once

#include <memory>
#include <string>

#include "runtime/real/shard.h"
#include "runtime/real/socket_address.h"
#include "runtime/task.h"

namespace millrace::real {

// Of a socket that is connected, and belongs to the connection from now on; null when it is not one.
std::unique_ptr<Connection> make_connection(RealShard& shard, int fd, int family);

struct ConnectResult {
  std::unique_ptr<Connection> connection;
  std::string why;  // there is none
  bool timed_out = false;
};
Task<ConnectResult> connect_to(RealShard& shard, SocketAddress address, MonoTime deadline);

}  // namespace millrace::real
