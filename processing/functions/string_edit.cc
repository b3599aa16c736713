// Text made longer, or other than it was: padding, repeating, replacing. Lengths and places count UTF-16 units.
#include <algorithm>

#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

template <bool Left>
std::optional<std::string> pad(std::string_view text, int32_t length, std::string_view with) {
  if (length < 0 || with.empty()) return std::nullopt;
  size_t n = static_cast<size_t>(length);
  auto build = [&](auto base, auto filler) {
    auto kept = base.substr(0, std::min(n, base.size()));
    std::basic_string<typename decltype(base)::value_type> padding;
    while (padding.size() < n - kept.size()) padding += filler;
    padding.resize(n - kept.size());
    if (Left) return padding.append(kept);
    return std::basic_string<typename decltype(base)::value_type>(kept).append(padding);
  };
  if (is_ascii(text) && is_ascii(with)) return build(text, with);
  return to_utf8(build(to_utf16(text), to_utf16(with)));
}

std::string repeat(std::string_view text, int32_t n) {
  std::string out;
  for (int32_t i = 0; i < n; ++i) out += text;
  return out;
}

std::string replace(std::string_view text, std::string_view search, std::string_view with) {
  if (search.empty()) {
    std::u16string units = to_utf16(text), between = to_utf16(with), out = between;
    for (char16_t unit : units) {
      out += unit;
      out += between;
    }
    return to_utf8(out);
  }
  std::string out;
  size_t from = 0;
  for (size_t at; (at = text.find(search, from)) != std::string_view::npos; from = at + search.size()) {
    out += text.substr(from, at - from);
    out += with;
  }
  return out += text.substr(from);
}

std::string overlay(std::string_view text, std::string_view with, int64_t start, int64_t length) {
  std::u16string s = to_utf16(text);
  int64_t size = static_cast<int64_t>(s.size());
  if (start <= 0 || start > size) return std::string(text);
  std::u16string out = s.substr(0, static_cast<size_t>(start - 1)) + to_utf16(with);
  if (length > 0 && length <= size - start) out += s.substr(static_cast<size_t>(start - 1 + length));
  return to_utf8(out);
}

void bind_overlay(Binding& b) {
  b.by_letters("ssl[l", "");
  int64_t length = int64_t{b.arg(0).precision} + b.arg(1).precision;
  b.type = DataType::varchar(length > max_length ? max_length : static_cast<int32_t>(length))
               .with_nullable(b.any_nullable());
  b.kernel = b.count() == 3 ? Kernel(lift<[](std::string_view s, std::string_view r, int64_t from) {
    return overlay(s, r, from, static_cast<int64_t>(to_utf16(r).size()));
  }>)
                            : Kernel(lift<[](std::string_view s, std::string_view r, int64_t from, int64_t n) {
                                return overlay(s, r, from, n);
                              }>);
}

std::string translate(std::string_view text, std::string_view from, std::string_view to) {
  std::u16string s = to_utf16(text), f = to_utf16(from), t = to_utf16(to), out;
  for (char16_t c : s) {
    size_t at = f.find(c);
    if (at == std::u16string::npos) {
      out += c;
    } else if (at < t.size()) {
      out += t[at];
    }
  }
  return to_utf8(out);
}

}  // namespace

std::vector<Function> string_edit_functions() {
  using S = std::string_view;
  return {
      {{"LPAD"}, "string", "LPAD(s, n, pad)", "sis", "s", lift<[](S s, int32_t n, S p) { return pad<true>(s, n, p); }>},
      {{"RPAD"},
       "string",
       "RPAD(s, n, pad)",
       "sis",
       "s",
       lift<[](S s, int32_t n, S p) { return pad<false>(s, n, p); }>},
      {{"REPEAT"}, "string", "REPEAT(s, n)", "si", "s", lift<[](S s, int32_t n) { return repeat(s, n); }>},
      {{"REPLACE"},
       "string",
       "REPLACE(s, search, with)",
       "sss",
       "s",
       lift<[](S s, S a, S b) { return replace(s, a, b); }>},
      {{"TRANSLATE"},
       "string",
       "TRANSLATE(s, from, to)",
       "sss",
       "s",
       lift<[](S s, S a, S b) { return translate(s, a, b); }>},
      {{"OVERLAY"}, "string", "OVERLAY(s PLACING with FROM n [FOR m])", "", "", nullptr, bind_overlay},
  };
}

}  // namespace millrace::processing
