// Any bytes as any message in any version: reading them never does harm, and what was read is written and read again
// without change. Input: number of the message (two bytes), version (one byte), body.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/check.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/protocol/codec.h"
#include "tests/protocol/random_message.h"

using namespace millrace;
using namespace millrace::protocol;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::vector<Codec>& all = all_codecs();
  const Codec& codec = all[(data[0] << 8 | data[1]) % all.size()];
  const int versions = codec.message->max_version - codec.message->min_version + 1;
  const int16_t version = static_cast<int16_t>(codec.message->min_version + data[2] % versions);
  const Bytes body = Bytes::copy_of(std::as_bytes(std::span(data + 3, size - 3)));
  const RoundTrip first = codec.round_trip(body, version);
  if (!first.read) return 0;
  const RoundTrip second = codec.round_trip(first.written, version);
  check(second.read && second.left == 0 && second.written == first.written);
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  Prng prng{number};
  const std::vector<Codec>& all = all_codecs();
  const size_t index = number % all.size();
  const MessageInfo& message = *all[index].message;
  const int versions = message.max_version - message.min_version + 1;
  const int choice = static_cast<int>(prng.below(static_cast<uint64_t>(versions)));
  const Bytes body = random_body(message, prng, static_cast<int16_t>(message.min_version + choice));
  std::vector<uint8_t> input = {static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index),
                                static_cast<uint8_t>(choice)};
  for (const std::byte b : body.span()) input.push_back(static_cast<uint8_t>(b));
  return input;
}
