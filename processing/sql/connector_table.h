// Every connector and format a table can name, and the keys of their options.
#pragma once

#include <string_view>
#include <vector>

namespace millrace::processing::sql {

using Keys = std::vector<std::string_view>;

struct Connector {
  std::string_view name;
  bool source, sink;
  Keys required;
  Keys optional;
  std::string_view source_class, sink_class;
  bool formats;
};

struct Format {
  std::string_view name;
  Keys options;  // without the format's name in front
};

const std::vector<Connector>& connectors();
const std::vector<Format>& formats();
// Null: there is none of that name.
const Connector* find_connector(std::string_view name);
const Format* find_format(std::string_view name);

}  // namespace millrace::processing::sql
