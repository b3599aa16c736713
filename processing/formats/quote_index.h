// Where the quotes of a JSON record are: one pass over its bytes, 64 at a time, with whatever vectors the processor
// has.
//
// Strings and names lie between an even quote and the next; between an odd one and the next are structure and numbers.
// A quote behind an odd run of backslashes is escaped and does not count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace::processing {

class QuoteIndex {
 public:
  // `way`: one of ways(), slowest first, that this processor knows; the best without. They differ in nothing else.
  explicit QuoteIndex(size_t way = SIZE_MAX);
  static size_t ways();

  // Of a text below four gigabytes.
  void build(std::string_view text) {
    if (2 * text.size() + 16 > places_.size()) reserve(text.size());
    found_ = build_(text, places_.data());
  }

  static constexpr uint32_t none = UINT32_MAX;
  // Ascending; `none` at count() and behind it.
  const uint32_t* places() const { return places_.data(); }
  size_t count() const { return found_.count; }
  bool escapes() const { return found_.escapes; }      // there is a backslash
  bool non_ascii() const { return found_.non_ascii; }  // there is a byte from 0x80 up

  struct Gathered {
    size_t count = 0;
    bool escapes = false;
    bool non_ascii = false;
  };

 private:
  void reserve(size_t size);
  Gathered (*build_)(std::string_view text, uint32_t* places);
  std::vector<uint32_t> places_;
  Gathered found_;
};

// Whether every lead byte has its continuation bytes, which is all that Jackson asks of UTF-8.
bool has_whole_characters(std::string_view text);

}  // namespace millrace::processing
