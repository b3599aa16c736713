// The schedule of a run, its phases, and the sockets.
#include "tools/bench/generator.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/record_batch.h"
#include "tools/bench/generator_links.h"
#include "tools/bench/setup_client.h"

namespace millrace::bench {

namespace {

constexpr int64_t second = 1'000'000'000;
constexpr int64_t millisecond = 1'000'000;

}  // namespace

int64_t clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * second + now.tv_nsec;
}

void fail(const char* what) { throw BrokerError(std::string(what) + ": " + std::strerror(errno)); }

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
    std::vector<FetchSession::Partition> positions;
    for (int p = i % options.partitions; p < options.partitions; p += options.consumers) {
      auto& partition = positions.emplace_back();
      partition.index = PartitionId(p);
      partition.partition_max_bytes = options.partition_max;
      partition.fetch_offset = (options.from_end ? ends_ : begins_).at(static_cast<size_t>(p));
    }
    auto consumer =
        std::make_unique<Consumer>(FetchSession(options.topic, topic, std::move(positions), options.sessions));
    protocol::FetchRequest& request = consumer->request;
    request.max_wait = Millis(options.max_wait_ms);
    request.min_bytes = options.fetch_min;
    request.max_bytes = options.fetch_max;
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
  for (const auto& consumer : consumers_) outcome_.sessions_begun += consumer->session.begun();
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

void Generator::count_error(Flow& flow, ErrorCode error) {
  ++flow.errors;
  if (outcome_.first_error == 0) outcome_.first_error = static_cast<int>(error);
}

// Whether the link is to be told when its socket takes more.
void Generator::want_to_write(Link& link, bool wants_write) {
  if (wants_write == link.wants_write) return;
  link.wants_write = wants_write;
  epoll_event event{};
  event.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &link;
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, link.fd, &event) != 0) fail("epoll_ctl");
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

}  // namespace millrace::bench
