#include "broker/session.h"

#include "broker/logging.h"
#include "protocol/errors.h"
#include "runtime/shard.h"

namespace millrace::broker {

namespace {

constexpr int16_t api_versions_key = 18;

// A client that does not read its answers is given up after this.
constexpr std::chrono::seconds write_timeout(60);

}  // namespace

Session::Session(std::unique_ptr<Connection> connection, std::shared_ptr<Peer> peer, const Dispatch& dispatch,
                 SessionLimits limits)
    : connection_(std::move(connection)),
      peer_(std::move(peer)),
      dispatch_(dispatch),
      limits_(limits),
      frames_(*connection_, limits.max_request_bytes) {}

Task<void> Session::run() {
  try {
    while (!finishing_) {
      std::optional<Bytes> frame = co_await frames_.next(after(limits_.max_idle));
      if (!frame) break;
      busy_ = true;
      co_await serve(std::move(*frame));
      busy_ = false;
    }
  } catch (const CloseConnection& reason) {
    log_debug("Closing " + to_string(peer_->address) + ": " + reason.what());
  } catch (const NetError& error) {
    log_debug("Connection to " + to_string(peer_->address) + " ended: " + error.what());
  } catch (const std::exception& error) {
    log_error("Closing " + to_string(peer_->address) + " after an unexpected failure: " + error.what());
  }
  busy_ = false;
  connection_->close();
}

Task<void> Session::serve(Bytes frame) {
  protocol::Reader reader(frame);
  RequestContext context;
  context.api_key = reader.i16();
  context.version = reader.i16();
  context.correlation = reader.i32();
  context.peer = peer_;
  context.held = frames_.held();
  if (!reader.ok()) throw CloseConnection("a frame too short for a header");
  if (!dispatch_.serves(context.api_key, context.version)) {
    if (context.api_key == api_versions_key) co_return co_await refuse_api_version(std::move(context));
    throw CloseConnection("api " + std::to_string(context.api_key) + " version " + std::to_string(context.version) +
                          " is not served");
  }
  // The client id never has the compact form, and any negative length means none.
  const int16_t length = reader.i16();
  if (length > 0) context.client_id = reader.take(static_cast<size_t>(length)).text();
  if (dispatch_.is_flexible(context.api_key, context.version)) reader.skip_tagged();
  if (!reader.ok()) throw CloseConnection("an unreadable request header");
  Bytes body = frame.slice(reader.position(), reader.remaining());
  frame = {};

  note_use(context);
  const RequestContext kept = context;
  std::optional<std::vector<Bytes>> answer = co_await dispatch_.handle(std::move(context), std::move(body));
  if (answer) co_await send(kept, std::move(*answer));
}

void Session::note_use(const RequestContext& context) {
  const ApiVersion api{context.api_key, context.version};
  if (api == last_used_) return;
  last_used_ = api;
  peer_->used.insert(api);
  peer_->client_id = context.client_id;
}

Task<void> Session::send(const RequestContext& context, std::vector<Bytes> body) {
  const bool tagged = context.api_key != api_versions_key && dispatch_.is_flexible(context.api_key, context.version);
  size_t size = tagged ? 5 : 4;
  for (const Bytes& piece : body) size += piece.size();
  protocol::Writer head;
  head.i32(static_cast<int32_t>(size));
  head.i32(context.correlation);
  if (tagged) head.uvarint(0);
  std::vector<Bytes> parts = head.finish();
  parts.insert(parts.end(), std::make_move_iterator(body.begin()), std::make_move_iterator(body.end()));
  co_await connection_->write(std::move(parts), after(write_timeout));
}

// Body v0: error:i16 [key:i16 min:i16 max:i16]; every client can read it.
Task<void> Session::refuse_api_version(RequestContext context) {
  protocol::Writer body;
  body.i16(static_cast<int16_t>(ErrorCode::unsupported_version));
  std::vector<ApiRange> ranges = dispatch_.advertised();
  std::erase_if(ranges, [](const ApiRange& range) { return range.key != api_versions_key; });
  body.i32(static_cast<int32_t>(ranges.size()));
  for (const ApiRange& range : ranges) {
    body.i16(range.key);
    body.i16(range.min);
    body.i16(range.max);
  }
  context.version = 0;
  std::vector<Bytes> pieces = body.finish();
  co_await send(context, std::move(pieces));
}

void Session::finish() {
  finishing_ = true;
  if (!busy_) connection_->close();
}

void Session::close() {
  finishing_ = true;
  connection_->close();
}

}  // namespace millrace::broker
