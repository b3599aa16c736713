// Net: byte streams to other processes, the only door to the network above runtime/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "runtime/clock.h"
#include "runtime/task.h"

namespace millrace {

class NetError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Address {
  std::string host;  // a name or a literal; empty listens on every interface
  uint16_t port = 0;
  friend auto operator<=>(const Address&, const Address&) = default;
};
std::string to_string(const Address&);

// One read and one write at a time; destroying it while either is under way is a bug: close() it, wait for its end.
// A read into nothing waits until there is something to read, and answers 0: who waits long holds no memory for it.
class Connection {
 public:
  virtual ~Connection() = default;
  // At least one byte, or 0 when the peer has finished sending. Throws NetError when reset, closed or past `deadline`.
  virtual Task<size_t> read_some(std::span<std::byte> out, MonoTime deadline = never) = 0;
  // All parts, in order; returns when the kernel has them. The parts are kept until then.
  virtual Task<void> write(std::vector<Bytes> parts, MonoTime deadline = never) = 0;
  // Ends waiting reads and writes with NetError. Safe to call twice.
  virtual void close() = 0;
  virtual Address peer() const = 0;
  virtual Address local() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection; throws NetError once closed. Running out of descriptors is waited out inside.
  virtual Task<std::unique_ptr<Connection>> accept() = 0;
  virtual void close() = 0;
  virtual Address local() const = 0;  // with the port chosen when 0 was asked for
};

class Net {
 public:
  virtual ~Net() = default;
  // Shards of one process may listen on the same address: each connection goes to one of them.
  virtual Task<std::unique_ptr<Listener>> listen(Address address) = 0;
  virtual Task<std::unique_ptr<Connection>> connect(Address address, MonoTime deadline) = 0;
};

}  // namespace millrace
