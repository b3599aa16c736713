// The formats of a table and the options each takes: 'json.ignore-parse-errors', 'key.csv.field-delimiter'.
#pragma once

#include <set>
#include <string>

#include "processing/sql/option_check.h"

namespace millrace::processing::sql {

// Checks them, and returns the keys they may have. `upsert`: the connector has a key and a value format.
std::set<std::string> check_formats(const OptionCheck& check, bool upsert);

}  // namespace millrace::processing::sql
