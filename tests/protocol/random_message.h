// Random messages, made as bytes from the description of a message: nothing here knows the generated code, so the two
// check each other.
#pragma once

#include <cstdint>

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "protocol/message.h"
#include "protocol/reader.h"

namespace millrace::protocol {

// splitmix64
struct Prng {
  uint64_t state;

  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
};

struct RandomShape {
  uint64_t longest_array = 3;
  uint64_t longest_text = 12;
  bool unknown_tags = false;  // also tagged fields that nobody knows
};

// The body of such a message in that version.
Bytes random_body(const MessageInfo& message, Prng& prng, int16_t version, RandomShape shape = {});

template <class M>
M random_message(Prng& prng, int16_t version) {
  Reader reader(random_body(M::info(), prng, version));
  M message;
  message.decode(reader, version);
  check(reader.ok() && reader.remaining() == 0);
  return message;
}

}  // namespace millrace::protocol
