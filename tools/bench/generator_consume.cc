// Fetching from where the consumers are, and looking at what comes.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "protocol/messages/headers.h"
#include "protocol/record_batch.h"
#include "tools/bench/generator_links.h"
#include "tools/bench/setup_client.h"

namespace millrace::bench {

void Generator::ask(Consumer& consumer) {
  consumer.session.ask(consumer.request);
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
  want_to_write(consumer, consumer.sent < consumer.outgoing.size());
}

void Generator::fetched(Consumer& consumer, std::span<const std::byte> frame, int64_t now) {
  protocol::Reader reader(Bytes(nullptr, frame));
  protocol::ResponseHeader header;
  header.decode(reader, protocol::response_header_version<protocol::FetchRequest>(fetch_version_));
  protocol::FetchResponse response;
  response.decode(reader, fetch_version_);
  if (!reader.ok()) throw BrokerError("a fetch answer cannot be read");
  if (counting()) ++outcome_.consumed.requests;
  consumer.finished = !take(consumer.session, response, now);
  if (!consumer.finished && (sending() || end_to_end_)) ask(consumer);
}

// False when the consumer has read all it should.
bool Generator::take(FetchSession& session, const protocol::FetchResponse& response, int64_t now) {
  const bool session_lost = response.error == ErrorCode::fetch_session_id_not_found ||
                            response.error == ErrorCode::invalid_fetch_session_epoch;
  if (response.error != ErrorCode::none && !session_lost) count_error(outcome_.consumed, response.error);
  if (!session.answered(response)) return true;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error != ErrorCode::none) count_error(outcome_.consumed, partition.error);
      const size_t place = session.place_of(partition.index);
      if (place == session.size()) throw BrokerError("a fetch answer about what was not asked for");
      if (!partition.records) continue;
      for (const Bytes& piece : partition.records->pieces) walk(session, place, piece, now);
    }
  }
  return (!options_.until_end && !options_.again) || turn_back(session);
}

// At the ends that the partitions had at the start: --again starts over in all at once, --until-end leaves each alone.
bool Generator::turn_back(FetchSession& session) {
  bool at_end = true;
  for (size_t i = 0; i < session.size(); ++i) {
    const bool behind = session.at(i).fetch_offset < ends_[static_cast<size_t>(session.at(i).index.value)];
    if (!behind && options_.until_end) session.forget(i);
    at_end = at_end && !behind;
  }
  if (!at_end) return true;
  if (options_.again) {
    for (size_t i = 0; i < session.size(); ++i) {
      session.move(i, begins_[static_cast<size_t>(session.at(i).index.value)]);
    }
  }
  return options_.again;
}

// Looks at the headers of the batches, as a client has to, and moves the position behind the last whole one.
void Generator::walk(FetchSession& session, size_t place, const Bytes& records, int64_t now) {
  auto& underway = underway_[static_cast<size_t>(session.at(place).index.value)];
  size_t at = 0;
  while (records.size() - at >= protocol::batch_header_size) {
    const std::byte* const batch = records.data() + at;
    const size_t size = protocol::batch_prefix_size + protocol::load_big<uint32_t>(batch + 8);
    if (records.size() - at < size) break;
    const Offset next(protocol::load_big<int64_t>(batch) + protocol::load_big<int32_t>(batch + 23) + 1);
    at += size;
    if (next <= session.at(place).fetch_offset) continue;
    if (counting()) {
      const auto count = static_cast<uint64_t>(protocol::load_big<int32_t>(batch + 57));
      outcome_.consumed.records += count;
      outcome_.consumed.payload += count * options_.record_size;
      outcome_.consumed.batch_bytes += size;
    }
    session.move(place, next);
    if (end_to_end_ && !underway.empty()) {
      if (measured(underway.front())) outcome_.end_to_end.record(now - underway.front());
      underway.pop_front();
    }
  }
}

}  // namespace millrace::bench
