// Prints random messages, one a line: name, version, bytes in hex, description. For
// tests/conformance/MessageBytes.java, which reads them with Kafka's own classes.
//   print_messages [COUNT [SEED]]     COUNT of each message and version
#include <cstdio>
#include <cstdlib>

#include "protocol/registry.h"
#include "tests/protocol/codec.h"
#include "tests/protocol/random_message.h"

using namespace millrace;
using namespace millrace::protocol;

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 1;
  Prng prng{argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1};
  for (int16_t code = -1; code < 1000; ++code)
    if (const std::optional<ErrorCode> error = error_numbered(code))
      std::printf("!error\t%d\t%s\t%s\n", code, std::string(name(*error)).c_str(),
                  retriable(*error) ? "true" : "false");
  for (const Codec& codec : all_codecs())
    for (int16_t version = codec.message->min_version; version <= codec.message->max_version; ++version)
      for (int i = 0; i < count; ++i) {
        const Bytes body = random_body(*codec.message, prng, version, {.longest_array = 2, .longest_text = 5});
        const Bytes written = codec.round_trip(body, version).written;
        std::printf("%.*s\t%d\t", static_cast<int>(codec.message->name.size()), codec.message->name.data(), version);
        for (const std::byte b : written.span()) std::printf("%02x", static_cast<unsigned>(b));
        std::printf("\t%s\n", describe(*codec.message, written, version).value_or("").c_str());
      }
}
