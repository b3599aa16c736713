// Text is UTF-8; Flink counts characters (code points) in some functions and UTF-16 units in others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::processing {

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// How many bytes the character beginning with this byte has; 1 for a stray byte.
inline size_t character_size(char lead) {
  unsigned char c = static_cast<unsigned char>(lead);
  return c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
}

inline size_t count_characters(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += is_continuation(c) ? 0 : 1;
  return n;
}

// The byte position of character `index`, or the size of the text.
size_t character_position(std::string_view text, size_t index);
// Characters [from, from + count).
std::string_view character_slice(std::string_view text, size_t from, size_t count);
// The characters backwards.
std::string reversed(std::string_view text);

// Malformed bytes become U+FFFD; lone surrogates become '?', as Java encodes them.
std::u16string to_utf16(std::string_view text);
std::string to_utf8(std::u16string_view text);
bool is_ascii(std::string_view text);
void append_code_point(std::string& out, char32_t c);
// The character at `at`, decoded as far as it is UTF-8.
uint32_t code_point(const char* at, const char* end);

}  // namespace millrace::processing
