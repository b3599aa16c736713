#include "processing/sql/connectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/error.h"

namespace millrace::processing::sql {
namespace {

using Keys = std::vector<std::string_view>;

struct Connector {
  std::string_view name;
  bool source, sink;
  Keys required;
  Keys optional;
  std::string_view source_class, sink_class;
  bool formats;
};

constexpr std::string_view kProperties = "properties.";

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

struct Format {
  std::string_view name;
  Keys options;
};

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

std::string join(const std::vector<std::string>& items, const char* separator) {
  std::string result;
  for (const std::string& item : items) result += (result.empty() ? "" : separator) + item;
  return result;
}

constexpr const char* kValidation = "org.apache.flink.table.api.ValidationException: ";

// One check of one table: knows what is wrapped around a mistake.
class Check {
 public:
  Check(const TableOptions& options, bool source) : table_(options.table), values_(options.values), source_(source) {}

  void run() {
    outer_ = fmt::format("{}Unable to create a {} '{}'.", kValidation,
                         source_ ? "source for reading table" : "sink for writing table", table_.path.text());
    auto found = values_.find("connector");
    if (found == values_.end())
      fail("Table options do not contain an option key 'connector' for discovering a connector.");
    connector_ = find_connector(found->second);
    if (connector_ == nullptr) {
      std::string available;
      for (const Connector& c : connectors()) available += std::string("\n") + std::string(c.name);
      fail(fmt::format("Could not find any factory for identifier '{}' that implements "
                       "'org.apache.flink.table.factories.DynamicTableFactory' in the classpath.\n\nAvailable factory "
                       "identifiers are:\n{}",
                       found->second, available),
           {fmt::format("{}Cannot discover a connector using option: 'connector'='{}'", kValidation, found->second)});
    }
    if (source_ && !connector_->source) {
      fail(
          fmt::format("Connector '{}' can only be used as a sink. It cannot be used as a source.", connector_->name),
          {fmt::format("{}Cannot discover a connector using option: 'connector'='{}'", kValidation, connector_->name)});
    }
    if (!source_ && !connector_->sink) {
      fail(
          fmt::format("Connector '{}' can only be used as a source. It cannot be used as a sink.", connector_->name),
          {fmt::format("{}Cannot discover a connector using option: 'connector'='{}'", kValidation, connector_->name)});
    }
    if (connector_->formats) check_formats();
    check_keys();
    if (connector_->name == "kafka") check_kafka();
    if (connector_->name == "upsert-kafka") check_upsert_kafka();
    if (connector_->name == "datagen") check_datagen();
  }

 private:
  [[noreturn]] void fail(const std::string& message, std::vector<std::string> causes = {}) {
    causes.push_back(outer_);
    fail_flink_validation(message, std::move(causes));
  }
  [[noreturn]] void fail_java(const char* class_name, const std::string& message, std::vector<std::string> causes) {
    causes.push_back(outer_);
    throw SqlError(SqlError::Stage::plan, class_name, message, {}, std::move(causes));
  }

  bool has(const std::string& key) const { return values_.contains(key); }
  std::string get(const std::string& key, std::string otherwise = {}) const {
    auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }

  void check_formats() {
    bool upsert = connector_->name == "upsert-kafka";
    if (has("key.format")) check_format("key.format", "key.");
    if (has("value.format")) {
      check_format("value.format", "value.");
    } else if (has("format") && !upsert) {
      check_format("format", "");
    } else if (!upsert) {
      fail(fmt::format("Could not find required {} format 'value.format'.", source_ ? "scan" : "sink"));
    }
  }

  void check_format(const std::string& option, const std::string& space) {
    std::string name = get(option);
    const Format* format = find_format(name);
    if (format == nullptr) {
      std::string available;
      for (const Format& f : formats()) available += std::string("\n") + std::string(f.name);
      fail(
          fmt::format("Could not find any factory for identifier '{}' that implements '{}' in the "
                      "classpath.\n\nAvailable factory identifiers are:\n{}",
                      name,
                      source_ ? "org.apache.flink.table.factories.DeserializationFormatFactory"
                              : "org.apache.flink.table.factories.SerializationFormatFactory",
                      available));
    }
    std::string prefix = space + name + ".";
    std::vector<std::string> around = {fmt::format("{}Error creating {} format '{}' in option space '{}'.", kValidation,
                                                   source_ ? "scan" : "sink", name, prefix)};
    for (std::string_view key : format->options) format_keys_.insert(prefix + std::string(key));
    auto is_true = [&](const char* key) { return get(prefix + key) == "true"; };
    for (const char* key : {"fail-on-missing-field", "ignore-parse-errors", "encode.decimal-as-plain-number",
                            "encode.ignore-null-fields", "allow-comments", "disable-quote-character"})
      check_boolean(prefix + key, around);
    if (name == "json") {
      if (source_ && is_true("fail-on-missing-field") && is_true("ignore-parse-errors"))
        fail("fail-on-missing-field and ignore-parse-errors shouldn't both be true.", around);
      std::string standard = get(prefix + "timestamp-format.standard", "SQL");
      if (standard != "SQL" && standard != "ISO-8601") {
        fail(fmt::format("Unsupported value '{}' for timestamp-format.standard. Supported values are [SQL, ISO-8601].",
                         standard),
             around);
      }
      std::string mode = get(prefix + "map-null-key.mode", "FAIL");
      if (!source_ && mode != "FAIL" && mode != "DROP" && mode != "LITERAL") {
        fail(fmt::format(
                 "Unsupported value '{}' for option map-null-key.mode. Supported values are [LITERAL, FAIL, DROP].",
                 mode),
             around);
      }
    } else if (name == "csv") {
      if (is_true("disable-quote-character") && has(prefix + "quote-character")) {
        fail("Format cannot define a quote character and disabled quote character at the same time.", around);
      }
      for (const char* key : {"quote-character", "escape-character", "field-delimiter"}) {
        if (!has(prefix + key)) continue;
        std::string value = get(prefix + key);
        if (value == "\\t" || value == "\t") continue;
        size_t characters = 0;
        for (char c : value) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        if (characters != 1)
          fail(fmt::format("Option '{}' must be a string with single character, but was: {}", std::string("csv.") + key,
                           value),
               around);
      }
    }
  }

  void check_boolean(const std::string& key, const std::vector<std::string>& around) {
    if (!has(key)) return;
    std::string value = get(key);
    std::ranges::transform(value, value.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (value == "true" || value == "false") return;
    std::vector<std::string> causes = {
        fmt::format("java.lang.IllegalArgumentException: Could not parse value '{}' for key '{}'.", get(key), key),
        fmt::format("{}Invalid value for option '{}'.", kValidation, key)};
    causes.insert(causes.end(), around.begin(), around.end());
    fail_java(
        "java.lang.IllegalArgumentException",
        fmt::format("Unrecognized option for boolean: {}. Expected either true or false(case insensitive)", get(key)),
        causes);
  }

  void check_keys() {
    std::vector<std::string> missing;
    for (std::string_view key : connector_->required)
      if (!has(std::string(key))) missing.emplace_back(key);
    if (!missing.empty()) {
      std::ranges::sort(missing);
      fail("One or more required options are missing.\n\nMissing required options are:\n\n" + join(missing, "\n"));
    }
    std::set<std::string> known = format_keys_;
    known.insert("connector");
    known.insert("property-version");
    for (const Keys* keys : {&connector_->required, &connector_->optional})
      for (std::string_view key : *keys) known.emplace(key);
    std::vector<std::string> unknown;
    for (const auto& [key, value] : values_) {
      bool open = (connector_->formats && key.starts_with(kProperties)) ||
                  (connector_->name == "datagen" && key.starts_with("fields."));
      if (!open && !known.contains(key)) unknown.push_back(key);
    }
    if (!unknown.empty()) {
      fail(fmt::format("Unsupported options found for '{}'.\n\nUnsupported options:\n\n{}\n\nSupported options:\n\n{}",
                       connector_->name, join(unknown, "\n"),
                       join(std::vector<std::string>(known.begin(), known.end()), "\n")));
    }
  }

  void check_choice(const std::string& key, const Keys& choices, const char* enum_class) {
    if (!has(key)) return;
    std::string value = get(key);
    auto same = [&](std::string_view choice) {
      return std::ranges::equal(choice, value, [](char a, char b) {
        auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
      });
    };
    if (std::ranges::any_of(choices, same)) return;
    std::string expected;
    for (std::string_view choice : choices) expected += (expected.empty() ? "" : ", ") + std::string(choice);
    std::string message = fmt::format(
        "Could not parse value for enum class "
        "org.apache.flink.streaming.connectors.kafka.table.KafkaConnectorOptions${}. "
        "Expected one of: [[{}]]",
        enum_class, expected);
    fail_java("java.lang.IllegalArgumentException", message,
              {fmt::format("java.lang.IllegalArgumentException: Could not parse value '{}' for key '{}'.", value, key),
               fmt::format("{}Invalid value for option '{}'.", kValidation, key)});
  }

  void check_number(const std::string& key) {
    if (!has(key)) return;
    std::string value = get(key);
    bool digits = !value.empty() && std::ranges::all_of(value.starts_with('-') ? value.substr(1) : value,
                                                        [](char c) { return c >= '0' && c <= '9'; });
    if (digits) return;
    fail_java("java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", value),
              {fmt::format("java.lang.IllegalArgumentException: Could not parse value '{}' for key '{}'.", value, key),
               fmt::format("{}Invalid value for option '{}'.", kValidation, key)});
  }

  void check_offsets(const std::string& key) {
    std::string value = get(key);
    auto wrong = [&] {
      fail(fmt::format(
          "Invalid properties '{}' should follow the format 'partition:0,offset:42;partition:1,offset:300', but "
          "is '{}'.",
          key, value));
    };
    std::string_view rest = value;
    while (!rest.empty()) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest = pair.size() < rest.size() ? rest.substr(pair.size() + 1) : std::string_view();
      if (pair.empty()) break;
      size_t comma = pair.find(',');
      if (comma == std::string_view::npos) wrong();
      auto number_after = [&](std::string_view part, std::string_view prefix) {
        if (!part.starts_with(prefix) || part.size() == prefix.size()) return false;
        return std::ranges::all_of(part.substr(prefix.size()), [](char c) { return c >= '0' && c <= '9'; });
      };
      if (!number_after(pair.substr(0, comma), "partition:") || !number_after(pair.substr(comma + 1), "offset:"))
        wrong();
    }
  }

  void check_scan_modes(bool startup) {
    if (startup) {
      check_choice("scan.startup.mode",
                   {"earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"},
                   "ScanStartupMode");
      check_number("scan.startup.timestamp-millis");
      std::string mode = get("scan.startup.mode");
      if (mode == "timestamp" && !has("scan.startup.timestamp-millis"))
        fail("'scan.startup.timestamp-millis' is required in 'timestamp' startup mode but missing.");
      if (mode == "specific-offsets") {
        if (!has("scan.startup.specific-offsets"))
          fail("'scan.startup.specific-offsets' is required in 'specific-offsets' startup mode but missing.");
        if (!has("topic") || get("topic").find(';') != std::string::npos)
          fail("Currently Kafka source only supports specific offset for single topic.");
        check_offsets("scan.startup.specific-offsets");
      }
    }
    check_choice("scan.bounded.mode", {"unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"},
                 "ScanBoundedMode");
    check_number("scan.bounded.timestamp-millis");
    std::string mode = get("scan.bounded.mode");
    if (mode == "timestamp" && !has("scan.bounded.timestamp-millis"))
      fail("'scan.bounded.timestamp-millis' is required in 'timestamp' bounded mode but missing.");
    if (mode == "specific-offsets") {
      if (!has("scan.bounded.specific-offsets"))
        fail("'scan.bounded.specific-offsets' is required in 'specific-offsets' bounded mode but missing.");
      if (!has("topic") || get("topic").find(';') != std::string::npos)
        fail("Currently Kafka source only supports specific offset for single topic.");
      check_offsets("scan.bounded.specific-offsets");
    }
  }

  void check_key_fields() {
    std::string prefix = get("key.fields-prefix");
    if (has("key.fields") && !has("key.format"))
      fail("The option 'key.fields' can only be declared if a key format is defined using 'key.format'.");
    if (has("key.format") && get("key.fields").empty())
      fail("A key format 'key.format' requires the declaration of one or more of key fields using 'key.fields'.");
    std::string_view rest;
    std::string fields = get("key.fields");
    rest = fields;
    while (!rest.empty()) {
      std::string field(rest.substr(0, rest.find(';')));
      rest = field.size() < rest.size() ? rest.substr(field.size() + 1) : std::string_view();
      int index = table_.column_index(field);
      if (index < 0 || table_.columns[static_cast<size_t>(index)].definition.kind != ColumnDef::Kind::physical) {
        std::vector<std::string> physical;
        for (const Column& column : table_.columns)
          if (column.definition.kind == ColumnDef::Kind::physical) physical.push_back(column.definition.name);
        fail(fmt::format(
            "Could not find the field '{}' in the table schema for usage in the key format. A key field must be "
            "a regular, physical column. The following columns can be selected in the 'key.fields' "
            "option:\n[{}]",
            field, join(physical, ", ")));
      }
      if (!field.starts_with(prefix)) {
        fail(fmt::format(
            "All fields in 'key.fields' must be prefixed with '{}' when option 'key.fields-prefix' is set but "
            "field '{}' is not prefixed.",
            prefix, field));
      }
    }
    check_fields_include();
    if (!prefix.empty() && get("value.fields-include", "ALL") == "ALL") {
      fail(
          "A key prefix is not allowed when option 'value.fields-include' is set to 'ALL'. Set it to 'EXCEPT_KEY' "
          "instead to "
          "avoid field overlaps.");
    }
  }

  void check_fields_include() { check_choice("value.fields-include", {"ALL", "EXCEPT_KEY"}, "ValueFieldsStrategy"); }

  void check_kafka() {
    if (source_) {
      if (has("topic") && has("topic-pattern")) fail("Option 'topic' and 'topic-pattern' shouldn't be set together.");
      if (!has("topic") && !has("topic-pattern")) fail("Either 'topic' or 'topic-pattern' must be set.");
      check_scan_modes(true);
    } else {
      if (!has("topic") && !has("topic-pattern")) fail("Either 'topic' or 'topic-pattern' must be set.");
      check_choice("sink.delivery-guarantee", {"exactly-once", "at-least-once", "none"}, "DeliveryGuarantee");
      if (get("sink.delivery-guarantee") == "exactly-once" && !has("sink.transactional-id-prefix"))
        fail("sink.transactional-id-prefix must be specified when using DeliveryGuarantee.EXACTLY_ONCE.");
      if (get("sink.partitioner") == "round-robin" && has("key.fields"))
        fail("Currently 'round-robin' partitioner only works when option 'key.fields' is not specified.");
    }
    if (table_.primary_key) {
      std::string format = has("value.format") ? get("value.format") : get("format");
      fail(fmt::format(
          "The Kafka table '{}' with '{}' format doesn't support defining PRIMARY KEY constraint on the table, "
          "because it can't guarantee the semantic of primary key.",
          table_.path.text(), format));
    }
    check_key_fields();
  }

  void check_upsert_kafka() {
    if (!table_.primary_key) {
      fail(
          "'upsert-kafka' tables require to define a PRIMARY KEY constraint. The PRIMARY KEY specifies which columns "
          "should "
          "be read from or write to the Kafka message key. The PRIMARY KEY also defines records in the 'upsert-kafka' "
          "table "
          "should update or delete on which keys.");
    }
    if (source_) check_scan_modes(false);
    check_fields_include();
    if (!source_ && get("sink.delivery-guarantee") == "exactly-once" && !has("sink.transactional-id-prefix"))
      fail("sink.transactional-id-prefix must be specified when using DeliveryGuarantee.EXACTLY_ONCE.");
  }

  void check_datagen() {
    check_number("rows-per-second");
    check_number("number-of-rows");
    for (const auto& [key, value] : values_) {
      if (!key.starts_with("fields.")) continue;
      size_t dot = key.find('.', 7);
      std::string field = key.substr(7, dot == std::string::npos ? dot : dot - 7);
      if (key.ends_with(".kind") && value != "random" && value != "sequence")
        fail(fmt::format("Unsupported generator kind: {}", value));
      if (table_.column_index(field) < 0) {
        fail(fmt::format("Unsupported options found for 'datagen'.\n\nUnsupported options:\n\n{}", key));
      }
      std::string base = "fields." + field + ".";
      if (get(base + "kind") == "sequence") {
        for (const char* bound : {"start", "end"}) {
          if (!has(base + bound)) {
            fail(fmt::format("Could not find required property '{}{}' for sequence generator.", base, bound));
          }
        }
      }
    }
  }

  const CatalogTable& table_;
  const plan::Options& values_;
  bool source_;
  const Connector* connector_ = nullptr;
  std::string outer_;
  std::set<std::string> format_keys_;
};

}  // namespace

void check_source(const TableOptions& options) { Check(options, true).run(); }
void check_sink(const TableOptions& options) { Check(options, false).run(); }

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
