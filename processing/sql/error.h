// What is wrong with a statement, worded as Flink words it, so that a user finds the same advice for both.
#pragma once

#include <exception>
#include <string>
#include <vector>

namespace millrace::processing::sql {

// A stretch of a statement's text; lines and columns count from 1, the end is inclusive.
struct Pos {
  int line = 0;
  int column = 0;
  int end_line = 0;
  int end_column = 0;

  bool known() const { return line > 0; }
  // The stretch from the start of this one to the end of `other`.
  Pos to(const Pos& other) const { return {line, column, other.end_line, other.end_column}; }
  // "line 1, column 3", or "From line 1, column 3 to line 1, column 9".
  std::string text() const;
};

class SqlError : public std::exception {
 public:
  enum class Stage { parse, plan };

  SqlError(Stage stage, std::string class_name, std::string message, Pos pos = {},
           std::vector<std::string> causes = {});

  const char* what() const noexcept override { return text_.c_str(); }

  Stage stage;
  std::string class_name;  // Flink's root cause: "org.apache.calcite.sql.validate.SqlValidatorException"
  std::string message;
  Pos pos;                          // unknown when Flink gives none
  std::vector<std::string> causes;  // "class: message" of what Flink wraps around the root, innermost first

 private:
  std::string text_;  // "class: message"
};

[[noreturn]] void fail_parse(const std::string& message, Pos pos);
// Calcite's validator: an SqlValidatorException at a position.
[[noreturn]] void fail_validation(const std::string& message, Pos pos);
// Flink's ValidationException (a statement that cannot be) and TableException (one that Flink cannot do).
[[noreturn]] void fail_flink_validation(const std::string& message, std::vector<std::string> causes = {}, Pos pos = {});
[[noreturn]] void fail_table(const std::string& message, std::vector<std::string> causes = {});

}  // namespace millrace::processing::sql
