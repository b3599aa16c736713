// OVER windows, Top-N and deduplication.
#include <fmt/format.h>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {

Relation Planner::over(Relation, const Scope&, const Select&, const SelectColumns&) {
  fail_table("OVER is not supported yet.");
}

}  // namespace millrace::processing::sql
