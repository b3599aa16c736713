// Sockets, schedule and bookkeeping of a run.
#include "tools/bench/generator.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/messages/headers.h"
#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"
#include "tools/bench/setup_client.h"

namespace millrace::bench {

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr int64_t millisecond = 1'000'000;

int64_t clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * second + now.tv_nsec;
}

[[noreturn]] void fail(const char* what) { throw BrokerError(std::string(what) + ": " + std::strerror(errno)); }

}  // namespace

// A connection and what has been read of its next answer.
struct Generator::Link {
  int fd = -1;
  bool is_producer = false;
  bool wants_write = false;
  std::vector<std::byte> inbox = std::vector<std::byte>(64 << 10);
  size_t have = 0;

  ~Link() {
    if (fd >= 0) ::close(fd);
  }
};

struct Generator::Producer : Link {
  struct Request {
    const Frame* frame;
    int64_t due;
    std::array<std::byte, Frame::head_size> head;
  };
  std::vector<size_t> groups;
  size_t turn = 0;
  int32_t correlation = 0;
  std::deque<int64_t> waiting;  // due times of requests that found no room
  std::deque<Request> outgoing;
  size_t sent_of_first = 0;
  std::deque<Request> in_flight;  // sent or being sent, oldest first
};

struct Generator::Consumer : Link {
  protocol::FetchRequest request;
  int32_t correlation = 0;
  Bytes outgoing;
  size_t sent = 0;
  bool finished = false;
};

Generator::Generator(const Options& options, TopicId topic, Workload workload, int16_t produce_version,
                     int16_t fetch_version, std::vector<Offset> begins, std::vector<Offset> ends)
    : options_(options),
      topic_(topic),
      workload_(std::move(workload)),
      produce_version_(produce_version),
      fetch_version_(fetch_version),
      begins_(std::move(begins)),
      ends_(std::move(ends)),
      end_to_end_(options.producers > 0 && options.consumers > 0 && options.from_end),
      underway_(static_cast<size_t>(options.partitions)),
      cpu_(options.broker_pid) {
  if (end_to_end_ && workload_.groups < static_cast<size_t>(options.producers)) {
    // Batches are recognized by their order in a partition, which only one producer may write to.
    throw UsageError("end-to-end latency needs at least as many partition groups as producers");
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < static_cast<size_t>(options.producers); ++i) {
    auto producer = std::make_unique<Producer>();
    producer->is_producer = true;
    for (size_t g = i % workload_.groups; g < workload_.groups; g += static_cast<size_t>(options.producers)) {
      producer->groups.push_back(g);
    }
    open(*producer);
    producers_.push_back(std::move(producer));
  }
  for (int i = 0; i < options.consumers; ++i) {
    auto consumer = std::make_unique<Consumer>();
    protocol::FetchRequest& request = consumer->request;
    request.max_wait = Millis(options.max_wait_ms);
    request.min_bytes = options.fetch_min;
    request.max_bytes = options.fetch_max;
    auto& asked = request.topics.emplace_back();
    asked.name = options.topic;
    asked.id = topic;
    for (int p = i % options.partitions; p < options.partitions; p += options.consumers) {
      auto& partition = asked.partitions.emplace_back();
      partition.index = PartitionId(p);
      partition.partition_max_bytes = options.partition_max;
      partition.fetch_offset = (options.from_end ? ends_ : begins_).at(static_cast<size_t>(p));
    }
    open(*consumer);
    consumers_.push_back(std::move(consumer));
  }
}

Generator::~Generator() {
  if (epoll_ >= 0) ::close(epoll_);
}

void Generator::open(Link& link) {
  link.fd = connect_to(options_.host, options_.port);
  ::fcntl(link.fd, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &link;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, link.fd, &event) != 0) fail("epoll_ctl");
}

Outcome Generator::run() {
  if (!producers_.empty()) {
    const auto& frame = workload_.frames.at(0);
    double rate = options_.requests_per_second.value_or(0);
    if (options_.records_per_second) rate = *options_.records_per_second / static_cast<double>(frame.records);
    if (options_.megabytes_per_second) rate = *options_.megabytes_per_second * 1e6 / static_cast<double>(frame.payload);
    if (options_.open_loop()) interval_ = 1e9 / rate;
  }
  int64_t now = clock_now();
  next_due_ = static_cast<double>(now);
  phase_ends_ = now + static_cast<int64_t>(options_.warm_up * 1e9);
  for (auto& consumer : consumers_) ask(*consumer);
  if (interval_ == 0) {
    for (auto& producer : producers_) fill(*producer, now);
  }
  while (true) {
    now = clock_now();
    advance(now);
    if (finished(now)) break;
    release_due(now);
    pump();
  }
  return std::move(outcome_);
}

void Generator::advance(int64_t now) {
  const bool enough =
      options_.byte_limit > 0 && outcome_.produced.payload + outcome_.consumed.payload >= options_.byte_limit;
  const bool read_all = !consumers_.empty() && producers_.empty() &&
                        std::ranges::all_of(consumers_, [](const auto& c) { return c->finished; });
  if (phase_ == Phase::warming && now >= phase_ends_) {
    cpu_.begin();
    phase_ = Phase::measuring;
    // Reading /proc took its time: what was due meanwhile says nothing about the broker.
    latency_from_ = clock_now() + 50 * millisecond;
    phase_ends_ = now + static_cast<int64_t>(options_.seconds * 1e9);
    latency_until_ = phase_ends_;
  }
  if (phase_ == Phase::measuring && (now >= phase_ends_ || enough || read_all)) {
    phase_ = Phase::settling;
    latency_until_ = std::min(latency_until_, now);
    phase_ends_ = interval_ > 0 ? now + 2 * second : now;
  }
  if (phase_ == Phase::settling && (now >= phase_ends_ || measured_open_ == 0)) {
    outcome_.cpu = cpu_.use();
    if (options_.broker_pid) outcome_.resident = resident_bytes(*options_.broker_pid);
    if (interval_ > 0) outcome_.unanswered = measured_open_;
    phase_ = Phase::draining;
    phase_ends_ = now + 5 * second;
  }
}

bool Generator::finished(int64_t now) const {
  if (phase_ != Phase::draining) return false;
  const bool quiet = std::ranges::all_of(producers_, [](const auto& p) { return p->in_flight.empty(); });
  const bool seen = !end_to_end_ || std::ranges::all_of(underway_, [](const auto& u) { return u.empty(); });
  return (quiet && seen) || now >= phase_ends_;
}

// Hands the requests that are due to their connections.
void Generator::release_due(int64_t now) {
  if (interval_ == 0 || !sending()) return;
  bool any = false;
  while (next_due_ <= static_cast<double>(now)) {
    const auto due = static_cast<int64_t>(next_due_);
    if (measured(due)) {
      outcome_.worst_lateness = std::max(outcome_.worst_lateness, now - due);
      ++outcome_.due;
      ++measured_open_;
    }
    producers_[scheduled_++ % producers_.size()]->waiting.push_back(due);
    next_due_ += interval_;
    any = true;
  }
  if (!any) return;
  for (auto& producer : producers_) fill(*producer, now);
}

int64_t Generator::next_wake(int64_t now) const {
  int64_t wake = std::min(phase_ends_, now + 100 * millisecond);
  if (interval_ > 0 && sending()) wake = std::min(wake, static_cast<int64_t>(next_due_));
  return std::max<int64_t>(0, wake - now);
}

void Generator::pump() {
  epoll_event events[256];
  const int64_t wait = next_wake(clock_now());
  const timespec timeout{wait / second, wait % second};
  const int count = ::epoll_pwait2(epoll_, events, std::size(events), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    auto& link = *static_cast<Link*>(events[i].data.ptr);
    if (link.is_producer) {
      auto& producer = static_cast<Producer&>(link);
      if ((events[i].events & EPOLLOUT) != 0) flush(producer);
      if ((events[i].events & ~EPOLLOUT) != 0) receive(producer);
    } else {
      auto& consumer = static_cast<Consumer&>(link);
      if ((events[i].events & EPOLLOUT) != 0) flush(consumer);
      if ((events[i].events & ~EPOLLOUT) != 0) receive(consumer);
    }
  }
}

// Reads what there is and hands on the whole answers in it.
size_t Generator::receive(Link& link) {
  const ssize_t n = ::recv(link.fd, link.inbox.data() + link.have, link.inbox.size() - link.have, 0);
  if (n == 0) throw BrokerError("the broker closed a connection");
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return 0;
    fail("recv");
  }
  link.have += static_cast<size_t>(n);
  const int64_t now = clock_now();
  size_t at = 0;
  size_t answers = 0;
  while (link.have - at >= 4) {
    const size_t size = 4 + static_cast<size_t>(protocol::load_big<uint32_t>(link.inbox.data() + at));
    if (link.have - at < size) {
      if (size > link.inbox.size()) link.inbox.resize(size + size / 4);
      break;
    }
    const std::span<const std::byte> frame(link.inbox.data() + at + 4, size - 4);
    at += size;
    ++answers;
    if (link.is_producer) {
      answered(static_cast<Producer&>(link), frame, now);
    } else {
      fetched(static_cast<Consumer&>(link), frame, now);
    }
  }
  std::memmove(link.inbox.data(), link.inbox.data() + at, link.have - at);
  link.have -= at;
  if (answers > 0 && link.is_producer) fill(static_cast<Producer&>(link), now);
  return answers;
}

// ---- producing ----

void Generator::fill(Producer& producer, int64_t now) {
  while (sending() && producer.in_flight.size() < static_cast<size_t>(options_.in_flight)) {
    if (interval_ == 0) {
      start(producer, now);
    } else if (!producer.waiting.empty()) {
      start(producer, producer.waiting.front());
      producer.waiting.pop_front();
    } else {
      break;
    }
  }
  flush(producer);
}

void Generator::start(Producer& producer, int64_t due) {
  const size_t turn = producer.turn++;
  const size_t group = producer.groups[turn % producer.groups.size()];
  const Frame& frame = workload_.frame(group, turn / producer.groups.size());
  Producer::Request request{&frame, due, frame.head};
  protocol::store_big<int32_t>(request.head.data() + 8, ++producer.correlation);
  producer.outgoing.push_back(request);
  producer.in_flight.push_back(request);
  if (end_to_end_) {
    for (int i = 0; i < frame.partitions; ++i) {
      underway_[static_cast<size_t>(frame.first_partition + i)].push_back(due);
    }
  }
}

void Generator::flush(Producer& producer) {
  while (!producer.outgoing.empty()) {
    constexpr size_t most = 512;
    iovec pieces[most];
    size_t count = 0;
    size_t skip = producer.sent_of_first;
    const auto push = [&](void* data, size_t size) {
      if (skip >= size) {
        skip -= size;
      } else if (count < most) {
        pieces[count++] = {static_cast<std::byte*>(data) + skip, size - skip};
        skip = 0;
      }
    };
    for (Producer::Request& request : producer.outgoing) {
      push(request.head.data(), request.head.size());
      for (const iovec& piece : request.frame->rest) push(piece.iov_base, piece.iov_len);
      if (count == most) break;
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    const ssize_t n = ::sendmsg(producer.fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) fail("sendmsg");
    if (n < 0) break;
    producer.sent_of_first += static_cast<size_t>(n);
    while (!producer.outgoing.empty() && producer.sent_of_first >= producer.outgoing.front().frame->size) {
      producer.sent_of_first -= producer.outgoing.front().frame->size;
      producer.outgoing.pop_front();
      if (options_.acks == 0) done(producer, clock_now(), false);
    }
  }
  const bool wants_write = !producer.outgoing.empty();
  if (wants_write == producer.wants_write) return;
  producer.wants_write = wants_write;
  epoll_event event{};
  event.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = static_cast<Link*>(&producer);
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, producer.fd, &event);
}

void Generator::answered(Producer& producer, std::span<const std::byte> frame, int64_t now) {
  protocol::Reader reader(Bytes(nullptr, frame));
  protocol::ResponseHeader header;
  header.decode(reader, protocol::response_header_version<protocol::ProduceRequest>(produce_version_));
  if (producer.in_flight.empty() ||
      header.correlation_id != protocol::load_big<int32_t>(producer.in_flight.front().head.data() + 8)) {
    throw BrokerError("an answer out of order");
  }
  protocol::ProduceResponse response;
  response.decode(reader, produce_version_);
  if (!reader.ok()) throw BrokerError("a produce answer cannot be read");
  bool refused = false;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error == ErrorCode::none) continue;
      ++outcome_.produced.errors;
      if (outcome_.first_error == 0) outcome_.first_error = static_cast<int>(partition.error);
      refused = true;
    }
  }
  done(producer, now, refused);
}

// The oldest request of a connection has been answered, or, without acknowledgements, sent.
void Generator::done(Producer& producer, int64_t now, bool refused) {
  const Producer::Request& request = producer.in_flight.front();
  if (counting() && !refused) {
    ++outcome_.produced.requests;
    outcome_.produced.records += request.frame->records;
    outcome_.produced.payload += request.frame->payload;
    outcome_.produced.batch_bytes += request.frame->batch_bytes;
  }
  if (measured(request.due)) {
    outcome_.ack.record(now - request.due);
    if (measured_open_ > 0) --measured_open_;
  }
  producer.in_flight.pop_front();
  if (options_.acks == 0 && interval_ == 0 && sending() &&
      producer.outgoing.size() < static_cast<size_t>(options_.in_flight)) {
    start(producer, now);
  }
}

// ---- consuming ----

void Generator::ask(Consumer& consumer) {
  protocol::Writer body;
  consumer.request.encode(body, fetch_version_);
  protocol::Writer whole;
  for (const Bytes& piece : frame_of(protocol::FetchRequest::key, fetch_version_,
                                     protocol::request_header_version<protocol::FetchRequest>(fetch_version_),
                                     ++consumer.correlation, body.finish())) {
    whole.append(piece.span());
  }
  consumer.outgoing = whole.finish_whole();
  consumer.sent = 0;
  flush(consumer);
}

void Generator::flush(Consumer& consumer) {
  while (consumer.sent < consumer.outgoing.size()) {
    const ssize_t n = ::send(consumer.fd, consumer.outgoing.data() + consumer.sent,
                             consumer.outgoing.size() - consumer.sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) fail("send");
    if (n < 0) break;
    consumer.sent += static_cast<size_t>(n);
  }
  const bool wants_write = consumer.sent < consumer.outgoing.size();
  if (wants_write == consumer.wants_write) return;
  consumer.wants_write = wants_write;
  epoll_event event{};
  event.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = static_cast<Link*>(&consumer);
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, consumer.fd, &event);
}

void Generator::fetched(Consumer& consumer, std::span<const std::byte> frame, int64_t now) {
  protocol::Reader reader(Bytes(nullptr, frame));
  protocol::ResponseHeader header;
  header.decode(reader, protocol::response_header_version<protocol::FetchRequest>(fetch_version_));
  protocol::FetchResponse response;
  response.decode(reader, fetch_version_);
  if (!reader.ok()) throw BrokerError("a fetch answer cannot be read");
  if (counting()) ++outcome_.consumed.requests;
  auto& positions = consumer.request.topics.at(0).partitions;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error != ErrorCode::none) {
        ++outcome_.consumed.errors;
        if (outcome_.first_error == 0) outcome_.first_error = static_cast<int>(partition.error);
      }
      if (!partition.records) continue;
      // The answer's partitions are in the order of the question's, index p being at p / consumers.
      auto& position = positions.at(static_cast<size_t>(partition.index.value / options_.consumers));
      for (const Bytes& piece : partition.records->pieces) walk(consumer, position, piece, now);
    }
  }
  if (options_.until_end || options_.again) {
    const bool at_end = std::ranges::all_of(
        positions, [&](const auto& p) { return p.fetch_offset >= ends_[static_cast<size_t>(p.index.value)]; });
    if (at_end && options_.again) {
      for (auto& p : positions) p.fetch_offset = begins_[static_cast<size_t>(p.index.value)];
    } else if (at_end) {
      consumer.finished = true;
      return;
    }
  }
  if (sending() || end_to_end_) ask(consumer);
}

// Looks at the headers of the batches, as a client has to, and moves the position behind the last whole one.
void Generator::walk(Consumer&, protocol::FetchRequestPartition& position, const Bytes& records, int64_t now) {
  auto& underway = underway_[static_cast<size_t>(position.index.value)];
  size_t at = 0;
  while (records.size() - at >= protocol::batch_header_size) {
    const std::byte* const batch = records.data() + at;
    const size_t size = protocol::batch_prefix_size + protocol::load_big<uint32_t>(batch + 8);
    if (records.size() - at < size) break;
    const Offset next(protocol::load_big<int64_t>(batch) + protocol::load_big<int32_t>(batch + 23) + 1);
    at += size;
    if (next <= position.fetch_offset) continue;
    if (counting()) {
      const auto count = static_cast<uint64_t>(protocol::load_big<int32_t>(batch + 57));
      outcome_.consumed.records += count;
      outcome_.consumed.payload += count * options_.record_size;
      outcome_.consumed.batch_bytes += size;
    }
    position.fetch_offset = next;
    if (end_to_end_ && !underway.empty()) {
      if (measured(underway.front())) outcome_.end_to_end.record(now - underway.front());
      underway.pop_front();
    }
  }
}

}  // namespace millrace::bench
