#include "broker/session.h"

#include "broker/logging.h"
#include "protocol/errors.h"
#include "runtime/shard.h"

namespace millrace::broker {

namespace {

using dispatch_detail::api_versions_key;

// A client that does not read its answers is given up after this.
constexpr std::chrono::seconds write_timeout(60);

// How far requests of one connection may overlap. A single one may be larger.
constexpr size_t most_requests_under_way = 64;
constexpr size_t most_bytes_under_way = 8 << 20;

}  // namespace

Session::Session(std::unique_ptr<Connection> connection, std::shared_ptr<Peer> peer, const Dispatch& dispatch,
                 SessionLimits limits)
    : connection_(std::move(connection)),
      peer_(std::move(peer)),
      dispatch_(dispatch),
      limits_(limits),
      frames_(*connection_, limits.max_request_bytes) {}

Task<void> Session::run() {
  std::exception_ptr failure;
  try {
    co_await serve();
  } catch (...) {
    failure = std::current_exception();
  }
  busy_ = false;
  co_await all_answered();
  if (failure_) failure = failure_;  // that came first, and broke the rest
  try {
    if (failure) std::rethrow_exception(std::move(failure));
  } catch (const CloseConnection& reason) {
    log_debug("Closing " + to_string(peer_->address) + ": " + reason.what());
  } catch (const NetError& error) {
    log_debug("Connection to " + to_string(peer_->address) + " ended: " + error.what());
  } catch (const std::exception& error) {
    log_error("Closing " + to_string(peer_->address) + " after an unexpected failure: " + error.what());
  }
  connection_->close();
  co_await answering_.close();
}

Task<void> Session::serve() {
  while (!ending()) {
    std::optional<Bytes> frame = frames_.ready();
    if (!frame) frame = co_await next_frame();
    if (!frame) co_return;
    Request request = parse(std::move(*frame));
    frame.reset();
    if (!dispatch_.may_overlap(request.context.api_key)) {
      co_await all_answered();
      if (ending()) co_return;
      busy_ = true;
      co_await answer_alone(std::move(request));
      busy_ = false;
      continue;
    }
    while (!has_room_for(request) && !ending()) co_await answered_.wait();
    if (ending()) co_return;
    begin(std::move(request));
    while (turns_.taken()) co_await turns_.passed().wait();
  }
}

// Who waits for an answer is not idle.
Task<std::optional<Bytes>> Session::next_frame() {
  while (true) {
    const MonoTime deadline = after(limits_.max_idle);
    try {
      co_return co_await frames_.next(deadline);
    } catch (const NetError&) {
      if (answers_.empty() || ending() || now() < deadline) throw;
    }
  }
}

Session::Request Session::parse(Bytes frame) {
  protocol::Reader reader(frame);
  Request request;
  RequestContext& context = request.context;
  context.api_key = reader.i16();
  context.version = reader.i16();
  context.correlation = reader.i32();
  context.peer = peer_;
  context.held = frames_.held();
  request.size = frame.size();
  if (!reader.ok()) throw CloseConnection("a frame too short for a header");
  if (!dispatch_.serves(context.api_key, context.version)) {
    if (context.api_key == api_versions_key) return request;
    throw CloseConnection("api " + std::to_string(context.api_key) + " version " + std::to_string(context.version) +
                          " is not served");
  }
  // The client id never has the compact form, and any negative length means none.
  const int16_t length = reader.i16();
  if (length > 0) context.client_id = reader.take(static_cast<size_t>(length)).text();
  if (dispatch_.is_flexible(context.api_key, context.version)) reader.skip_tagged();
  if (!reader.ok()) throw CloseConnection("an unreadable request header");
  request.body = frame.slice(reader.position(), reader.remaining());
  note_use(context);
  return request;
}

void Session::note_use(const RequestContext& context) {
  const ApiVersion api{context.api_key, context.version};
  if (api == last_used_) return;
  last_used_ = api;
  peer_->used.insert(api);
  peer_->client_id = context.client_id;
}

// --- one at a time ---

Task<void> Session::answer_alone(Request request) {
  if (!dispatch_.serves(request.context.api_key, request.context.version)) {
    co_return co_await refuse_api_version(request.context.correlation);
  }
  std::optional<std::vector<Bytes>> parts =
      co_await dispatch_.handle(std::move(request.context), std::move(request.body));
  if (parts) co_await connection_->write(std::move(*parts), after(write_timeout));
}

// Body v0: error:i16 [key:i16 min:i16 max:i16]; every client can read it.
Task<void> Session::refuse_api_version(int32_t correlation) {
  AnswerWriter answer(correlation, false);
  answer.i16(static_cast<int16_t>(ErrorCode::unsupported_version));
  std::vector<ApiRange> ranges = dispatch_.advertised();
  std::erase_if(ranges, [](const ApiRange& range) { return range.key != api_versions_key; });
  answer.i32(static_cast<int32_t>(ranges.size()));
  for (const ApiRange& range : ranges) {
    answer.i16(range.key);
    answer.i16(range.min);
    answer.i16(range.max);
  }
  std::vector<Bytes> parts = answer.finish_answer();
  co_await connection_->write(std::move(parts), after(write_timeout));
}

// --- several at a time ---

bool Session::has_room_for(const Request& request) const {
  if (answers_.empty() && !writing_) return true;
  return answers_.size() < most_requests_under_way && bytes_under_way_ + request.size <= most_bytes_under_way;
}

void Session::begin(Request request) {
  request.context.turns = &turns_;
  request.context.turn = turns_.take();
  bytes_under_way_ += request.size;
  Answer& here = answers_.emplace_back();
  here.request_size = request.size;
  answering_.spawn(answer(here, std::move(request)));
}

Task<void> Session::answer(Answer& answer, Request request) {
  const Turns::Number turn = request.context.turn;
  try {
    std::optional<std::vector<Bytes>> parts =
        co_await dispatch_.handle(std::move(request.context), std::move(request.body));
    if (parts) answer.parts = std::move(*parts);
  } catch (...) {
    answer.failure = std::current_exception();
    broken_ = true;
  }
  answer.ready = true;
  turns_.pass(turn);
  if (writing_ || !answers_.front().ready) co_return;
  writing_ = true;
  answering_.spawn(write_answers());
}

Task<void> Session::write_answers() {
  // Others become ready in the same turn of the loop, and leave in the same packet.
  if (answers_.size() > 1) co_await yield();
  while (!answers_.empty() && answers_.front().ready) {
    std::exception_ptr failure = answers_.front().failure;
    if (failure) {
      fail(std::move(failure));
      answers_.pop_front();
      continue;
    }
    std::vector<Bytes> parts = take_ready();
    try {
      if (!failure_ && !parts.empty()) co_await connection_->write(std::move(parts), after(write_timeout));
    } catch (...) {
      fail(std::current_exception());
    }
    answered_.notify();
  }
  writing_ = false;
  answered_.notify();
  if (finishing_ && answers_.empty()) connection_->close();
}

// Of the oldest answers, those that are ready.
std::vector<Bytes> Session::take_ready() {
  std::vector<Bytes> parts = std::move(answers_.front().parts);
  bool first = true;
  while (!answers_.empty() && answers_.front().ready && !answers_.front().failure) {
    Answer& answer = answers_.front();
    if (!first)
      parts.insert(parts.end(), std::move_iterator(answer.parts.begin()), std::move_iterator(answer.parts.end()));
    first = false;
    bytes_under_way_ -= answer.request_size;
    answers_.pop_front();
  }
  return parts;
}

void Session::fail(std::exception_ptr failure) {
  broken_ = true;
  if (!failure_) failure_ = std::move(failure);
  connection_->close();
}

Task<void> Session::all_answered() {
  while (!answers_.empty() || writing_) co_await answered_.wait();
}

// --- the end ---

void Session::finish() {
  finishing_ = true;
  if (!busy_ && answers_.empty() && !writing_) connection_->close();
}

void Session::close() {
  finishing_ = true;
  connection_->close();
}

}  // namespace millrace::broker
