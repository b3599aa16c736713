// Text forms of the ids.
#include "protocol/types.h"

#include <stdexcept>
#include <string_view>

#include "protocol/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

namespace {
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string to_string(const Uuid& id) {
  // 128 bits and four zero bits make 22 characters of six bits.
  std::string text(22, 'A');
  for (int i = 0; i < 22; ++i) {
    unsigned six = 0;
    for (int b = 0; b < 6; ++b) {
      const int bit = i * 6 + b;
      unsigned value = 0;
      if (bit < 64) {
        value = static_cast<unsigned>(id.high >> (63 - bit)) & 1u;
      } else if (bit < 128) {
        value = static_cast<unsigned>(id.low >> (127 - bit)) & 1u;
      }
      six = six << 1 | value;
    }
    text[static_cast<size_t>(i)] = alphabet[six];
  }
  return text;
}

Uuid parse_uuid(std::string_view text) {
  if (text.size() != 22)
    throw std::invalid_argument("a uuid has 22 base64url characters, not " + std::to_string(text.size()));
  Uuid id;
  for (int i = 0; i < 22; ++i) {
    const size_t six = alphabet.find(text[static_cast<size_t>(i)]);
    if (six == std::string_view::npos) throw std::invalid_argument("not a base64url character in a uuid");
    for (int b = 0; b < 6; ++b) {
      const int bit = i * 6 + b;
      const uint64_t value = six >> (5 - b) & 1u;
      if (bit < 64) {
        id.high |= value << (63 - bit);
      } else if (bit < 128) {
        id.low |= value << (127 - bit);
      }
    }
  }
  return id;
}

void check_failed(std::source_location where) {
  std::fprintf(stderr, "millrace: check failed at %s:%u in %s\n", where.file_name(), where.line(),
               where.function_name());
  std::abort();
}

}  // namespace millrace
