#include "processing/formats/csv_splitter.h"

#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

constexpr const char* shaded = "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.";

// 'x' (code 120)
std::string described(char c) {
  return std::string("'") + c + "' (code " + std::to_string(static_cast<unsigned char>(c)) + ")";
}

size_t utf16_length(std::string_view text) {
  size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

char unescaped(char c) {
  switch (c) {
    case '0':
      return '\0';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

void finish(std::string_view line, size_t from, size_t to, std::string* made, CsvCell& cell) {
  if (made != nullptr) made->append(line, from, to - from);
  cell = made != nullptr ? CsvCell{*made, false} : CsvCell{line.substr(from, to - from), true};
}

}  // namespace

const std::vector<CsvCell>& CsvSplitter::split(std::string_view line) {
  cells_.clear();
  made_.clear();
  size_t at = 0;
  for (;;) {
    CsvCell cell;
    if (style_.quote && at < line.size() && line[at] == *style_.quote) {
      at = quoted(line, at + 1, cell);
      while (at < line.size() && line[at] == ' ' && style_.delimiter != ' ') ++at;
      if (at < line.size() && !ends_cell(line[at]))
        throw JobFailure(std::string(shaded) + "dataformat.csv.CsvReadException",
                         "Unexpected character (" + described(line[at]) + "): Expected column separator character (" +
                             described(style_.delimiter) + ") or end-of-line");
    } else {
      at = unquoted(line, at, cell);
    }
    if (cells_.size() == columns_) {
      // One empty column too many is a trailing separator, which is fine.
      if (cell.text.empty() && at >= line.size()) return cells_;
      throw JobFailure(std::string(shaded) + "dataformat.csv.CsvReadException",
                       "Too many entries: expected at most " + std::to_string(columns_) + " (value #" +
                           std::to_string(columns_) + " (" + std::to_string(utf16_length(cell.text)) + " chars) \"" +
                           std::string(cell.text) + "\")");
    }
    cells_.push_back(cell);
    if (at >= line.size() || line[at] != style_.delimiter) return cells_;
    ++at;
  }
}

// A view of the line unless there is something to unescape.
size_t CsvSplitter::unquoted(std::string_view line, size_t at, CsvCell& cell) {
  size_t from = at;
  std::string* made = nullptr;
  while (at < line.size() && !ends_cell(line[at])) {
    if (is_escape(line[at]) && at + 1 < line.size()) {
      if (made == nullptr) made = &made_.emplace_back();
      made->append(line, from, at - from);
      made->push_back(unescaped(line[at + 1]));
      at += 2;
      from = at;
    } else {
      ++at;
    }
  }
  finish(line, from, at, made, cell);
  return at;
}

// Returns where the closing quote has been passed.
size_t CsvSplitter::quoted(std::string_view line, size_t at, CsvCell& cell) {
  size_t from = at;
  std::string* made = nullptr;
  for (;;) {
    if (!style_.escape) {
      const size_t next = line.find(*style_.quote, at);
      at = next == std::string_view::npos ? line.size() : next;
    }
    if (at >= line.size())
      throw JobFailure(std::string(shaded) + "core.io.JsonEOFException", "Missing closing quote for value");
    const char c = line[at];
    const bool escaped = is_escape(c) && at + 1 < line.size();
    if (!escaped && c != *style_.quote) {
      ++at;
      continue;
    }
    const bool doubled = !escaped && at + 1 < line.size() && line[at + 1] == *style_.quote;
    if (!escaped && !doubled) {
      finish(line, from, at, made, cell);
      return at + 1;
    }
    if (made == nullptr) made = &made_.emplace_back();
    made->append(line, from, at - from);
    made->push_back(escaped ? unescaped(line[at + 1]) : c);
    at += 2;
    from = at;
  }
}

}  // namespace millrace::processing
