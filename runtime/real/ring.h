// Ring: writes of one shard that the kernel works on meanwhile (io_uring); the shard's loop hears of their end through
// an eventfd.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>

namespace boost::asio {
class io_context;
}

namespace millrace::real {

class Ring {
 public:
  // Null where the kernel has none or refuses it, as containers' seccomp profiles do.
  static std::unique_ptr<Ring> make(boost::asio::io_context& loop);
  virtual ~Ring() = default;

  // co_await ring.write(…) answers what pwritev2 would: the bytes written, or −errno.
  struct Write {
    Ring& ring;
    int fd;
    int64_t at;
    std::span<const std::byte> bytes;
    int flags;  // RWF_…
    int result = 0;
    std::coroutine_handle<> waiter{};

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> self) {
      waiter = self;
      return ring.submit(*this);
    }
    int await_resume() const noexcept { return result; }
  };
  Write write(int fd, int64_t at, std::span<const std::byte> bytes, int flags) { return {*this, fd, at, bytes, flags}; }

 private:
  // False, with the result set, when it was not even taken.
  virtual bool submit(Write& write) = 0;
};

}  // namespace millrace::real
