// What the generated messages in protocol/messages stand on: the types only they use, and a description of each
// message (its fields, versions, nullability, tags) for tools that look at messages in general.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/errors.h"
#include "protocol/types.h"

namespace millrace::protocol {

class Reader;
class Writer;

enum class IsolationLevel : int8_t { read_uncommitted = 0, read_committed = 1 };

// A records field: read as one view into the frame, written from as many pieces as the log answered.
struct Records {
  std::vector<Bytes> pieces;

  Records() = default;
  Records(Bytes whole) { pieces.push_back(std::move(whole)); }
  Records(std::vector<Bytes> list) : pieces(std::move(list)) {}

  size_t size() const;
  bool empty() const { return size() == 0; }
  Bytes whole() const;  // copies when there are several pieces
  friend bool operator==(const Records&, const Records&);
};

enum class MessageKind : uint8_t {
  request,
  response,
  header,
  metadata,   // records of __cluster_metadata
  group_key,  // of __consumer_offsets
  group_value,
  transaction_key,  // of __transaction_state
  transaction_value,
  share_key,  // of __share_group_state
  share_value,
  control,  // values of control records
  other,
};

enum class WireForm : uint8_t {
  boolean,
  i8,
  i16,
  u16,
  i32,
  u32,
  i64,
  f64,
  uuid,
  string,
  plain_string,
  bytes,
  records,
  structure
};

struct Shape;

struct FieldShape {
  std::string_view name;
  WireForm form;
  bool array;
  int16_t first;  // the versions that carry it
  int16_t last;
  int16_t nullable_from;  // never: not at all
  int16_t tag;            // −1: none
  const Shape* structure;
};

struct Shape {
  const FieldShape* fields;
  size_t count;
};

constexpr int16_t never_flexible = INT16_MAX;

struct MessageInfo {
  std::string_view name;  // "FetchRequest"
  MessageKind kind;
  int16_t key;  // of the api, or of the kind of record; −1: none
  int16_t min_version;
  int16_t max_version;
  int16_t flexible_from;  // or never_flexible
  Shape shape;
};

// The version of the header that stands before a request, and before its response. Answers to ApiVersions always have
// the oldest header, because whoever asks does not know yet what we understand.
template <class Request>
constexpr int16_t request_header_version(int16_t version) {
  return version >= Request::flexible_from ? 2 : 1;
}
template <class Request>
constexpr int16_t response_header_version(int16_t version) {
  return Request::Response::header_version.value_or(version >= Request::flexible_from ? 1 : 0);
}

namespace generated {
extern const MessageInfo messages[];
extern const size_t message_count;
[[noreturn]] void not_in_version(std::string_view field, int16_t version);
[[noreturn]] void null_in_version(std::string_view field, int16_t version);
[[noreturn]] void no_version(std::string_view message, int16_t version);
int32_t narrow(Millis duration);  // as an int32, the nearest there is
}  // namespace generated

}  // namespace millrace::protocol
