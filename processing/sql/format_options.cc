#include "processing/sql/format_options.h"

#include <fmt/format.h>

namespace millrace::processing::sql {

namespace {

class FormatCheck {
 public:
  explicit FormatCheck(const OptionCheck& check) : check_(check) {}

  std::set<std::string> run(bool upsert) {
    if (check_.has("key.format")) check_format("key.format", "key.");
    if (check_.has("value.format")) {
      check_format("value.format", "value.");
    } else if (check_.has("format") && !upsert) {
      check_format("format", "");
    } else if (!upsert) {
      check_.fail(fmt::format("Could not find required {} format 'value.format'.", check_.source() ? "scan" : "sink"));
    }
    return std::move(keys_);
  }

 private:
  void check_format(const std::string& option, const std::string& space) {
    std::string name = check_.get(option);
    const Format* format = find_format(name);
    if (format == nullptr) {
      std::string available;
      for (const Format& f : formats()) available += std::string("\n") + std::string(f.name);
      check_.fail(
          fmt::format("Could not find any factory for identifier '{}' that implements '{}' in the "
                      "classpath.\n\nAvailable factory identifiers are:\n{}",
                      name,
                      check_.source() ? "org.apache.flink.table.factories.DeserializationFormatFactory"
                                      : "org.apache.flink.table.factories.SerializationFormatFactory",
                      available));
    }
    std::string prefix = space + name + ".";
    std::vector<std::string> around = {fmt::format("{}Error creating {} format '{}' in option space '{}'.",
                                                   validation_exception, check_.source() ? "scan" : "sink", name,
                                                   prefix)};
    for (std::string_view key : format->options) keys_.insert(prefix + std::string(key));
    for (const char* key : {"fail-on-missing-field", "ignore-parse-errors", "encode.decimal-as-plain-number",
                            "encode.ignore-null-fields", "allow-comments", "disable-quote-character"})
      check_.check_boolean(prefix + key, around);
    if (name == "json") check_json(prefix, around);
    if (name == "csv") check_csv(prefix, around);
  }

  bool is_true(const std::string& key) const { return check_.get(key) == "true"; }

  void check_json(const std::string& prefix, const std::vector<std::string>& around) const {
    if (check_.source() && is_true(prefix + "fail-on-missing-field") && is_true(prefix + "ignore-parse-errors"))
      check_.fail("fail-on-missing-field and ignore-parse-errors shouldn't both be true.", around);
    std::string standard = check_.get(prefix + "timestamp-format.standard", "SQL");
    if (standard != "SQL" && standard != "ISO-8601") {
      check_.fail(
          fmt::format("Unsupported value '{}' for timestamp-format.standard. Supported values are [SQL, ISO-8601].",
                      standard),
          around);
    }
    std::string mode = check_.get(prefix + "map-null-key.mode", "FAIL");
    if (!check_.source() && mode != "FAIL" && mode != "DROP" && mode != "LITERAL") {
      check_.fail(
          fmt::format(
              "Unsupported value '{}' for option map-null-key.mode. Supported values are [LITERAL, FAIL, DROP].", mode),
          around);
    }
  }

  void check_csv(const std::string& prefix, const std::vector<std::string>& around) const {
    if (is_true(prefix + "disable-quote-character") && check_.has(prefix + "quote-character")) {
      check_.fail("Format cannot define a quote character and disabled quote character at the same time.", around);
    }
    for (const char* key : {"quote-character", "escape-character", "field-delimiter"}) {
      if (!check_.has(prefix + key)) continue;
      std::string value = check_.get(prefix + key);
      if (value == "\\t" || value == "\t") continue;
      size_t characters = 0;
      for (char c : value) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      if (characters != 1)
        check_.fail(fmt::format("Option '{}' must be a string with single character, but was: {}",
                                std::string("csv.") + key, value),
                    around);
    }
  }

  const OptionCheck& check_;
  std::set<std::string> keys_;
};

}  // namespace

std::set<std::string> check_formats(const OptionCheck& check, bool upsert) { return FormatCheck(check).run(upsert); }

}  // namespace millrace::processing::sql
