// Runs one SQL case against the engine, over topics in memory and under virtual time.
#pragma once

#include <optional>
#include <string>

#include "tests/sql/case_file.h"

namespace millrace::sqltest {

struct Verdict {
  std::string difference;  // empty: as Flink does it
  std::optional<bool>
      same_order;  // of a changelog: its rows come in Flink's own order, which is more than is asked for
};
Verdict run_case(const Case& test);

}  // namespace millrace::sqltest
