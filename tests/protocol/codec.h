// Every message behind one function type, so that one test or fuzzer covers them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/message.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace millrace::protocol {

// What came of reading some bytes as a message, and of writing that message again.
struct RoundTrip {
  bool read = false;  // the bytes are such a message
  size_t left = 0;    // bytes behind it
  Bytes written;      // the message again
  bool same = false;  // what was written reads as an equal message
};

struct Codec {
  const MessageInfo* message;
  bool (*reads)(Bytes body, int16_t version);
  RoundTrip (*round_trip)(Bytes body, int16_t version);
};

template <class M>
Codec codec_of() {
  Codec codec;
  codec.message = &M::info();
  codec.reads = [](Bytes body, int16_t version) {
    Reader reader(std::move(body));
    M message;
    message.decode(reader, version);
    return reader.ok();
  };
  codec.round_trip = [](Bytes body, int16_t version) {
    RoundTrip result;
    Reader reader(std::move(body));
    M message;
    message.decode(reader, version);
    result.read = reader.ok();
    if (!result.read) return result;
    result.left = reader.remaining();
    Writer writer;
    message.encode(writer, version);
    result.written = writer.finish_whole();
    Reader again(result.written);
    M copy;
    copy.decode(again, version);
    result.same = again.ok() && again.remaining() == 0 && copy == message;
    return result;
  };
  return codec;
}

template <int unit>
void add_codecs(std::vector<Codec>& all);

// Of every message.
const std::vector<Codec>& all_codecs();

}  // namespace millrace::protocol
