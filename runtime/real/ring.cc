#include "runtime/real/ring.h"

#include <liburing.h>
#include <sys/eventfd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "protocol/check.h"

namespace millrace::real {

namespace asio = boost::asio;

namespace {

constexpr unsigned entries = 64;

class RealRing final : public Ring {
 public:
  explicit RealRing(asio::io_context& loop) : ended_(loop) {}
  ~RealRing() override {
    check(under_way_ == 0);
    if (ready_) io_uring_queue_exit(&ring_);
  }

  bool start() {
    if (io_uring_queue_init(entries, &ring_, 0) < 0) return false;
    ready_ = true;
    const int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event < 0) return false;
    ended_.assign(event);
    return io_uring_register_eventfd(&ring_, event) == 0;
  }

 private:
  bool submit(Write& write) override {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    check(entry != nullptr);  // every entry is handed over at once
    io_uring_prep_write(entry, write.fd, write.bytes.data(), static_cast<unsigned>(write.bytes.size()),
                        static_cast<uint64_t>(write.at));
    entry->rw_flags = write.flags;
    io_uring_sqe_set_data(entry, &write);
    int taken = 0;
    do {
      taken = io_uring_submit(&ring_);
    } while (taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
    check(taken == 1);
    ++under_way_;
    if (!listening_) listen();
    return true;
  }

  // Only while something is under way, so that a loop at rest has nothing open.
  void listen() {
    listening_ = true;
    ended_.async_read_some(asio::buffer(count_), [this](const boost::system::error_code& error, size_t) {
      if (error == asio::error::operation_aborted) return;
      listening_ = false;
      collect();
      if (under_way_ > 0 && !listening_) listen();
    });
  }

  void collect() {
    io_uring_cqe* ended = nullptr;
    while (io_uring_peek_cqe(&ring_, &ended) == 0) {
      auto* const write = static_cast<Write*>(io_uring_cqe_get_data(ended));
      write->result = ended->res;
      io_uring_cqe_seen(&ring_, ended);
      --under_way_;
      write->waiter.resume();
    }
  }

  io_uring ring_{};
  asio::posix::stream_descriptor ended_;
  std::array<std::byte, 8> count_{};
  bool ready_ = false;
  bool listening_ = false;
  int under_way_ = 0;
};

}  // namespace

std::unique_ptr<Ring> Ring::make(asio::io_context& loop) {
  auto ring = std::make_unique<RealRing>(loop);
  if (!ring->start()) return nullptr;
  return ring;
}

}  // namespace millrace::real
