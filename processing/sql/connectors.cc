// The table of connectors and formats: what each reads and writes, and the keys of its options.
#include "processing/sql/connectors.h"

#include <algorithm>

#include "processing/sql/connector_table.h"

namespace millrace::processing::sql {

const std::vector<Connector>& connectors() {
  static const std::vector<Connector> all = {
      {"kafka",
       true,
       true,
       {"properties.bootstrap.servers"},
       {"topic",
        "topic-pattern",
        "properties.group.id",
        "format",
        "key.format",
        "key.fields",
        "key.fields-prefix",
        "value.format",
        "value.fields-include",
        "scan.startup.mode",
        "scan.startup.specific-offsets",
        "scan.startup.timestamp-millis",
        "scan.bounded.mode",
        "scan.bounded.specific-offsets",
        "scan.bounded.timestamp-millis",
        "scan.topic-partition-discovery.interval",
        "scan.parallelism",
        "scan.watermark.emit.strategy",
        "scan.watermark.alignment.group",
        "scan.watermark.alignment.max-drift",
        "scan.watermark.alignment.update-interval",
        "scan.watermark.idle-timeout",
        "sink.partitioner",
        "sink.semantic",
        "sink.delivery-guarantee",
        "sink.transactional-id-prefix",
        "sink.transaction-naming-strategy",
        "sink.parallelism"},
       "org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicSource",
       "org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicSink",
       true},
      {"upsert-kafka",
       true,
       true,
       {"topic", "properties.bootstrap.servers", "key.format", "value.format"},
       {"key.fields-prefix", "value.fields-include", "scan.bounded.mode", "scan.bounded.specific-offsets",
        "scan.bounded.timestamp-millis", "scan.parallelism", "scan.watermark.emit.strategy",
        "scan.watermark.alignment.group", "scan.watermark.alignment.max-drift",
        "scan.watermark.alignment.update-interval", "scan.watermark.idle-timeout", "sink.parallelism",
        "sink.buffer-flush.max-rows", "sink.buffer-flush.interval", "sink.delivery-guarantee",
        "sink.transactional-id-prefix", "sink.transaction-naming-strategy"},
       "org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicSource",
       "org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicSink",
       true},
      {"print",
       false,
       true,
       {},
       {"print-identifier", "standard-error", "sink.parallelism"},
       "",
       "org.apache.flink.connector.print.table.PrintTableSinkFactory$PrintSink",
       false},
      {"blackhole",
       false,
       true,
       {},
       {"sink.parallelism"},
       "",
       "org.apache.flink.connector.blackhole.table.BlackHoleTableSinkFactory$BlackHoleSink",
       false},
      {"datagen",
       true,
       false,
       {},
       {"rows-per-second", "number-of-rows", "scan.parallelism"},
       "org.apache.flink.connector.datagen.table.DataGenTableSource",
       "",
       false},
  };
  return all;
}

const std::vector<Format>& formats() {
  static const std::vector<Format> all = {
      {"json",
       {"fail-on-missing-field", "ignore-parse-errors", "timestamp-format.standard", "map-null-key.mode",
        "map-null-key.literal", "encode.decimal-as-plain-number", "encode.ignore-null-fields",
        "decode.json-parser.enabled"}},
      {"csv",
       {"field-delimiter", "disable-quote-character", "quote-character", "allow-comments", "ignore-parse-errors",
        "array-element-delimiter", "escape-character", "null-literal", "write-bigdecimal-in-scientific-notation",
        "trim-spaces"}},
      {"raw", {"endianness", "charset"}},
  };
  return all;
}

const Connector* find_connector(std::string_view name) {
  auto found = std::ranges::find(connectors(), name, &Connector::name);
  return found == connectors().end() ? nullptr : &*found;
}

const Format* find_format(std::string_view name) {
  auto found = std::ranges::find(formats(), name, &Format::name);
  return found == formats().end() ? nullptr : &*found;
}

std::vector<plan::MetadataColumn> readable_metadata(std::string_view connector) {
  if (connector != "kafka" && connector != "upsert-kafka") return {};
  return {
      {"topic", DataType::string().not_null()},
      {"partition", DataType::integer().not_null()},
      {"headers", DataType::map(DataType::string(), DataType::bytes()).not_null()},
      {"leader-epoch", DataType::integer()},
      {"offset", DataType::bigint().not_null()},
      {"timestamp", DataType::timestamp_ltz(3).not_null()},
      {"timestamp-type", DataType::string().not_null()},
  };
}

std::vector<plan::MetadataColumn> writable_metadata(std::string_view connector) {
  if (connector != "kafka" && connector != "upsert-kafka") return {};
  return {
      {"headers", DataType::map(DataType::string(), DataType::bytes())},
      {"timestamp", DataType::timestamp_ltz(3)},
  };
}

std::string_view sink_class(std::string_view connector) {
  const Connector* found = find_connector(connector);
  return found == nullptr ? std::string_view() : found->sink_class;
}

std::string_view source_class(std::string_view connector) {
  const Connector* found = find_connector(connector);
  return found == nullptr ? std::string_view() : found->source_class;
}

bool takes_updates(std::string_view connector) { return connector != "kafka"; }

}  // namespace millrace::processing::sql
