// The function table: one row per function, with its names, how it binds to argument types, and its kernel.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/expr.h"

namespace millrace::processing {

// A call being resolved: the arguments (which binding may wrap in casts) and, in the end, the result.
struct Binding {
  std::string_view name;  // as written
  const Function* function = nullptr;
  std::vector<ExprPtr> args;
  SourcePosition where;

  Expr::Kind kind = Expr::Kind::call;
  ExprPtr replacement;  // another expression instead of a call
  DataType type;        // result
  Kernel kernel = nullptr;
  std::shared_ptr<const void> prepared;
  bool deterministic = true;

  size_t count() const { return args.size(); }
  const DataType& arg(size_t i) const { return args[i]->type; }
  bool any_nullable() const;
  bool is_literal(size_t i) const;          // a literal that is not NULL
  const Value& literal(size_t i) const;     // of a literal argument
  std::string_view symbol(size_t i) const;  // the keyword, or empty
  void cast(size_t i, const DataType& to);  // nullability is kept
  void result_nullable_if_any(const DataType& t) { type = t.with_nullable(any_nullable()); }

  // Checks and casts the arguments by the function's letters; sets the result by them.
  void by_letters();
  void by_letters(std::string_view letters, std::string_view result);

  // The refusals Flink words: wrong types ("Cannot apply …"), wrong number of arguments.
  [[noreturn]] void refuse(std::string_view supported) const;
  [[noreturn]] void refuse_count(std::string_view expected) const;
  [[noreturn]] void refuse_text(const char* java_class, const std::string& message) const;
};

// `args` says what a call takes, one letter per argument: s text, b bytes, x text or bytes, i INT, l BIGINT, d DOUBLE,
// n any number, B BOOLEAN, D DATE, t TIMESTAMP or TIMESTAMP_LTZ, a anything; the ones after [ may be left out, the one
// before * may be repeated. `result`: the same letters, = for the first argument's type; ? makes it always nullable,
// else it is nullable when an argument is. Functions whose types need more thought than that have a `bind`.
struct Function {
  std::vector<std::string_view> names;  // the first is the one documentation uses
  std::string_view family;              // numeric, string, time, conditional, …
  std::string_view usage;               // "LPAD(string, length, pad)"
  std::string_view args;
  std::string_view result;
  Kernel kernel = nullptr;
  void (*bind)(Binding&) = nullptr;
  bool deterministic = true;
};

// Nullptr: unknown. Names match in any case.
const Function* find_function(std::string_view name);
bool is_aggregate_function(std::string_view name);
// Every scalar function and operator, in the order of the documentation.
const std::vector<const Function*>& all_functions();
// For SHOW FUNCTIONS: lower-case names of scalar and aggregate functions, sorted, operators left out.
std::vector<std::string> function_names();

// "No match found for function signature FOO(<NUMERIC>)".
[[noreturn]] void refuse_unknown_function(std::string_view name, std::span<const DataType> args, SourcePosition where);

}  // namespace millrace::processing
