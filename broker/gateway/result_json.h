// Columns, types and rows of a result as the gateway's clients read them.
//
//   {"name":"a","logicalType":{"type":"DECIMAL","nullable":true,"precision":10,"scale":2},"comment":null}
//   {"kind":"INSERT","fields":[12.34]}        rowFormat JSON: values in the JSON format, times as ISO-8601
//   {"kind":"INSERT","fields":["12.34"]}      rowFormat PLAIN_TEXT: cells as a client prints them
#pragma once

#include <string>
#include <vector>

#include "processing/engine.h"

namespace millrace::broker::gateway {

enum class RowFormat { json, plain_text };

void append_type(std::string& out, const processing::DataType& type);
void append_columns(std::string& out, const std::vector<processing::Field>& columns);
void append_row(std::string& out, const processing::ResultRow& row, const std::vector<processing::Field>& columns,
                RowFormat format, const processing::TimeZone& zone);

}  // namespace millrace::broker::gateway
