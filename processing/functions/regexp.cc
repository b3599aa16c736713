// Regular expressions. Flink's are Java's; ours are RE2's, which read the same for all but look-around and
// back-references: those fail by name instead of quietly matching nothing.
#include <fmt/format.h>
#include <re2/re2.h>

#include <memory>
#include <unordered_map>

#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

bool needs_java(std::string_view pattern) {
  for (std::string_view construct : {"(?=", "(?!", "(?<=", "(?<!", "(?>", "\\1", "\\2", "\\k<", "*+", "++", "?+"}) {
    if (pattern.find(construct) != std::string_view::npos) return true;
  }
  return false;
}

// Java writes named groups (?<name>…), RE2 (?P<name>…).
std::string for_re2(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern[i++];
      out += pattern[i];
      continue;
    }
    out += pattern[i];
    if (pattern.substr(i).starts_with("(?<") && i + 3 < pattern.size() && pattern[i + 3] != '=' &&
        pattern[i + 3] != '!') {
      out += "?P";
      ++i;
    }
  }
  return out;
}

// The compiled pattern, or nullptr when it is malformed. Remembers what it compiled.
const re2::RE2* compiled(std::string_view pattern) {
  thread_local std::unordered_map<std::string, std::unique_ptr<re2::RE2>> cache;
  thread_local std::string last_pattern;
  thread_local const re2::RE2* last = nullptr;
  if (last != nullptr && last_pattern == pattern) return last;
  if (cache.size() > 256) {
    cache.clear();
    last = nullptr;
  }
  auto [at, added] = cache.try_emplace(std::string(pattern));
  if (added) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    at->second = std::make_unique<re2::RE2>(for_re2(pattern), options);
  }
  if (!at->second->ok()) {
    if (needs_java(pattern)) {
      throw RunFailure(java::table_runtime,
                       fmt::format("The regular expression '{}' uses look-around, back-references or possessive "
                                   "quantifiers, which are not supported.",
                                   pattern));
    }
    return nullptr;
  }
  last_pattern = pattern;
  return last = at->second.get();
}

re2::StringPiece piece(std::string_view s) { return re2::StringPiece(s.data(), s.size()); }

// Calls f(begin, end) for each match, left to right, as Java's Matcher finds them; f answers whether to go on.
template <class F>
void each_match(const re2::RE2& re, std::string_view text, F f) {
  size_t from = 0;
  while (from <= text.size()) {
    re2::StringPiece match;
    if (!re.Match(piece(text), from, text.size(), re2::RE2::UNANCHORED, &match, 1)) return;
    size_t begin = static_cast<size_t>(match.data() - text.data());
    size_t end = begin + match.size();
    if (!f(begin, end)) return;
    from = end > begin ? end : end + (end < text.size() ? character_size(text[end]) : 1);
  }
}

std::optional<std::string> replace(std::string_view text, std::string_view pattern, std::string_view with) {
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr) return std::nullopt;
  std::string out;
  size_t copied = 0;
  each_match(*re, text, [&](size_t begin, size_t end) {
    out += text.substr(copied, begin - copied);
    out += with;
    copied = end;
    return true;
  });
  return out += text.substr(copied);
}

std::optional<std::string_view> extract(std::string_view text, std::string_view pattern, int64_t group) {
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr || group < 0 || group > re->NumberOfCapturingGroups()) return std::nullopt;
  constexpr int64_t few = 16;
  re2::StringPiece groups[few];
  std::vector<re2::StringPiece> more;
  re2::StringPiece* found = groups;
  if (group >= few) {
    more.resize(static_cast<size_t>(group) + 1);
    found = more.data();
  }
  if (!re->Match(piece(text), 0, text.size(), re2::RE2::UNANCHORED, found, static_cast<int>(group) + 1)) {
    return std::nullopt;
  }
  const re2::StringPiece& match = found[group];
  if (match.data() == nullptr) return std::nullopt;
  return std::string_view(match.data(), match.size());
}

bool matches(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return false;
  const re2::RE2* re = compiled(pattern);
  return re != nullptr && re->Match(piece(text), 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

std::optional<int32_t> count(std::string_view text, std::string_view pattern) {
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr) return std::nullopt;
  int32_t n = 0;
  each_match(*re, text, [&](size_t, size_t) { return ++n > 0; });
  return n;
}

std::optional<int32_t> position(std::string_view text, std::string_view pattern) {
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr) return std::nullopt;
  int32_t at = 0;
  each_match(*re, text, [&](size_t begin, size_t) {
    at = static_cast<int32_t>(count_characters(text.substr(0, begin))) + 1;
    return false;
  });
  return at;
}

void bind_extract(Binding& b) {
  b.by_letters("ss[l", "s?");
  if (b.count() == 2) {
    b.kernel = lift<[](std::string_view s, std::string_view re) { return extract(s, re, 0); }>;
  } else {
    b.kernel = lift<[](std::string_view s, std::string_view re, int64_t group) { return extract(s, re, group); }>;
  }
}

Value extract_all(std::string_view text, std::string_view pattern, int64_t group) {
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr || group < 0 || group > re->NumberOfCapturingGroups()) return Value();
  std::vector<Value> found;
  each_match(*re, text, [&](size_t begin, size_t) {
    std::vector<re2::StringPiece> groups(static_cast<size_t>(group) + 1);
    re->Match(piece(text), begin, text.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(group) + 1);
    const re2::StringPiece& match = groups.back();
    found.push_back(match.data() == nullptr ? Value() : Value::text(std::string(match.data(), match.size())));
    return true;
  });
  return Value::nested(std::move(found));
}

void bind_extract_all(Binding& b) {
  b.by_letters("ss[l", "");
  if (b.count() == 2) b.args.push_back(make_literal(Value::integer(1), DataType::bigint().not_null()));
  b.type = DataType::array(DataType::string());
  b.kernel = lift<[](std::string_view s, std::string_view re, int64_t group) { return extract_all(s, re, group); }>;
}

// ---- SIMILAR TO: SQL's own expressions, translated ----

std::string similar_pattern(std::string_view pattern, std::string_view escape) {
  std::string out = "(?s)^(?:";
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (!escape.empty() && c == escape[0] && i + 1 < pattern.size()) {
      out += re2::RE2::QuoteMeta(piece(pattern.substr(++i, 1)));
    } else if (in_class) {
      // [[:ALPHA:]] and its like are classes within the class; Java writes them in small letters.
      const size_t end = pattern.substr(i).starts_with("[:") ? pattern.find(":]", i) : std::string_view::npos;
      if (end != std::string_view::npos) {
        for (; i < end + 2; ++i) out += pattern[i] >= 'A' && pattern[i] <= 'Z' ? pattern[i] + ('a' - 'A') : pattern[i];
        --i;
        continue;
      }
      in_class = c != ']';
      out += c;
    } else if (c == '%') {
      out += ".*";
    } else if (c == '_') {
      out += '.';
    } else if (c == '[') {
      in_class = true;
      out += c;
    } else if (c == '$' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out + ")$";
}

template <bool Is>
void bind_similar(Binding& b) {
  if (b.count() < 2 || b.count() > 3) b.refuse_count("2 to 3");
  b.by_letters("ss[s", "B");
  if (b.count() == 2) b.args.push_back(make_literal(Value::text(""), DataType::character(0).not_null()));
  b.kernel = lift<[](std::string_view s, std::string_view pattern, std::string_view escape) {
    return matches(s, similar_pattern(pattern, escape)) == Is;
  }>;
}

// ---- splitting ----

std::vector<std::string_view> split_java(std::string_view text, std::string_view pattern) {
  std::vector<std::string_view> parts;
  const re2::RE2* re = compiled(pattern);
  if (re == nullptr) return {text};
  size_t from = 0;
  each_match(*re, text, [&](size_t begin, size_t end) {
    if (end == 0) return true;  // an empty match at the start splits nothing
    parts.push_back(text.substr(from, begin - from));
    from = end;
    return true;
  });
  parts.push_back(text.substr(from));
  while (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  return parts;
}

Value text_to_map(const KernelCall& call, std::string_view text, std::string_view pairs, std::string_view keys) {
  std::vector<Value> entries;
  if (!text.empty()) {
    const re2::RE2* re = compiled(keys);
    for (std::string_view pair : split_java(text, pairs)) {
      re2::StringPiece match;
      if (re != nullptr && re->Match(piece(pair), 0, pair.size(), re2::RE2::UNANCHORED, &match, 1)) {
        size_t at = static_cast<size_t>(match.data() - pair.data());
        entries.push_back(Value::text(pair.substr(0, at)));
        entries.push_back(Value::text(pair.substr(at + match.size())));
      } else {
        entries.push_back(Value::text(pair));
        entries.push_back(Value());
      }
    }
  }
  return make_map(std::move(entries), call.expr.type);
}

void bind_text_to_map(Binding& b) {
  b.by_letters("s[ss", "");
  for (const char* fallback : {",", "="}) {
    if (b.count() < 3 && (b.count() == 1 || fallback[0] == '=')) {
      b.args.push_back(make_literal(Value::text(fallback), DataType::character(1).not_null()));
    }
  }
  b.type = DataType::map(DataType::string(), DataType::string()).with_nullable(b.any_nullable());
  b.kernel = lift<[](const KernelCall& c, std::string_view s, std::string_view pairs, std::string_view keys) {
    return text_to_map(c, s, pairs, keys);
  }>;
}

// SPLIT(text, delimiter): the delimiter is no pattern; an empty one gives the characters.
Value split(std::string_view text, std::string_view delimiter) {
  std::vector<Value> parts;
  if (delimiter.empty()) {
    while (!text.empty()) {
      parts.push_back(Value::text(text.substr(0, character_size(text[0]))));
      text.remove_prefix(std::min(character_size(text[0]), text.size()));
    }
    return Value::nested(std::move(parts));
  }
  for (;;) {
    size_t at = text.find(delimiter);
    parts.push_back(Value::text(text.substr(0, at)));
    if (at == std::string_view::npos) return Value::nested(std::move(parts));
    text.remove_prefix(at + delimiter.size());
  }
}

void bind_split(Binding& b) {
  b.by_letters("ss", "");
  b.type = DataType::array(DataType::string()).with_nullable(b.any_nullable());
  b.kernel = lift<[](std::string_view s, std::string_view delimiter) { return split(s, delimiter); }>;
}

}  // namespace

std::vector<Function> regexp_functions() {
  using S = std::string_view;
  auto custom = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&)) {
    return Function{std::move(names), "string", usage, "", "", nullptr, bind, true};
  };
  return {
      Function{{"REGEXP"}, "string", "REGEXP(s, pattern)", "ss", "B", lift<[](S s, S re) { return matches(s, re); }>},
      Function{{"REGEXP_REPLACE"},
               "string",
               "REGEXP_REPLACE(s, pattern, with)",
               "sss",
               "s?",
               lift<[](S s, S re, S with) { return replace(s, re, with); }>},
      Function{{"REGEXP_COUNT"},
               "string",
               "REGEXP_COUNT(s, pattern)",
               "ss",
               "i?",
               lift<[](S s, S re) { return count(s, re); }>},
      Function{{"REGEXP_INSTR"},
               "string",
               "REGEXP_INSTR(s, pattern)",
               "ss",
               "i?",
               lift<[](S s, S re) { return position(s, re); }>},
      Function{{"REGEXP_SUBSTR"},
               "string",
               "REGEXP_SUBSTR(s, pattern)",
               "ss",
               "s?",
               lift<[](S s, S re) { return extract(s, re, 0); }>},
      custom({"REGEXP_EXTRACT"}, "REGEXP_EXTRACT(s, pattern[, group])", bind_extract),
      custom({"REGEXP_EXTRACT_ALL"}, "REGEXP_EXTRACT_ALL(s, pattern[, group])", bind_extract_all),
      custom({"SIMILAR TO"}, "s SIMILAR TO pattern [ESCAPE c]", bind_similar<true>),
      custom({"NOT SIMILAR TO"}, "s NOT SIMILAR TO pattern [ESCAPE c]", bind_similar<false>),
      custom({"STR_TO_MAP"}, "STR_TO_MAP(s[, pairs, keys])", bind_text_to_map),
      custom({"SPLIT"}, "SPLIT(s, delimiter)", bind_split),
  };
}

}  // namespace millrace::processing
