// Session: one client connection, from its first byte to its last.
//
//   request  := size:i32 key:i16 version:i16 correlation:i32 client_id:string? [tagged] body
//   response := size:i32 correlation:i32 [tagged] body           tagged: flexible versions only; never for ApiVersions
//
//   frame ─┬─ may overlap (Produce): begins when the one before has passed the turn ─┬→ answers_ → all that are ready,
//          └─ any other: begins when all before it are answered, holds back the next ┘            in one write
//
// Answers leave in the order of the requests, whatever is ready first. What cannot be understood closes the connection
// without a word once everything before it is answered, except an ApiVersions of an unknown version, which is told what
// we know.
#pragma once

#include <deque>
#include <exception>
#include <memory>

#include "broker/dispatch.h"
#include "broker/frame_reader.h"
#include "runtime/gate.h"
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
  // Ends now when nothing is being answered, else after the answers to what has begun.
  void finish();
  // Ends now.
  void close();

 private:
  struct Request {
    RequestContext context;
    Bytes body;
    size_t size = 0;
  };
  // To a request that has begun.
  struct Answer {
    size_t request_size = 0;
    bool ready = false;
    std::vector<Bytes> parts;    // none: there is nothing to say
    std::exception_ptr failure;  // instead of an answer, the end of the connection
  };

  Task<void> serve();
  Task<std::optional<Bytes>> next_frame();
  Request parse(Bytes frame);
  void note_use(const RequestContext& context);

  Task<void> answer_alone(Request request);
  Task<void> refuse_api_version(int32_t correlation);

  bool has_room_for(const Request& request) const;
  void begin(Request request);
  Task<void> answer(Answer& answer, Request request);
  Task<void> write_answers();
  std::vector<Bytes> take_ready();
  void fail(std::exception_ptr failure);
  Task<void> all_answered();
  bool ending() const { return finishing_ || broken_; }

  std::unique_ptr<Connection> connection_;
  std::shared_ptr<Peer> peer_;
  const Dispatch& dispatch_;
  SessionLimits limits_;
  FrameReader frames_;
  ApiVersion last_used_{-1, -1};

  Turns turns_;
  std::deque<Answer> answers_;  // those to come, the oldest first
  size_t bytes_under_way_ = 0;  // of their requests
  bool writing_ = false;
  Event answered_;     // answers have left, or never will
  bool busy_ = false;  // with a request that is answered alone
  bool finishing_ = false;
  bool broken_ = false;         // nothing more is read: some request has failed, or the connection has
  std::exception_ptr failure_;  // why nothing more is written
  Gate answering_;
};

}  // namespace millrace::broker
