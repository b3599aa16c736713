// Session: one client connection, from its first byte to its last.
//
//   request  := size:i32 key:i16 version:i16 correlation:i32 client_id:string? [tagged] body
//   response := size:i32 correlation:i32 [tagged] body           tagged: flexible versions only; never for ApiVersions
//
// One request at a time, answered in order, as Kafka does: a fetch that waits holds back what is behind it. What cannot
// be understood closes the connection without a word, except an ApiVersions of an unknown version, which is told what
// we know.
#pragma once

#include <memory>

#include "broker/dispatch.h"
#include "broker/frame_reader.h"
#include "runtime/net.h"

namespace millrace::broker {

struct SessionLimits {
  int32_t max_request_bytes = 100 << 20;
  Millis max_idle = std::chrono::minutes(10);
};

class Session {
 public:
  Session(std::unique_ptr<Connection> connection, std::shared_ptr<Peer> peer, const Dispatch& dispatch,
          SessionLimits limits);

  // Until the peer has finished, broken a rule or been idle too long, or the session was asked to end.
  Task<void> run();
  // Ends now when nothing is being answered, else after that answer.
  void finish();
  // Ends now.
  void close();

 private:
  Task<void> serve(Bytes frame);
  Task<void> send(const RequestContext& context, std::vector<Bytes> body);
  Task<void> refuse_api_version(RequestContext context);
  void note_use(const RequestContext& context);

  std::unique_ptr<Connection> connection_;
  std::shared_ptr<Peer> peer_;
  const Dispatch& dispatch_;
  SessionLimits limits_;
  FrameReader frames_;
  ApiVersion last_used_{-1, -1};
  bool busy_ = false;
  bool finishing_ = false;
};

}  // namespace millrace::broker
