// Text to syntax tree. A mistake is an SqlError with Flink's ParseException text and place.
#pragma once

#include <string_view>

#include "processing/sql/ast.h"

namespace millrace::processing::sql {

Statement parse_statement(std::string_view text);

}  // namespace millrace::processing::sql
