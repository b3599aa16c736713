// Tables as Flink's client prints them.
//
//   +----+-------------+--------------------------------+
//   | op |           a |                              b |      `op` only for the changing rows of a query
//   +----+-------------+--------------------------------+
//   | +I |           1 | a very long string that exc... |
#pragma once

#include <string>
#include <vector>

#include "tools/sql/rest_client.h"

namespace millrace::tools::sql {

class Tableau {
 public:
  // Column widths follow from the types: rows can be printed as they come.
  static Tableau by_type(const std::vector<Column>& columns, int most);
  // Column widths follow from what is in the rows.
  static Tableau by_content(const std::vector<Column>& columns, const std::vector<ResultRow>& rows);

  std::string border() const;
  std::string heading() const { return line(names_); }
  std::string row(const ResultRow& row) const;

 private:
  std::string line(const std::vector<std::string>& cells) const;

  bool kinds_ = false;
  std::vector<std::string> names_;
  std::vector<int> widths_;
};

// Columns of a terminal, as Flink counts them: UTF-16 units, and one more for each wide character.
int display_width(std::string_view text);

}  // namespace millrace::tools::sql
