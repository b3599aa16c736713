// Whether the options of a table make sense for its connector.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/connectors.h"
#include "processing/sql/format_options.h"
#include "processing/sql/option_check.h"

namespace millrace::processing::sql {

namespace {

constexpr std::string_view kProperties = "properties.";

class ConnectorCheck : private OptionCheck {
 public:
  using OptionCheck::OptionCheck;

  void run() {
    auto found = values().find("connector");
    if (found == values().end())
      fail("Table options do not contain an option key 'connector' for discovering a connector.");
    connector_ = find_connector(found->second);
    const std::string around = fmt::format("{}Cannot discover a connector using option: 'connector'='{}'",
                                           validation_exception, found->second);
    if (connector_ == nullptr) {
      std::string available;
      for (const Connector& c : connectors()) available += "\n" + std::string(c.name);
      fail(fmt::format("Could not find any factory for identifier '{}' that implements "
                       "'org.apache.flink.table.factories.DynamicTableFactory' in the classpath.\n\nAvailable factory "
                       "identifiers are:\n{}",
                       found->second, available),
           {around});
    }
    if (source() && !connector_->source)
      fail(fmt::format("Connector '{}' can only be used as a sink. It cannot be used as a source.", connector_->name),
           {around});
    if (!source() && !connector_->sink)
      fail(fmt::format("Connector '{}' can only be used as a source. It cannot be used as a sink.", connector_->name),
           {around});
    if (connector_->formats) format_keys_ = check_formats(*this, connector_->name == "upsert-kafka");
    check_keys();
    if (connector_->name == "kafka") check_kafka();
    if (connector_->name == "upsert-kafka") check_upsert_kafka();
    if (connector_->name == "datagen") check_datagen();
  }

 private:
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
    for (const auto& [key, value] : values()) {
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

  // scan.startup.mode, or scan.bounded.mode, and what its modes need.
  void check_scan_mode(const std::string& which, const Keys& modes, const char* enum_class) {
    const std::string space = "scan." + which + ".";
    check_choice(space + "mode", modes, enum_class);
    check_number(space + "timestamp-millis");
    const std::string mode = get(space + "mode");
    if (mode == "timestamp" && !has(space + "timestamp-millis"))
      fail(fmt::format("'{}timestamp-millis' is required in 'timestamp' {} mode but missing.", space, which));
    if (mode != "specific-offsets") return;
    if (!has(space + "specific-offsets"))
      fail(fmt::format("'{}specific-offsets' is required in 'specific-offsets' {} mode but missing.", space, which));
    if (!has("topic") || get("topic").find(';') != std::string::npos)
      fail("Currently Kafka source only supports specific offset for single topic.");
    check_offsets(space + "specific-offsets");
  }

  void check_startup_mode() {
    check_scan_mode("startup", {"earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"},
                    "ScanStartupMode");
  }

  void check_bounded_mode() {
    check_scan_mode("bounded", {"unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"},
                    "ScanBoundedMode");
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
      int index = table().column_index(field);
      if (index < 0 || table().columns[static_cast<size_t>(index)].definition.kind != ColumnDef::Kind::physical) {
        std::vector<std::string> physical;
        for (const Column& column : table().columns)
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
    if (source()) {
      if (has("topic") && has("topic-pattern")) fail("Option 'topic' and 'topic-pattern' shouldn't be set together.");
      if (!has("topic") && !has("topic-pattern")) fail("Either 'topic' or 'topic-pattern' must be set.");
      check_startup_mode();
      check_bounded_mode();
    } else {
      if (!has("topic") && !has("topic-pattern")) fail("Either 'topic' or 'topic-pattern' must be set.");
      check_choice("sink.delivery-guarantee", {"exactly-once", "at-least-once", "none"}, "DeliveryGuarantee");
      if (get("sink.delivery-guarantee") == "exactly-once" && !has("sink.transactional-id-prefix"))
        fail("sink.transactional-id-prefix must be specified when using DeliveryGuarantee.EXACTLY_ONCE.");
      if (get("sink.partitioner") == "round-robin" && has("key.fields"))
        fail("Currently 'round-robin' partitioner only works when option 'key.fields' is not specified.");
    }
    if (table().primary_key) {
      std::string format = has("value.format") ? get("value.format") : get("format");
      fail(fmt::format(
          "The Kafka table '{}' with '{}' format doesn't support defining PRIMARY KEY constraint on the table, "
          "because it can't guarantee the semantic of primary key.",
          table().path.text(), format));
    }
    check_key_fields();
  }

  void check_upsert_kafka() {
    if (!table().primary_key) {
      fail(
          "'upsert-kafka' tables require to define a PRIMARY KEY constraint. The PRIMARY KEY specifies which columns "
          "should "
          "be read from or write to the Kafka message key. The PRIMARY KEY also defines records in the 'upsert-kafka' "
          "table "
          "should update or delete on which keys.");
    }
    if (source()) check_bounded_mode();
    check_fields_include();
    if (!source() && get("sink.delivery-guarantee") == "exactly-once" && !has("sink.transactional-id-prefix"))
      fail("sink.transactional-id-prefix must be specified when using DeliveryGuarantee.EXACTLY_ONCE.");
  }

  void check_datagen() {
    check_number("rows-per-second");
    check_number("number-of-rows");
    for (const auto& [key, value] : values()) {
      if (!key.starts_with("fields.")) continue;
      size_t dot = key.find('.', 7);
      std::string field = key.substr(7, dot == std::string::npos ? dot : dot - 7);
      if (key.ends_with(".kind") && value != "random" && value != "sequence")
        fail(fmt::format("Unsupported generator kind: {}", value));
      if (table().column_index(field) < 0) {
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

  const Connector* connector_ = nullptr;
  std::set<std::string> format_keys_;
};

}  // namespace

void check_source(const TableOptions& options) { ConnectorCheck(options, OptionCheck::Use::source).run(); }
void check_sink(const TableOptions& options) { ConnectorCheck(options, OptionCheck::Use::sink).run(); }

}  // namespace millrace::processing::sql
