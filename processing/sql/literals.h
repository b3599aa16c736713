// Literals as typed values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "processing/expr.h"
#include "processing/sql/ast.h"

namespace millrace::processing::sql {

SourcePosition where(const Pos& pos);

// The value of a literal node, with the type Flink gives it. Throws SqlError.
processing::ExprPtr literal_expr(const Node& node);

// Of a literal without a fraction that is not too large; nothing for any other node.
std::optional<int64_t> whole_number(const Node& node);

// Milliseconds of INTERVAL '10' SECOND and its kind; nothing for intervals of months.
std::optional<int64_t> interval_millis(const Node& node);
// "SECOND", "DAY TO SECOND": the unit as Calcite prints the type.
std::string interval_unit_text(const Node& node);

}  // namespace millrace::processing::sql
