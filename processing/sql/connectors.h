// The connectors and formats a table can name, the options each takes, and Flink's words when they are wrong. Checked
// when a table is read or written, not when it is created, as in Flink.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "processing/plan.h"
#include "processing/sql/catalog.h"

namespace millrace::processing::sql {

// The table as seen by a query: its options with the query's OPTIONS hint laid over them.
struct TableOptions {
  const CatalogTable& table;
  plan::Options values;
};

// Throw SqlError.
void check_source(const TableOptions& options);
void check_sink(const TableOptions& options);

// Keys of metadata columns a connector reads and writes, with the connector's types; nothing for one without.
std::vector<plan::MetadataColumn> readable_metadata(std::string_view connector);
std::vector<plan::MetadataColumn> writable_metadata(std::string_view connector);
// Flink's class of the sink, for messages.
std::string_view sink_class(std::string_view connector);
std::string_view source_class(std::string_view connector);
// Whether the sink takes updates and deletes.
bool takes_updates(std::string_view connector);

}  // namespace millrace::processing::sql
