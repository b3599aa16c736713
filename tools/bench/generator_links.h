// The connections of a load: what each has sent, is sending, and has received.
#pragma once

#include <unistd.h>

#include <array>
#include <deque>
#include <vector>

#include "tools/bench/fetch_session.h"
#include "tools/bench/generator.h"

namespace millrace::bench {

int64_t clock_now();                       // nanoseconds
[[noreturn]] void fail(const char* what);  // with errno

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
  explicit Consumer(FetchSession positions) : session(std::move(positions)) {}

  FetchSession session;
  protocol::FetchRequest request;  // the next one, or the one underway
  int32_t correlation = 0;
  Bytes outgoing;
  size_t sent = 0;
  bool finished = false;
};

}  // namespace millrace::bench
