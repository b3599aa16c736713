// Runs one SQL case against the engine, over topics in memory and under virtual time.
#pragma once

#include <string>

#include "tests/sql/case_file.h"

namespace millrace::sqltest {

// Empty: as Flink does it. Otherwise what is different.
std::string run_case(const Case& test);

}  // namespace millrace::sqltest
