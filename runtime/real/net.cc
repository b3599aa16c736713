// TCP of this machine.
//
// A read that is likely to find data tries the socket first and otherwise waits in Asio's epoll reactor; a write sends
// as much as the kernel takes and waits for room only when it must. A deadline cancels everything pending on the
// socket, and what was cancelled by the other direction's deadline starts again. Parts of files go from the page cache
// to the socket without a copy.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "runtime/event.h"
#include "runtime/real/adapters.h"
#include "runtime/real/file_part.h"
#include "runtime/real/op_memory.h"
#include "runtime/real/process.h"
#include "runtime/real/shard.h"

namespace millrace::real {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

ListeningSocket::~ListeningSocket() { ::close(fd); }

namespace {

using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

constexpr size_t vectors_per_call = 128;
constexpr auto wait_for_descriptors = std::chrono::milliseconds(100);

Address from_endpoint(const tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  // A client of a dual-stack listener is known by its IPv4 address.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return Address{address.to_string(), endpoint.port()};
}

// One direction of a connection (or a listener's accepts): at most one coroutine waits in it, for the loop or a timer.
struct Pending {
  Clock& clock;
  OpMemory memory;
  std::coroutine_handle<> waiting;
  TimerId timer = 0;
  bool timed_out = false;

  explicit Pending(Clock& clock_) : clock(clock_) {}

  template <class Cancel>
  void arm(MonoTime deadline, Cancel cancel) {
    timed_out = false;
    if (deadline == never) return;
    timer = clock.schedule(deadline, [this, cancel] {
      timer = 0;
      timed_out = true;
      cancel();
    });
  }
  void disarm() {
    if (timer != 0) clock.cancel(std::exchange(timer, 0));
  }
  void wake() {
    disarm();
    std::exchange(waiting, {}).resume();
  }
};

class RealConnection final : public Connection {
 public:
  RealConnection(Shard& shard, Socket socket)
      : shard_(shard), socket_(std::move(socket)), read_(shard.clock()), write_(shard.clock()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.native_non_blocking(true, ignored);
    peer_ = from_endpoint(socket_.remote_endpoint(ignored));
    local_ = from_endpoint(socket_.local_endpoint(ignored));
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
        Socket socket(shard_.loop());
        error_code error;
        socket.assign(peer.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd, error);
        if (error) {
          ::close(fd);
          continue;
        }
        std::unique_ptr<Connection> connection = std::make_unique<RealConnection>(shard_, std::move(socket));
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

// Blocking; for the pool. Throws NetError.
std::vector<tcp::endpoint> look_up(const Address& address, bool to_listen) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int failed = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    throw NetError("look up " + address.host + ": " +
                   (failed == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(failed)));
  }
  std::vector<tcp::endpoint> endpoints;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.resize(entry->ai_addrlen);
    endpoints.push_back(endpoint);
  }
  ::freeaddrinfo(found);
  return endpoints;
}

class RealNet final : public Net {
 public:
  RealNet(RealShard& shard, Process& process) : shard_(shard), process_(process) {}

  Task<std::unique_ptr<Listener>> listen(Address address) override {
    std::vector<tcp::endpoint> candidates;
    if (address.host.empty()) {
      candidates = {tcp::endpoint(tcp::v6(), address.port), tcp::endpoint(tcp::v4(), address.port)};
    } else {
      candidates = co_await resolve(address, true, never);
      // As Java does: where a name has both kinds, listen on IPv4.
      const auto is_v4 = [](const tcp::endpoint& endpoint) { return endpoint.address().is_v4(); };
      const auto first_v4 = std::find_if(candidates.begin(), candidates.end(), is_v4);
      if (first_v4 != candidates.end()) std::rotate(candidates.begin(), first_v4, first_v4 + 1);
    }
    std::shared_ptr<ListeningSocket> socket = share(address, candidates);
    Acceptor acceptor(shard_.loop());
    const int own = ::fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
    error_code error;
    if (own < 0) throw NetError("listen on " + to_string(address) + ": " + std::strerror(errno));
    acceptor.assign(socket->family == AF_INET6 ? tcp::v6() : tcp::v4(), own, error);
    if (error) {
      ::close(own);
      throw NetError("listen on " + to_string(address) + ": " + error.message());
    }
    std::unique_ptr<Listener> listener = std::make_unique<RealListener>(shard_, std::move(socket), std::move(acceptor));
    co_return listener;
  }

  Task<std::unique_ptr<Connection>> connect(Address address, MonoTime deadline) override {
    const std::vector<tcp::endpoint> candidates = co_await resolve(address, false, deadline);
    std::string why = "the name has no address";
    for (const tcp::endpoint& endpoint : candidates) {
      Connect attempt{shard_, endpoint, deadline};
      co_await attempt;
      if (!attempt.error) {
        std::unique_ptr<Connection> connection = std::make_unique<RealConnection>(shard_, std::move(attempt.socket));
        co_return connection;
      }
      why = attempt.pending.timed_out ? "timed out" : attempt.error.message();
      if (attempt.pending.timed_out) break;
    }
    throw NetError("connect to " + to_string(address) + ": " + why);
  }

 private:
  struct Connect {
    RealShard& shard;
    tcp::endpoint endpoint;
    MonoTime deadline;
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

  // A literal at once; a name on a thread, given up (not interrupted) at the deadline.
  Task<std::vector<tcp::endpoint>> resolve(Address address, bool to_listen, MonoTime deadline) {
    error_code not_literal;
    const asio::ip::address literal = asio::ip::make_address(address.host, not_literal);
    if (!not_literal) {
      std::vector<tcp::endpoint> one{tcp::endpoint(literal, address.port)};
      co_return one;
    }
    struct Lookup {
      std::vector<tcp::endpoint> endpoints;
      std::exception_ptr error;
      bool finished = false;
      Event done;
    };
    const std::shared_ptr<Lookup> lookup = std::make_shared<Lookup>();
    process_.lookups.submit([lookup, address, to_listen, home = &shard_]() mutable {
      std::vector<tcp::endpoint> endpoints;
      std::exception_ptr error;
      try {
        endpoints = look_up(address, to_listen);
      } catch (...) {
        error = std::current_exception();
      }
      // The last use of `lookup` must be on its shard.
      home->post([lookup = std::move(lookup), endpoints = std::move(endpoints), error]() mutable {
        lookup->endpoints = std::move(endpoints);
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
    co_return std::move(lookup->endpoints);
  }

  std::shared_ptr<ListeningSocket> share(const Address& address, const std::vector<tcp::endpoint>& candidates) {
    const std::lock_guard lock(process_.listening_mutex);
    std::erase_if(process_.listening, [](const auto& entry) { return entry.second.expired(); });
    if (const auto known = process_.listening.find(address); known != process_.listening.end()) {
      if (std::shared_ptr<ListeningSocket> socket = known->second.lock()) return socket;
    }
    std::string why = "the name has no address";
    for (const tcp::endpoint& endpoint : candidates) {
      const int family = endpoint.address().is_v6() ? AF_INET6 : AF_INET;
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
      if (::bind(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0 || ::listen(fd, SOMAXCONN) < 0) {
        why = std::strerror(errno);
        if (errno == EADDRINUSE) break;  // not to be evaded on the other family
        continue;
      }
      tcp::endpoint bound;
      socklen_t length = static_cast<socklen_t>(bound.capacity());
      if (::getsockname(fd, bound.data(), &length) < 0) {
        why = std::strerror(errno);
        continue;
      }
      bound.resize(length);
      socket->local = address.host.empty() ? Address{"", bound.port()} : from_endpoint(bound);
      process_.listening[Address{address.host, bound.port()}] = socket;
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
