// Compiling patterns, and remembering them.
#include "processing/functions/java_pattern.h"

#include <fmt/format.h>

#include <memory>
#include <unordered_map>

#include "processing/failure.h"
#include "processing/functions/java_pattern_letters.h"

namespace millrace::processing {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

JavaPattern::JavaPattern(std::string_view pattern, Dialect dialect) : dialect_(dialect) {
  auto literal = [&](std::string_view text) {
    if (items_.empty() || items_.back().letter != 0) items_.emplace_back();
    items_.back().text += text;
  };
  for (size_t i = 0; i < pattern.size();) {
    char c = pattern[i];
    if (c == '\'') {
      if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
        literal("'");
        i += 2;
        continue;
      }
      ++i;
      bool closed = false;
      while (i < pattern.size()) {
        if (pattern[i] == '\'') {
          if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
            literal("'");
            i += 2;
            continue;
          }
          ++i;
          closed = true;
          break;
        }
        literal(pattern.substr(i++, 1));
      }
      if (!closed)
        throw RunFailure(java::illegal_argument,
                         "Pattern ends with an incomplete string literal: " + std::string(pattern));
      continue;
    }
    if (!is_letter(c)) {
      literal(pattern.substr(i++, 1));
      continue;
    }
    int count = 0;
    while (i < pattern.size() && pattern[i] == c) ++count, ++i;
    std::string_view known =
        dialect == Dialect::formatter ? "GuyDMLdQqYwWEecFaBhKkHmsSAnNVzOXxZp" : "GyYMLwWDdFEuaHkKhmsSzZX";
    if (known.find(c) == std::string_view::npos) {
      throw RunFailure(java::illegal_argument, dialect == Dialect::formatter
                                                   ? fmt::format("Unknown pattern letter: {}", c)
                                                   : fmt::format("Illegal pattern character '{}'", c));
    }
    Item item;
    item.letter = c;
    item.count = count;
    items_.push_back(std::move(item));
  }
  for (size_t i = 0; i + 1 < items_.size(); ++i) {
    items_[i].next_is_number = items_[i + 1].letter != 0 && is_number(items_[i + 1].letter, items_[i + 1].count);
  }
}

const JavaPattern& JavaPattern::compiled(std::string_view pattern, Dialect dialect) {
  thread_local std::unordered_map<std::string, std::unique_ptr<JavaPattern>> caches[2];
  thread_local const JavaPattern* last[2] = {};
  thread_local std::string last_text[2];
  const size_t kind = static_cast<size_t>(dialect);
  if (last[kind] != nullptr && last_text[kind] == pattern) return *last[kind];
  auto& cache = caches[kind];
  if (cache.size() > 256) cache.clear();
  std::unique_ptr<JavaPattern>& found = cache[std::string(pattern)];
  if (!found) found = std::make_unique<JavaPattern>(pattern, dialect);
  last_text[kind] = pattern;
  return *(last[kind] = found.get());
}

}  // namespace millrace::processing
