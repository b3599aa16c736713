// TRIM and its kin: taking characters of a set off the ends of a text.
#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

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

}  // namespace

std::vector<Function> string_trim_functions() {
  return {
      {{"TRIM"}, "string", "TRIM([BOTH | LEADING | TRAILING] [set] FROM s)", "", "", nullptr, bind_trim},
      {{"LTRIM"}, "string", "LTRIM(s[, set])", "", "", nullptr, bind_side_trim<true, false>},
      {{"RTRIM"}, "string", "RTRIM(s[, set])", "", "", nullptr, bind_side_trim<false, true>},
      {{"BTRIM"}, "string", "BTRIM(s[, set])", "", "", nullptr, bind_side_trim<true, true>},
  };
}

}  // namespace millrace::processing
