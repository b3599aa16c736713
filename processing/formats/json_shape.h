// The quickest way through JSON records: most look like one before. A shape is what does not change between them, each
// name with what stands around it, and how many quotes there are. Where a record has the quotes of a shape, their
// places say where every name has to be and where every value begins and ends, so that nothing is searched for, and no
// value waits for the one before.
//
// As JsonScan it never guesses: every character is held against the shape, is part of a value that is read, or lies
// within a string. Records with escapes or nested values have no shape.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/formats/json_field.h"
#include "processing/formats/quote_index.h"
#include "processing/formats/row_targets.h"

namespace millrace::processing {

class JsonShapes {
 public:
  // The fields outlive it.
  explicit JsonShapes(std::span<JsonField> fields) : fields_(fields) {}

  // One more row, or false, and then nothing is left behind. The record is shorter than four gigabytes, its characters
  // are whole.
  bool read(std::string_view record, const QuoteIndex& quotes, RowTargets& targets);
  // Remembers what a record looks like that is a row.
  void learn(std::string_view record, const QuoteIndex& quotes);

 private:
  static constexpr size_t most_shapes = 32;
  static constexpr size_t most_steps = 1024;
  enum class Way : uint8_t { skip_text, skip_plain, text, timestamp, date, whole64, whole32, fraction, boolean, null };
  // A name and its value.
  struct Step {
    uint64_t first = 0, last = 0;  // the first and the last eight characters of `before`, of less than eight those
    uint64_t mask = ~uint64_t{0};
    uint32_t size = 0;       // of `before`
    uint32_t back = 0;       // where its last eight begin
    int64_t least = 8;       // characters that must be there to look at them
    uint32_t close = 0;      // the quote behind a text, as a number in the index
    uint32_t next = 0;       // the quote in front of the next name
    uint32_t next_lead = 0;  // what stands before that: a comma and white space
    uint32_t field = 0;
    Way way = Way::skip_text;
    bool is_text = false;
    bool is_last = false;
    std::string before;  // from the end of the value before to the value, with the quote of a text: ,"name":"
  };
  struct Shape {
    size_t quotes = 0;
    std::vector<Step> steps;
    std::string tail;               // behind the last value
    std::vector<uint32_t> missing;  // fields it does not have
  };

  bool fits(const Shape& shape, std::string_view record, const uint32_t* places, RowTargets& targets);
  static bool is_before(const Step& step, const char* at, const char* end);
  static const char* end_of_plain(const Step& step, const char* begin, const char* end_of_values,
                                  const uint32_t* places);
  bool read_other(const Step& step, std::string_view text, RowTargets& targets);
  bool find_shape(std::string_view record, Shape& shape) const;
  bool find_way(Step& step, bool is_text, std::string_view value) const;

  std::span<JsonField> fields_;
  std::vector<Shape> shapes_;
  size_t current_ = 0;     // the one that fitted last
  size_t replaced_ = 0;    // of those that are there
  uint32_t patience_ = 0;  // records to let pass before the next is learned, doubled when that was in vain
  uint32_t waits_ = 0;
  std::vector<uint32_t> nulls_;
};

}  // namespace millrace::processing
