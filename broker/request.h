// What a handler knows about the request beside its body.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "protocol/types.h"
#include "runtime/event.h"
#include "runtime/net.h"

namespace millrace::broker {

struct ApiVersion {
  int16_t key = 0;
  int16_t version = 0;
  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

// Who is at the other end; one per connection, shared by its requests.
struct Peer {
  uint64_t connection = 0;  // unique within this process
  std::string listener;     // the listener's name, PLAINTEXT by default
  Address address;
  std::string principal = "User:ANONYMOUS";
  std::string software_name = "unknown";  // from ApiVersions v3+
  std::string software_version = "unknown";
  std::string client_id;      // of its latest request
  std::set<ApiVersion> used;  // what it asked for that we serve
};

// Whose turn it is on a connection. A request has the turn from its beginning to its answer, unless it passes the turn
// on earlier: then the next one begins, and both wait at the same time. Answers keep the order of the requests.
class Turns {
 public:
  using Number = uint64_t;

  Number take() {
    taken_ = true;
    return ++latest_;
  }
  // Means nothing once it was passed already.
  void pass(Number turn) {
    if (turn != latest_ || !taken_) return;
    taken_ = false;
    passed_.notify();
  }
  bool taken() const { return taken_; }
  Event& passed() { return passed_; }

 private:
  Number latest_ = 0;
  bool taken_ = false;
  Event passed_;
};

struct RequestContext {
  int16_t api_key = 0;
  int16_t version = 0;
  int32_t correlation = 0;
  std::string client_id;  // "" when the client sent none
  std::shared_ptr<Peer> peer;
  size_t held = 0;         // memory that goes when nothing of the request is kept; 0: it is not for the handler to keep
  Turns* turns = nullptr;  // of its connection, where the next request may begin before this one is answered
  Turns::Number turn = 0;

  // "/127.0.0.1", as group descriptions show it.
  std::string client_host() const { return peer ? "/" + peer->address.host : "/"; }
  // All that must happen in the order of the requests has happened. On the connection's shard.
  void pass_turn() const {
    if (turns != nullptr) turns->pass(turn);
  }
};

// The connection is closed without an answer: an unreadable frame, or an acks=0 produce that failed.
class CloseConnection : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace millrace::broker
