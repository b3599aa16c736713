// A read that is likely to find data tries the socket first and otherwise waits in Asio's epoll reactor; a write sends
// as much as the kernel takes and waits for room only when it must. A deadline cancels everything pending on the
// socket, and what was cancelled by the other direction's deadline starts again. Parts of files go from the page cache
// to the socket without a copy.
#include "runtime/real/connection.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "runtime/real/file_part.h"
#include "runtime/real/pending.h"

namespace millrace::real {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

constexpr size_t vectors_per_call = 128;

tcp protocol_of(int family) { return family == AF_INET6 ? tcp::v6() : tcp::v4(); }

Address to_address(const tcp::endpoint& endpoint) {
  return real::to_address(SocketAddress(endpoint.data(), endpoint.size()));
}

class RealConnection final : public Connection {
 public:
  RealConnection(Shard& shard, Socket socket)
      : shard_(shard), socket_(std::move(socket)), read_(shard.clock()), write_(shard.clock()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.native_non_blocking(true, ignored);
    peer_ = to_address(socket_.remote_endpoint(ignored));
    local_ = to_address(socket_.local_endpoint(ignored));
  }
  ~RealConnection() override {
    // Whoever waits here would be woken into a connection that is gone.
    check((!reading_ && !writing_) || shard_.dropping());
  }

  Task<size_t> read_some(std::span<std::byte> out, MonoTime deadline) override {
    const Busy busy(reading_);
    if (out.empty()) {
      if (!more_likely_ || closed_) co_await wait_for(read_, tcp::socket::wait_read, deadline, "read from");
      more_likely_ = true;
      co_return 0;
    }
    for (;;) {
      if (closed_) throw closed("read from");
      if (more_likely_) {
        const ssize_t got = ::recv(socket_.native_handle(), out.data(), out.size(), MSG_DONTWAIT);
        if (got >= 0) {
          // A read that filled its buffer has probably left something behind.
          more_likely_ = static_cast<size_t>(got) == out.size();
          co_return static_cast<size_t>(got);
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
          throw NetError("read from " + to_string(peer_) + ": " + std::strerror(errno));
        }
      }
      co_await wait_for(read_, tcp::socket::wait_read, deadline, "read from");
      more_likely_ = true;
    }
  }

  Task<void> write(std::vector<Bytes> parts, MonoTime deadline) override {
    const Busy busy(writing_);
    size_t part = 0;
    size_t sent = 0;  // bytes of `part`
    for (;;) {
      while (part < parts.size() && sent >= parts[part].size()) sent -= parts[part++].size();
      if (part == parts.size()) co_return;
      if (closed_) throw closed("write to");
      const auto* const file = static_cast<const FilePart*>(unread_part(parts[part]));
      const ssize_t wrote = file ? send_file(*file, sent, parts[part].size() - sent) : send_some(parts, part, sent);
      if (wrote >= 0) {
        sent += static_cast<size_t>(wrote);
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        throw NetError("write to " + to_string(peer_) + ": " + std::strerror(errno));
      }
      co_await wait_for(write_, tcp::socket::wait_write, deadline, "write to");
    }
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    error_code ignored;
    socket_.close(ignored);
  }
  Address peer() const override { return peer_; }
  Address local() const override { return local_; }

 private:
  struct Busy {
    explicit Busy(bool& flag_) : flag(flag_) {
      check(!flag);  // one at a time
      flag = true;
    }
    ~Busy() { flag = false; }
    bool& flag;
  };
  // Until the socket is ready for one direction. Throws what the reader or writer is to say when it will not be.
  struct Readiness {
    RealConnection& self;
    Pending& pending;
    tcp::socket::wait_type direction;
    MonoTime deadline;

    bool await_ready() const noexcept { return self.closed_; }
    void await_suspend(std::coroutine_handle<> caller) {
      pending.waiting = caller;
      pending.arm(deadline, [connection = &self] { connection->cancel(); });
      start();
    }
    void start() {
      InPlace done{pending.memory, [this](const error_code& ec) {
                     if (ec == asio::error::operation_aborted && !self.closed_ && !pending.timed_out) return start();
                     pending.wake();
                   }};
      self.socket_.async_wait(direction, std::move(done));
    }
    void await_resume() const noexcept {}
  };
  Task<void> wait_for(Pending& pending, tcp::socket::wait_type direction, MonoTime deadline, const char* doing) {
    Readiness readiness{*this, pending, direction, deadline};
    co_await readiness;
    if (closed_) throw closed(doing);
    if (pending.timed_out) throw NetError(std::string(doing) + " " + to_string(peer_) + ": timed out");
  }

  ssize_t send_some(const std::vector<Bytes>& parts, size_t part, size_t sent) {
    iovec vectors[vectors_per_call];
    size_t count = 0;
    for (; part < parts.size() && !unread_part(parts[part]); ++part, sent = 0) {
      std::byte* const from = const_cast<std::byte*>(parts[part].data() + sent);
      const size_t size = parts[part].size() - sent;
      // Batches that were read from a file together lie one behind the other.
      if (count > 0 && static_cast<std::byte*>(vectors[count - 1].iov_base) + vectors[count - 1].iov_len == from) {
        vectors[count - 1].iov_len += size;
        continue;
      }
      if (size == 0) continue;
      if (count == vectors_per_call) break;
      vectors[count++] = {from, size};
    }
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    // What a file adds follows at once, in the same packet.
    const int more = part < parts.size() ? MSG_MORE : 0;
    return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  }
  ssize_t send_file(const FilePart& file, size_t sent, size_t size) {
    // It has no flag for this: that the peer is gone is to be an answer and not a signal.
    thread_local const int blocked = [] {
      sigset_t signals;
      ::sigemptyset(&signals);
      ::sigaddset(&signals, SIGPIPE);
      return ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    }();
    check(blocked == 0);
    off_t from = file.at + static_cast<off_t>(sent);
    const ssize_t wrote = ::sendfile(socket_.native_handle(), file.file->get(), &from, size);
    if (wrote == 0) throw NetError("write to " + to_string(peer_) + ": a file ends before what was announced of it");
    return wrote;
  }
  void cancel() {
    error_code ignored;
    socket_.cancel(ignored);
  }
  NetError closed(const char* doing) const {
    return NetError(std::string(doing) + " " + to_string(peer_) + ": the connection is closed");
  }

  Shard& shard_;
  Socket socket_;
  Address peer_;
  Address local_;
  Pending read_;
  Pending write_;
  bool reading_ = false;
  bool writing_ = false;
  bool closed_ = false;
  bool more_likely_ = false;
};

// Until a socket is connected, or cannot be.
struct Connect {
  RealShard& shard;
  const tcp::endpoint endpoint;
  const MonoTime deadline;
  Socket socket{shard.loop()};
  Pending pending{shard.clock()};
  error_code error = {};

  Connect(RealShard& shard_, tcp::endpoint endpoint_, MonoTime deadline_)
      : shard(shard_), endpoint(endpoint_), deadline(deadline_) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    pending.waiting = caller;
    pending.arm(deadline, [this] {
      error_code ignored;
      socket.cancel(ignored);
    });
    InPlace done{pending.memory, [this](const error_code& ec) {
                   error = ec;
                   pending.wake();
                 }};
    socket.async_connect(endpoint, std::move(done));
  }
  void await_resume() const noexcept {}
};

}  // namespace

std::unique_ptr<Connection> make_connection(RealShard& shard, int fd, int family) {
  Socket socket(shard.loop());
  error_code error;
  socket.assign(protocol_of(family), fd, error);
  if (error) {
    ::close(fd);
    return nullptr;
  }
  return std::make_unique<RealConnection>(shard, std::move(socket));
}

Task<ConnectResult> connect_to(RealShard& shard, SocketAddress address, MonoTime deadline) {
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &address.storage, address.size);
  endpoint.resize(address.size);
  Connect attempt{shard, endpoint, deadline};
  co_await attempt;
  ConnectResult result;
  if (!attempt.error) {
    result.connection = std::make_unique<RealConnection>(shard, std::move(attempt.socket));
  } else {
    result.timed_out = attempt.pending.timed_out;
    result.why = result.timed_out ? "timed out" : attempt.error.message();
  }
  co_return result;
}

}  // namespace millrace::real
