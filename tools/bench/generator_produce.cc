// Sending what is due, and taking the acknowledgements.
#include <sys/socket.h>

#include <cerrno>

#include "protocol/messages/headers.h"
#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"
#include "tools/bench/generator_links.h"
#include "tools/bench/setup_client.h"

namespace millrace::bench {

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
  want_to_write(producer, !producer.outgoing.empty());
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
      count_error(outcome_.produced, partition.error);
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

}  // namespace millrace::bench
