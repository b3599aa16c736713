// Typed expressions, and their evaluation over batches.
//
// Build them with the functions below: they check argument types, insert the casts Flink inserts, infer the result
// type, and choose the kernel; what Flink refuses they refuse, with a PlanFailure in Flink's words. Operators are calls
// too:
//   + - * / % MOD, unary "-", = <> < <= > >=, AND OR NOT, "IS NULL" "IS NOT NULL" "IS TRUE" "IS NOT TRUE" "IS FALSE"
//   "IS NOT FALSE" "IS UNKNOWN" "IS NOT UNKNOWN", "IS DISTINCT FROM" "IS NOT DISTINCT FROM", BETWEEN "NOT BETWEEN"
//   "BETWEEN SYMMETRIC" "NOT BETWEEN SYMMETRIC" (x, low, high), IN "NOT IN" (x, item…), LIKE "NOT LIKE" (x, pattern[,
//   escape]), "SIMILAR TO" "NOT SIMILAR TO", "||", CASE (when, then, …, else; the else is always there, a NULL literal
//   if need be), ITEM (array[i], map[key], row[i]), ROW (…), ARRAY (…), MAP (k, v, …), "IS JSON"
//   [VALUE|OBJECT|ARRAY|SCALAR] and "IS NOT JSON" …
// Keywords among the arguments are symbols: EXTRACT(symbol YEAR, x), FLOOR(x, symbol DAY), CEIL(x, symbol DAY),
// TIMESTAMPADD(symbol, n, x), TIMESTAMPDIFF(symbol, a, b), "-" of two times for (a − b) unit: MINUS_DATE(a, b, symbol),
// TRIM(symbol BOTH|LEADING|TRAILING, characters, x), JSON functions: see functions/json.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/column.h"
#include "processing/failure.h"
#include "processing/time_zone.h"
#include "processing/types.h"
#include "processing/value.h"

namespace millrace::processing {

// What evaluation knows besides the rows. One per job and operator; not shared between threads.
struct EvalContext {
  TimeZone zone;                            // table.local-time-zone
  TimestampValue now;                       // the wall clock for this batch: CURRENT_TIMESTAMP, PROCTIME(), …
  TimestampValue query_start;               // the wall clock when the job began (batch mode reads this one)
  std::optional<int64_t> watermark;         // CURRENT_WATERMARK
  uint64_t random = 0x9e3779b97f4a7c15ull;  // state of RAND() and UUID(); seed it
};

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;
struct Function;

// The rows a kernel has to compute: all of 0..size-1, or those listed.
struct Rows {
  const uint32_t* index = nullptr;
  size_t count = 0;
  size_t size = 0;  // of the batch

  template <class F>
  void each(F f) const {
    if (index == nullptr) {
      for (size_t i = 0; i < size; ++i) f(i);
    } else {
      for (size_t i = 0; i < count; ++i) f(static_cast<size_t>(index[i]));
    }
  }
};

struct KernelCall {
  const Expr& expr;
  std::span<const Column> args;
  const Rows& rows;
  EvalContext& context;
};
// Computes the rows asked for; the other rows of the result are null or zero.
using Kernel = Column (*)(const KernelCall&);

struct Expr {
  enum class Kind : uint8_t { column, field, literal, call, and_, or_, case_ };
  Kind kind = Kind::literal;
  DataType type;
  SourcePosition position;
  std::vector<ExprPtr> args;
  int index = 0;     // column: its number in the batch; field: the field's number in args[0]'s row
  std::string name;  // column, field: its name; call: the function as the user wrote it
  Value literal;
  const Function* function = nullptr;    // call: its row of the function table
  Kernel kernel = nullptr;               // call
  std::shared_ptr<const void> prepared;  // call: what was compiled once from constant arguments
  bool deterministic = true;             // of the whole tree
};

ExprPtr make_column(int index, DataType type, std::string name = "", SourcePosition where = {});
ExprPtr make_literal(Value value, DataType type, SourcePosition where = {});
ExprPtr make_null(SourcePosition where = {});
ExprPtr make_symbol(std::string_view keyword, SourcePosition where = {});
ExprPtr make_field(ExprPtr row, int field, SourcePosition where = {});
ExprPtr make_call(std::string_view name, std::vector<ExprPtr> args, SourcePosition where = {});
// CAST and TRY_CAST. `implicit`: inserted by us, refused with other words.
ExprPtr make_cast(ExprPtr value, const DataType& to, bool try_cast = false, SourcePosition where = {});
// The same unless it has that type already (nullability aside): what INSERT and UNION put in front of a column.
ExprPtr coerce(ExprPtr value, const DataType& to);

// The value of an expression without columns, computed once with `context`. Nothing: it has columns, or is not
// deterministic, or fails.
std::optional<Value> constant_value(const ExprPtr& expr, EvalContext& context);
// Replaces deterministic sub-trees without columns by their values. Those that fail stay, to fail at run time.
ExprPtr fold_constants(const ExprPtr& expr, EvalContext& context);

// Does `f` see the same columns under other numbers: column i becomes mapping[i].
ExprPtr remap_columns(const ExprPtr& expr, std::span<const int> mapping);
// The numbers of all columns read, ascending, each once.
std::vector<int> columns_of(const ExprPtr& expr);

// Throws RunFailure. Only the selected rows of the batch are computed; the result has batch.rows rows.
Column evaluate(const Expr& expr, const Batch& batch, EvalContext& context);
Column evaluate(const Expr& expr, const Batch& batch, const Rows& rows, EvalContext& context);
// The rows (of those selected) where the predicate is TRUE.
std::vector<uint32_t> filter(const Expr& predicate, const Batch& batch, EvalContext& context);

// One row: for tests, timers and other cold paths.
Value evaluate_row(const Expr& expr, const Row& row, EvalContext& context);

}  // namespace millrace::processing
