#include "processing/sql/error.h"

#include <fmt/format.h>

#include <utility>

namespace millrace::processing::sql {

std::string Pos::text() const {
  if (!known()) return {};
  if (line == end_line && column == end_column) return fmt::format("line {}, column {}", line, column);
  return fmt::format("From line {}, column {} to line {}, column {}", line, column, end_line, end_column);
}

SqlError::SqlError(Stage at, std::string name, std::string what, Pos where, std::vector<std::string> wrapped)
    : stage(at), class_name(std::move(name)), message(std::move(what)), pos(where), causes(std::move(wrapped)) {
  text_ = class_name + ": " + message;
}

void fail_parse(const std::string& message, Pos pos) {
  throw SqlError(SqlError::Stage::parse, "org.apache.flink.sql.parser.impl.ParseException", message, pos);
}

void fail_validation(const std::string& message, Pos pos) {
  throw SqlError(SqlError::Stage::plan, "org.apache.calcite.sql.validate.SqlValidatorException", message, pos);
}

void fail_flink_validation(const std::string& message, std::vector<std::string> causes, Pos pos) {
  throw SqlError(SqlError::Stage::plan, "org.apache.flink.table.api.ValidationException", message, pos,
                 std::move(causes));
}

void fail_table(const std::string& message, std::vector<std::string> causes) {
  throw SqlError(SqlError::Stage::plan, "org.apache.flink.table.api.TableException", message, {}, std::move(causes));
}

}  // namespace millrace::processing::sql
