// A line of CSV as its cells, by Jackson's lenient rules: quotes count only at the start of a cell, an escape character
// anywhere.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "processing/formats/csv_style.h"

namespace millrace::processing {

struct CsvCell {
  std::string_view text;
  bool borrowed = false;  // from the line
};

class CsvSplitter {
 public:
  // A line has no more than `columns` cells; that and other mistakes are a JobFailure.
  CsvSplitter(const CsvStyle& style, size_t columns) : style_(style), columns_(columns) {}

  // Valid until the next call, and as long as the line.
  const std::vector<CsvCell>& split(std::string_view line);

 private:
  size_t quoted(std::string_view line, size_t at, CsvCell& cell);
  size_t unquoted(std::string_view line, size_t at, CsvCell& cell);
  bool ends_cell(char c) const { return c == style_.delimiter || c == '\r' || c == '\n'; }
  bool is_escape(char c) const { return style_.escape && c == *style_.escape; }

  const CsvStyle& style_;
  size_t columns_;
  std::vector<CsvCell> cells_;
  std::deque<std::string> made_;  // text that had to be unescaped
};

}  // namespace millrace::processing
