#include "processing/functions/utf8.h"

#include <algorithm>

namespace millrace::processing {

size_t character_position(std::string_view text, size_t index) {
  size_t at = 0;
  while (at < text.size() && index > 0) {
    at += character_size(text[at]);
    --index;
  }
  return std::min(at, text.size());
}

std::string_view character_slice(std::string_view text, size_t from, size_t count) {
  size_t begin = character_position(text, from);
  text.remove_prefix(begin);
  return text.substr(0, character_position(text, count));
}

std::string reversed(std::string_view text) {
  std::string out(text.size(), '\0');
  size_t end = text.size();
  for (size_t i = 0; i < text.size();) {
    size_t n = std::min(character_size(text[i]), text.size() - i);
    end -= n;
    std::copy_n(text.data() + i, n, out.data() + end);
    i += n;
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::u16string to_utf16(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  size_t i = 0;
  while (i < text.size()) {
    unsigned char lead = static_cast<unsigned char>(text[i]);
    size_t size = character_size(text[i]);
    char32_t c = size == 1 ? lead : lead & (0xff >> (size + 1));
    bool good = lead < 0x80 || size > 1;
    for (size_t k = 1; k < size && good; ++k) {
      good = i + k < text.size() && is_continuation(text[i + k]);
      if (good) c = (c << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    }
    if (!good || c > 0x10ffff) {
      out.push_back(u'\ufffd');
      ++i;
      continue;
    }
    if (c >= 0x10000) {
      out.push_back(static_cast<char16_t>(0xd800 + ((c - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xdc00 + ((c - 0x10000) & 0x3ff)));
    } else {
      out.push_back(static_cast<char16_t>(c));
    }
    i += size;
  }
  return out;
}

void append_code_point(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | (c >> 18)));
    out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

uint32_t code_point(const char* at, const char* end) {
  const auto byte = [&](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(at[i])); };
  const uint32_t c = byte(0);
  const auto left = end - at;
  if (c < 0x80) return c;
  if ((c & 0xe0) == 0xc0 && left >= 2) return ((c & 0x1f) << 6) | (byte(1) & 0x3f);
  if ((c & 0xf0) == 0xe0 && left >= 3) return ((c & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f);
  if ((c & 0xf8) == 0xf0 && left >= 4)
    return ((c & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f);
  return c;
}

std::string to_utf8(std::u16string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    if (c >= 0xd800 && c <= 0xdbff && i + 1 < text.size() && text[i + 1] >= 0xdc00 && text[i + 1] <= 0xdfff) {
      c = 0x10000 + ((c - 0xd800) << 10) + (static_cast<char32_t>(text[++i]) - 0xdc00);
    } else if (c >= 0xd800 && c <= 0xdfff) {
      c = '?';
    }
    append_code_point(out, c);
  }
  return out;
}

}  // namespace millrace::processing
