// Where a text is in another, and whether it is like a pattern. Positions count characters from 1; 0: nowhere.
#include <fmt/format.h>

#include "processing/functions/kernel.h"
#include "processing/functions/like.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

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
  int32_t at = instr(reversed(text), reversed(what), -start, nth);
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

template <bool Is>
void bind_like(Binding& b) {
  if (b.count() < 2 || b.count() > 3) b.refuse_count("2 to 3");
  bool refused = false;
  for (size_t i = 1; i < b.count(); ++i) {
    refused = refused || !b.arg(i).is_text();
    if (b.arg(i).root == TypeRoot::null) b.cast(i, b.arg(0));  // as which it is shown
  }
  if (refused) b.refuse(fmt::format("'{}(<STRING>, <STRING>, <STRING>)'", b.function->names[0]));
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

}  // namespace

std::vector<Function> string_search_functions() {
  using S = std::string_view;
  return {
      {{"POSITION"},
       "string",
       "POSITION(what IN s)",
       "ss",
       "i",
       lift<[](S what, S s) { return position(s, what, 1); }>},
      {{"INSTR"},
       "string",
       "INSTR(s, what[, start[, nth]])",
       "",
       "",
       lift<[](S s, S what, int32_t start, int32_t nth) { return instr(s, what, start, nth); }>,
       bind_instr},
      {{"LOCATE"}, "string", "LOCATE(what, s[, start])", "", "", nullptr, bind_locate},
      {{"STARTSWITH"},
       "string",
       "STARTSWITH(s, what)",
       "xx",
       "B",
       lift<[](S s, S what) { return s.starts_with(what); }>},
      {{"ENDSWITH"}, "string", "ENDSWITH(s, what)", "xx", "B", lift<[](S s, S what) { return s.ends_with(what); }>},
      {{"LIKE"}, "string", "s LIKE pattern [ESCAPE c]", "", "", nullptr, bind_like<true>},
      {{"NOT LIKE"}, "string", "s NOT LIKE pattern [ESCAPE c]", "", "", nullptr, bind_like<false>},
  };
}

}  // namespace millrace::processing
