#include "processing/formats/csv_style.h"

namespace millrace::processing {

CsvStyle::CsvStyle(const FormatOptions& options) {
  const auto text = [&](const char* name) -> std::optional<std::string> {
    const auto at = options.find(name);
    if (at == options.end()) return std::nullopt;
    return at->second;
  };
  if (const auto v = text("field-delimiter"); v && !v->empty()) delimiter = *v == "\\t" ? '\t' : v->front();
  if (const auto v = text("quote-character"); v && !v->empty()) quote = v->front();
  if (flag(options, "disable-quote-character")) quote.reset();
  if (const auto v = text("escape-character"); v && !v->empty()) escape = v->front();
  null_literal = text("null-literal");
  if (const auto v = text("array-element-delimiter")) array_delimiter = *v;
  comments = flag(options, "allow-comments");
  ignore_errors = flag(options, "ignore-parse-errors");
  scientific_decimals = flag(options, "write-bigdecimal-in-scientific-notation", true);
}

}  // namespace millrace::processing
