#include "tools/sql/tableau.h"

#include <unicode/uchar.h>

#include <algorithm>

namespace millrace::tools::sql {

namespace {

constexpr std::string_view null_text = "<NULL>";
constexpr std::string_view cut_mark = "...";

// Decodes the character at `at` and steps over it; text from a gateway is UTF-8.
char32_t next_character(std::string_view text, size_t& at) {
  const auto byte = static_cast<unsigned char>(text[at++]);
  const int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
  char32_t character = more == 0 ? byte : byte & (0x3fu >> more);
  for (int i = 0; i < more && at < text.size(); ++i) {
    character = character << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fu);
  }
  return character;
}

bool is_wide(char32_t character) {
  const int width = u_getIntPropertyValue(static_cast<UChar32>(character), UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_FULLWIDTH || width == U_EA_WIDE;
}

int width_of(char32_t character) { return (character >= 0x10000 ? 2 : 1) + (is_wide(character) ? 1 : 0); }

std::string cut(std::string_view text, int width) {
  int used = 0;
  size_t end = 0;
  while (end < text.size()) {
    size_t next = end;
    const int more = width_of(next_character(text, next));
    if (used + more > width) break;
    used += more;
    end = next;
  }
  return std::string(static_cast<size_t>(width - used), ' ') + std::string(text.substr(0, end));
}

int width_of_type(const Column& column, int most) {
  const auto time = [&](int base) {
    if (column.precision == 0) return base;
    return base + (column.precision <= 3 ? 4 : column.precision <= 6 ? 7 : 10);
  };
  const std::string& type = column.type;
  if (type == "TINYINT") return 4;
  if (type == "SMALLINT") return 6;
  if (type == "INTEGER") return 11;
  if (type == "BIGINT") return 20;
  if (type == "DECIMAL") return column.precision + 2;
  if (type == "BOOLEAN") return 5;
  if (type == "DATE") return 10;
  if (type == "TIME_WITHOUT_TIME_ZONE") return column.precision == 0 ? 8 : column.precision + 9;
  if (type == "TIMESTAMP_WITHOUT_TIME_ZONE" || type == "TIMESTAMP_WITH_LOCAL_TIME_ZONE") return time(19);
  return most;
}

}  // namespace

int display_width(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) width += width_of(next_character(text, at));
  return width;
}

Tableau Tableau::by_type(const std::vector<Column>& columns, int most) {
  Tableau table;
  table.kinds_ = true;
  table.names_.push_back("op");
  table.widths_.push_back(2);
  for (const Column& column : columns) {
    table.names_.push_back(column.name);
    const int width = std::max(width_of_type(column, most), static_cast<int>(null_text.size()));
    table.widths_.push_back(std::max(width, display_width(column.name)));
  }
  return table;
}

Tableau Tableau::by_content(const std::vector<Column>& columns, const std::vector<ResultRow>& rows) {
  Tableau table;
  for (const Column& column : columns) {
    table.names_.push_back(column.name);
    table.widths_.push_back(display_width(column.name));
  }
  for (const ResultRow& row : rows) {
    for (size_t i = 0; i < row.cells.size() && i < columns.size(); ++i) {
      const int width = display_width(row.cells[i] ? std::string_view(*row.cells[i]) : null_text);
      table.widths_[i] = std::max(table.widths_[i], width);
    }
  }
  return table;
}

std::string Tableau::border() const {
  std::string out = "+";
  for (const int width : widths_) out += std::string(static_cast<size_t>(width) + 2, '-') + "+";
  return out;
}

std::string Tableau::row(const ResultRow& row) const {
  std::vector<std::string> cells;
  if (kinds_) cells.push_back(row.kind);
  for (const auto& cell : row.cells) cells.push_back(cell ? *cell : std::string(null_text));
  cells.resize(widths_.size());
  return line(cells);
}

std::string Tableau::line(const std::vector<std::string>& cells) const {
  std::string out = "|";
  for (size_t i = 0; i < cells.size(); ++i) {
    const int width = display_width(cells[i]);
    out += ' ';
    if (width <= widths_[i]) {
      out += std::string(static_cast<size_t>(widths_[i] - width), ' ') + cells[i];
    } else {
      out += cut(cells[i], widths_[i] - static_cast<int>(cut_mark.size())) + std::string(cut_mark);
    }
    out += " |";
  }
  return out;
}

}  // namespace millrace::tools::sql
