// Text: case, length, characters and parts of it. Positions count characters from 1.
#include <unicode/ucasemap.h>

#include <algorithm>
#include <limits>

#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

// ---- case ----

using CaseMapper = int32_t (*)(const UCaseMap*, char*, int32_t, const char*, int32_t, UErrorCode*);

std::string map_case(std::string_view text, CaseMapper mapper) {
  UErrorCode error = U_ZERO_ERROR;
  static UCaseMap* map = ucasemap_open("", 0, &error);
  std::string out(text.size() + 8, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    error = U_ZERO_ERROR;
    int32_t size = mapper(map, out.data(), static_cast<int32_t>(out.size()), text.data(),
                          static_cast<int32_t>(text.size()), &error);
    out.resize(static_cast<size_t>(size));
    if (error != U_BUFFER_OVERFLOW_ERROR) break;
  }
  return out;
}

std::string upper(std::string_view text) {
  if (!is_ascii(text)) return map_case(text, ucasemap_utf8ToUpper);
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

std::string lower(std::string_view text) {
  if (!is_ascii(text)) return map_case(text, ucasemap_utf8ToLower);
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// Knows ASCII letters and digits only; anything else separates words.
std::string initcap(std::string_view text) {
  std::string out(text);
  bool start = true;
  for (char& c : out) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    if (letter) c = static_cast<char>(start ? c & ~0x20 : c | 0x20);
    start = !letter && !digit;
  }
  return out;
}

// ---- characters and parts ----

std::string chr(int64_t c) {
  std::string out;
  if (c >= 0) append_code_point(out, static_cast<char32_t>(c & 0xff));
  return out;
}

std::optional<std::string_view> substring(std::string_view text, int64_t position, int64_t length) {
  if (length < 0) return std::nullopt;
  if (text.empty()) return text;
  int64_t size = static_cast<int64_t>(count_characters(text));
  int64_t start = position > 0 ? position - 1 : position < 0 ? size + position : 0;
  if (start >= size || start < 0) return text.substr(0, 0);
  return character_slice(text, static_cast<size_t>(start), static_cast<size_t>(std::min(length, size - start)));
}

void bind_substring(Binding& b) {
  b.by_letters("xl[l", "");
  const DataType& text = b.arg(0);
  b.type =
      (text.is_bytes() ? DataType::varbinary(text.precision) : DataType::varchar(text.precision)).with_nullable(true);
  b.kernel = b.count() == 2
                 ? Kernel(lift<[](std::string_view s, int64_t from) {
                     return substring(s, from, std::numeric_limits<int32_t>::max());
                   }>)
                 : Kernel(lift<[](std::string_view s, int64_t from, int64_t n) { return substring(s, from, n); }>);
}

std::string_view left(std::string_view text, int32_t n) {
  return n <= 0 ? text.substr(0, 0) : character_slice(text, 0, static_cast<size_t>(n));
}
std::string_view right(std::string_view text, int32_t n) {
  if (n <= 0) return text.substr(0, 0);
  size_t size = count_characters(text);
  return static_cast<size_t>(n) >= size ? text : character_slice(text, size - static_cast<size_t>(n), size);
}

void bind_side(Binding& b) {
  b.by_letters("si", "");
  b.type = DataType::varchar(b.arg(0).precision).with_nullable(true);
}

std::optional<std::string_view> split_index(std::string_view text, std::string_view separator, int32_t index) {
  if (index < 0 || text.empty()) return std::nullopt;
  if (separator.empty()) separator = " ";
  for (;;) {
    size_t at = text.find(separator);
    if (index == 0) return text.substr(0, at);
    if (at == std::string_view::npos) return std::nullopt;
    text.remove_prefix(at + separator.size());
    --index;
  }
}

void bind_split_index(Binding& b) {
  if (b.count() == 3 && b.arg(1).is_integral()) {
    b.by_letters("sii", "s?");
    b.kernel = lift<[](std::string_view s, int32_t c, int32_t index) -> std::optional<std::string_view> {
      if (c > 255 || c < 1) return std::nullopt;
      std::string separator;
      append_code_point(separator, static_cast<char32_t>(c));
      return split_index(s, separator, index);
    }>;
    return;
  }
  b.by_letters("ssi", "s?");
}

}  // namespace

std::vector<Function> string_functions() {
  using S = std::string_view;
  return {
      {{"UPPER", "UCASE"}, "string", "UPPER(s)", "s", "=", lift<[](S s) { return upper(s); }>},
      {{"LOWER", "LCASE"}, "string", "LOWER(s)", "s", "=", lift<[](S s) { return lower(s); }>},
      {{"INITCAP"}, "string", "INITCAP(s)", "s", "=", lift<[](S s) { return initcap(s); }>},
      {{"CHAR_LENGTH", "CHARACTER_LENGTH"},
       "string",
       "CHAR_LENGTH(s)",
       "s",
       "i",
       lift<[](S s) { return static_cast<int32_t>(count_characters(s)); }>},
      {{"ASCII"},
       "string",
       "ASCII(s)",
       "s",
       "i",
       lift<[](S s) -> int32_t { return s.empty() ? 0 : static_cast<signed char>(s[0]); }>},
      {{"CHR"}, "string", "CHR(n)", "l", "s?", lift<[](int64_t c) { return chr(c); }>},
      {{"REVERSE"}, "string", "REVERSE(s)", "s", "s?", lift<[](S s) { return reversed(s); }>},
      {{"LEFT"}, "string", "LEFT(s, n)", "", "", lift<[](S s, int32_t n) { return left(s, n); }>, bind_side},
      {{"RIGHT"}, "string", "RIGHT(s, n)", "", "", lift<[](S s, int32_t n) { return right(s, n); }>, bind_side},
      {{"SUBSTRING", "SUBSTR"}, "string", "SUBSTRING(s FROM n [FOR m])", "", "", nullptr, bind_substring},
      {{"SPLIT_INDEX"},
       "string",
       "SPLIT_INDEX(s, separator, index)",
       "",
       "",
       lift<[](S s, S separator, int32_t index) { return split_index(s, separator, index); }>,
       bind_split_index},
  };
}

}  // namespace millrace::processing
