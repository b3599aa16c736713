// What the shards of one process share: threads for calls that block, and the sockets they listen on together.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "runtime/net.h"
#include "runtime/real/blocking_pool.h"
#include "runtime/real/spare_threads.h"

namespace millrace::real {

// A listening socket; closed with its last user.
struct ListeningSocket {
  int fd;
  int family;
  Address local;

  ListeningSocket(int fd_, int family_, Address local_) : fd(fd_), family(family_), local(std::move(local_)) {}
  ~ListeningSocket();
};

struct Process {
  BlockingPool disk_calls{4, 128 << 10};
  BlockingPool leisurely_writes{1, 128 << 10, BlockingPool::Priority::low};
  BlockingPool lookups{2, 512 << 10};  // name service modules want more
  SpareThreads beside;
  bool may_use_ring = true;  // else as where the kernel refuses one

  // By the address asked for, and by the one it became: shards listening on the same one share the socket.
  std::mutex listening_mutex;
  std::map<Address, std::weak_ptr<ListeningSocket>> listening;
};

}  // namespace millrace::real
