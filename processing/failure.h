// What the user's script or data made fail, in Flink's words: the exception's class and its message, and where in the
// statement it was (when a position belongs to it).
#pragma once

#include <stdexcept>
#include <string>

namespace millrace::processing {

struct SourcePosition {
  int line = 0;  // 1-based; 0: unknown
  int column = 0;
  int end_line = 0;
  int end_column = 0;
  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

class SqlFailure : public std::runtime_error {
 public:
  SqlFailure(std::string java_class, const std::string& message, SourcePosition where = {})
      : std::runtime_error(message), java_class_(std::move(java_class)), position_(where) {}

  const std::string& java_class() const { return java_class_; }
  std::string message() const { return what(); }
  const SourcePosition& position() const { return position_; }

 private:
  std::string java_class_;
  SourcePosition position_;
};

// The statement is refused before it runs.
class PlanFailure : public SqlFailure {
 public:
  using SqlFailure::SqlFailure;
};

// A row could not be computed; the job fails.
class RunFailure : public SqlFailure {
 public:
  using SqlFailure::SqlFailure;
};

namespace java {
inline constexpr const char* validator = "org.apache.calcite.sql.validate.SqlValidatorException";
inline constexpr const char* validation = "org.apache.flink.table.api.ValidationException";
inline constexpr const char* code_gen = "org.apache.flink.table.planner.codegen.CodeGenException";
inline constexpr const char* table = "org.apache.flink.table.api.TableException";
inline constexpr const char* table_runtime = "org.apache.flink.table.api.TableRuntimeException";
inline constexpr const char* runtime = "java.lang.RuntimeException";
inline constexpr const char* arithmetic = "java.lang.ArithmeticException";
inline constexpr const char* number_format = "java.lang.NumberFormatException";
inline constexpr const char* illegal_argument = "java.lang.IllegalArgumentException";
inline constexpr const char* date_time = "java.time.DateTimeException";
}  // namespace java

}  // namespace millrace::processing
