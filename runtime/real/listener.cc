// Accepts as long as there are clients, then waits in the loop; without a free descriptor, for a while.
#include "runtime/real/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>

#include "runtime/real/connection.h"
#include "runtime/real/pending.h"

namespace millrace::real {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

ListeningSocket::~ListeningSocket() { ::close(fd); }

namespace {

using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

constexpr auto wait_for_descriptors = std::chrono::milliseconds(100);

class RealListener final : public Listener {
 public:
  RealListener(RealShard& shard, std::shared_ptr<ListeningSocket> socket, Acceptor acceptor)
      : shard_(shard),
        local_(socket->local),
        socket_(std::move(socket)),
        acceptor_(std::move(acceptor)),
        pending_(shard.clock()) {}
  ~RealListener() override { check(!pending_.waiting || shard_.dropping()); }

  Task<std::unique_ptr<Connection>> accept() override {
    check(!pending_.waiting);
    for (;;) {
      if (closed_) throw NetError("accept on " + to_string(local_) + ": the listener is closed");
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      const int fd = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        std::unique_ptr<Connection> connection = make_connection(shard_, fd, peer.ss_family);
        if (!connection) continue;
        co_return connection;
      }
      switch (errno) {
        case EAGAIN: {
          WaitForClient client{*this};
          co_await client;
          break;
        }
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: {
          // Somebody else must close something first; the client waits in the kernel's queue.
          Pause pause{*this};
          co_await pause;
          break;
        }
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EOPNOTSUPP:
          throw NetError("accept on " + to_string(local_) + ": " + std::strerror(errno));
        default:  // that client has gone already
          break;
      }
    }
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    socket_ = nullptr;
    if (pausing_) {
      pending_.disarm();
      shard_.post([this] { pending_.wake(); });
    }
  }
  Address local() const override { return local_; }

 private:
  struct WaitForClient {
    RealListener& self;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) {
      self.pending_.waiting = caller;
      InPlace done{self.pending_.memory, [this](const error_code&) { self.pending_.wake(); }};
      self.acceptor_.async_wait(tcp::acceptor::wait_read, std::move(done));
    }
    void await_resume() const noexcept {}
  };
  struct Pause {
    RealListener& self;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) {
      self.pending_.waiting = caller;
      self.pausing_ = true;
      self.pending_.arm(self.shard_.clock().now() + wait_for_descriptors,
                        [listener = &self] { listener->pending_.wake(); });
    }
    void await_resume() const noexcept { self.pausing_ = false; }
  };

  RealShard& shard_;
  const Address local_;
  std::shared_ptr<ListeningSocket> socket_;
  Acceptor acceptor_;
  Pending pending_;
  bool closed_ = false;
  bool pausing_ = false;
};

}  // namespace

std::unique_ptr<Listener> make_listener(RealShard& shard, std::shared_ptr<ListeningSocket> socket) {
  Acceptor acceptor(shard.loop());
  const int own = ::fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) throw NetError("listen on " + to_string(socket->local) + ": " + std::strerror(errno));
  error_code error;
  acceptor.assign(socket->family == AF_INET6 ? tcp::v6() : tcp::v4(), own, error);
  if (error) {
    ::close(own);
    throw NetError("listen on " + to_string(socket->local) + ": " + error.message());
  }
  return std::make_unique<RealListener>(shard, std::move(socket), std::move(acceptor));
}

}  // namespace millrace::real
