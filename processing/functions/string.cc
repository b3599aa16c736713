// Text: case, length, parts, padding, searching. Positions count characters from 1.
#include <unicode/ucasemap.h>

#include <algorithm>
#include <limits>

#include "processing/functions/kernel.h"
#include "processing/functions/like.h"
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

std::string reverse(std::string_view text) {
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

// ---- parts ----

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

// ---- trimming: characters of a set ----

bool contains_character(std::string_view set, std::string_view c) {
  return c.size() == 1 ? set.find(c[0]) != std::string_view::npos : set.find(c) != std::string_view::npos;
}

std::string_view trim_left(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    std::string_view c = text.substr(0, character_size(text[0]));
    if (!contains_character(set, c)) break;
    text.remove_prefix(c.size());
  }
  return text;
}

std::string_view trim_right(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && is_continuation(text[at])) --at;
    if (!contains_character(set, text.substr(at))) break;
    text = text.substr(0, at);
  }
  return text;
}

template <bool Left, bool Right>
std::string_view trim(std::string_view text, std::string_view set) {
  if (Left) text = trim_left(text, set);
  if (Right) text = trim_right(text, set);
  return text;
}

template <bool Left, bool Right>
Kernel trim_kernel() {
  return lift<[](std::string_view text, std::string_view set) { return trim<Left, Right>(text, set); }>;
}

// TRIM(symbol, set, text), TRIM(set, text) or TRIM(text)
void bind_trim(Binding& b) {
  std::string where = "BOTH";  // a copy: the argument goes
  if (!b.symbol(0).empty()) {
    where = b.symbol(0);
    b.args.erase(b.args.begin());
  }
  if (b.count() == 1) b.args.insert(b.args.begin(), make_literal(Value::text(" "), DataType::character(1).not_null()));
  if (b.count() == 2) std::swap(b.args[0], b.args[1]);
  b.by_letters("ss", "");
  b.type = DataType::varchar(b.arg(0).precision).with_nullable(b.any_nullable());
  b.kernel = where == "LEADING"    ? trim_kernel<true, false>()
             : where == "TRAILING" ? trim_kernel<false, true>()
                                   : trim_kernel<true, true>();
}

template <bool Left, bool Right>
void bind_side_trim(Binding& b) {
  if (b.count() == 1) b.args.push_back(make_literal(Value::text(" "), DataType::character(1).not_null()));
  b.by_letters("ss", "");
  b.type = DataType::varchar(b.arg(0).precision).with_nullable(b.any_nullable());
  b.kernel = trim_kernel<Left, Right>();
}

// ---- padding and repeating: in UTF-16 units ----

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

// ---- searching ----

// The position of the first `what` at or after character `from` (counting from 1); 0: none.
int32_t position(std::string_view text, std::string_view what, int64_t from) {
  if (what.empty()) return 1;
  if (from < 1) from = 1;
  size_t skip = character_position(text, static_cast<size_t>(from - 1));
  size_t at = text.find(what, skip);
  return at == std::string_view::npos ? 0 : static_cast<int32_t>(count_characters(text.substr(0, at))) + 1;
}

int32_t instr(std::string_view text, std::string_view what, int32_t start, int32_t nth) {
  if (nth <= 0) throw RunFailure(java::illegal_argument, "nthAppearance must be positive!");
  if (start == 0) return 0;
  if (start > 0) {
    int32_t index = 0;
    for (int32_t i = 0; i < nth; ++i) {
      index = position(text, what, start);
      if (index == 0) return 0;
      start = index + 1;
    }
    return index;
  }
  int32_t at = instr(reverse(text), reverse(what), -start, nth);
  return at == 0 ? 0
                 : static_cast<int32_t>(count_characters(text)) + 2 - at - static_cast<int32_t>(count_characters(what));
}

void bind_instr(Binding& b) {
  b.by_letters("ss[ii", "i");
  while (b.count() < 4) b.args.push_back(make_literal(Value::integer(1), DataType::integer().not_null()));
}

void bind_locate(Binding& b) {
  b.by_letters("ss[i", "i");
  b.kernel =
      b.count() == 2
          ? Kernel(lift<[](std::string_view what, std::string_view s) { return position(s, what, 1); }>)
          : Kernel(
                lift<[](std::string_view what, std::string_view s, int32_t from) { return position(s, what, from); }>);
}

// ---- joining and splitting ----

Column concatenate(const KernelCall& call) {
  if (call.args.size() == 2) {
    return lift<[](std::string_view a, std::string_view b) { return std::string(a).append(b); }>(call);
  }
  return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
    std::string out;
    for (const Value& part : v) {
      if (part.is_null()) return Value();
      out += part.as_text();
    }
    return Value::text(std::move(out));
  });
}

// a || b: of two CHAR a CHAR, of others a VARCHAR, as long as both together.
void bind_concatenate(Binding& b) {
  b.by_letters("xx", "");
  const DataType &x = b.arg(0), &y = b.arg(1);
  int64_t sum = int64_t{x.precision} + y.precision;
  int32_t length = sum > max_length ? max_length : static_cast<int32_t>(sum);
  if (x.is_bytes()) {
    b.type = DataType::varbinary(length);
  } else if (x.root == TypeRoot::character && y.root == TypeRoot::character) {
    b.type = DataType::character(length);
  } else {
    b.type = DataType::varchar(length);
  }
  b.type.nullable = b.any_nullable();
}

// CONCAT takes anything that reads as text.
void bind_concat(Binding& b) {
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root != TypeRoot::null && !b.arg(i).is_text()) b.cast(i, DataType::string());
  }
  b.by_letters("s*", "s");
}

Column concatenate_with(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
    if (v[0].is_null()) return Value();
    std::string out;
    bool first = true;
    for (const Value& part : v.subspan(1)) {
      if (part.is_null()) continue;
      if (!first) out += v[0].as_text();
      out += part.as_text();
      first = false;
    }
    return Value::text(std::move(out));
  });
}

void bind_concat_ws(Binding& b) {
  b.by_letters("ss*", "");
  b.type = DataType::string().with_nullable(b.arg(0).nullable);
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

void bind_elt(Binding& b) {
  b.by_letters("lxx*", "");
  b.type = DataType::string();
  b.kernel = [](const KernelCall& call) {
    return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
      if (v[0].is_null() || v[0].as_int() < 1 || v[0].as_int() >= static_cast<int64_t>(v.size())) return Value();
      return v[static_cast<size_t>(v[0].as_int())];
    });
  };
}

// ---- LIKE ----

template <bool Is>
void bind_like(Binding& b) {
  if (b.count() < 2 || b.count() > 3) b.refuse_count("2 to 3");
  b.by_letters("ss[s", "B");
  if (b.is_literal(1) && (b.count() == 2 || b.is_literal(2))) {
    b.prepared = std::make_shared<LikePattern>(b.literal(1).as_text(), b.count() == 3 ? b.literal(2).as_text() : "");
    b.args.resize(1);
    b.kernel = lift<[](const KernelCall& c, std::string_view s) { return prepared<LikePattern>(c).matches(s) == Is; }>;
  } else if (b.count() == 2) {
    b.kernel = lift<[](std::string_view s, std::string_view p) { return LikePattern(p, "").matches(s) == Is; }>;
  } else {
    b.kernel = lift<[](std::string_view s, std::string_view p, std::string_view escape) {
      return LikePattern(p, escape).matches(s) == Is;
    }>;
  }
}

std::string chr(int64_t c) {
  std::string out;
  if (c >= 0) append_code_point(out, static_cast<char32_t>(c & 0xff));
  return out;
}

}  // namespace

std::vector<Function> string_functions() {
  using S = std::string_view;
  auto custom = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&),
                   Kernel kernel = nullptr) {
    return Function{std::move(names), "string", usage, "", "", kernel, bind, true};
  };
  auto plain = [](std::vector<std::string_view> names, std::string_view usage, std::string_view args,
                  std::string_view result, Kernel kernel) {
    return Function{std::move(names), "string", usage, args, result, kernel, nullptr, true};
  };
  return {
      plain({"UPPER", "UCASE"}, "UPPER(s)", "s", "=", lift<[](S s) { return upper(s); }>),
      plain({"LOWER", "LCASE"}, "LOWER(s)", "s", "=", lift<[](S s) { return lower(s); }>),
      plain({"INITCAP"}, "INITCAP(s)", "s", "=", lift<[](S s) { return initcap(s); }>),
      plain({"CHAR_LENGTH", "CHARACTER_LENGTH"}, "CHAR_LENGTH(s)", "s", "i",
            lift<[](S s) { return static_cast<int32_t>(count_characters(s)); }>),
      plain({"OCTET_LENGTH"}, "OCTET_LENGTH(s)", "x", "i", lift<[](S s) { return static_cast<int32_t>(s.size()); }>),
      plain({"REVERSE"}, "REVERSE(s)", "s", "s?", lift<[](S s) { return reverse(s); }>),
      custom({"LEFT"}, "LEFT(s, n)", bind_side, lift<[](S s, int32_t n) { return left(s, n); }>),
      custom({"RIGHT"}, "RIGHT(s, n)", bind_side, lift<[](S s, int32_t n) { return right(s, n); }>),
      plain({"LPAD"}, "LPAD(s, n, pad)", "sis", "s", lift<[](S s, int32_t n, S p) { return pad<true>(s, n, p); }>),
      plain({"RPAD"}, "RPAD(s, n, pad)", "sis", "s", lift<[](S s, int32_t n, S p) { return pad<false>(s, n, p); }>),
      plain({"REPEAT"}, "REPEAT(s, n)", "si", "s", lift<[](S s, int32_t n) { return repeat(s, n); }>),
      plain({"REPLACE"}, "REPLACE(s, search, with)", "sss", "s", lift<[](S s, S a, S b) { return replace(s, a, b); }>),
      plain({"TRANSLATE"}, "TRANSLATE(s, from, to)", "sss", "s",
            lift<[](S s, S a, S b) { return translate(s, a, b); }>),
      plain({"POSITION"}, "POSITION(what IN s)", "ss", "i", lift<[](S what, S s) { return position(s, what, 1); }>),
      plain({"STARTSWITH"}, "STARTSWITH(s, what)", "xx", "B", lift<[](S s, S what) { return s.starts_with(what); }>),
      plain({"ENDSWITH"}, "ENDSWITH(s, what)", "xx", "B", lift<[](S s, S what) { return s.ends_with(what); }>),
      plain({"ASCII"}, "ASCII(s)", "s", "i",
            lift<[](S s) -> int32_t { return s.empty() ? 0 : static_cast<signed char>(s[0]); }>),
      plain({"CHR"}, "CHR(n)", "l", "s?", lift<[](int64_t c) { return chr(c); }>),
      custom({"SUBSTRING", "SUBSTR"}, "SUBSTRING(s FROM n [FOR m])", bind_substring),
      custom({"TRIM"}, "TRIM([BOTH | LEADING | TRAILING] [set] FROM s)", bind_trim),
      custom({"LTRIM"}, "LTRIM(s[, set])", bind_side_trim<true, false>),
      custom({"RTRIM"}, "RTRIM(s[, set])", bind_side_trim<false, true>),
      custom({"BTRIM"}, "BTRIM(s[, set])", bind_side_trim<true, true>),
      custom({"OVERLAY"}, "OVERLAY(s PLACING with FROM n [FOR m])", bind_overlay),
      custom({"INSTR"}, "INSTR(s, what[, start[, nth]])", bind_instr,
             lift<[](S s, S what, int32_t start, int32_t nth) { return instr(s, what, start, nth); }>),
      custom({"LOCATE"}, "LOCATE(what, s[, start])", bind_locate),
      custom({"||"}, "a || b", bind_concatenate, concatenate),
      custom({"CONCAT"}, "CONCAT(a, b, …)", bind_concat, concatenate),
      custom({"CONCAT_WS"}, "CONCAT_WS(separator, a, b, …)", bind_concat_ws, concatenate_with),
      custom({"SPLIT_INDEX"}, "SPLIT_INDEX(s, separator, index)", bind_split_index,
             lift<[](S s, S separator, int32_t index) { return split_index(s, separator, index); }>),
      custom({"ELT"}, "ELT(n, a, b, …)", bind_elt),
      custom({"LIKE"}, "s LIKE pattern [ESCAPE c]", bind_like<true>),
      custom({"NOT LIKE"}, "s NOT LIKE pattern [ESCAPE c]", bind_like<false>),
  };
}

}  // namespace millrace::processing
