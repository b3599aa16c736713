// How lines of CSV are written: the options of the format.
#pragma once

#include <optional>
#include <string>

#include "processing/formats/format.h"

namespace millrace::processing {

struct CsvStyle {
  char delimiter = ',';
  std::optional<char> quote = '"';
  std::optional<char> escape;
  std::optional<std::string> null_literal;
  std::string array_delimiter = ";";
  bool comments = false;
  bool ignore_errors = false;
  bool scientific_decimals = true;

  explicit CsvStyle(const FormatOptions& options);
};

}  // namespace millrace::processing
