#include "processing/sql/option_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/error.h"
#include "processing/sql/lexer.h"

namespace millrace::processing::sql {

OptionCheck::OptionCheck(const TableOptions& options, Use use)
    : table_(options.table),
      values_(options.values),
      use_(use),
      outer_(fmt::format("{}Unable to create a {} '{}'.", validation_exception,
                         source() ? "source for reading table" : "sink for writing table", table_.path.text())) {}

std::string OptionCheck::get(const std::string& key, std::string otherwise) const {
  auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

void OptionCheck::fail(const std::string& message, std::vector<std::string> causes) const {
  causes.push_back(outer_);
  fail_flink_validation(message, std::move(causes));
}

void OptionCheck::fail_value(const std::string& key, const char* class_name, const std::string& message,
                             const std::vector<std::string>& around) const {
  std::vector<std::string> causes = {
      fmt::format("java.lang.IllegalArgumentException: Could not parse value '{}' for key '{}'.", get(key), key),
      fmt::format("{}Invalid value for option '{}'.", validation_exception, key)};
  causes.insert(causes.end(), around.begin(), around.end());
  causes.push_back(outer_);
  throw SqlError(SqlError::Stage::plan, class_name, message, {}, std::move(causes));
}

void OptionCheck::check_boolean(const std::string& key, const std::vector<std::string>& around) const {
  if (!has(key)) return;
  const std::string value = to_upper(get(key));
  if (value == "TRUE" || value == "FALSE") return;
  fail_value(
      key, "java.lang.IllegalArgumentException",
      fmt::format("Unrecognized option for boolean: {}. Expected either true or false(case insensitive)", get(key)),
      around);
}

void OptionCheck::check_choice(const std::string& key, const Keys& choices, const char* enum_class) const {
  if (!has(key)) return;
  const std::string value = to_upper(get(key));
  if (std::ranges::any_of(choices, [&](std::string_view choice) { return to_upper(choice) == value; })) return;
  std::string expected;
  for (std::string_view choice : choices) expected += (expected.empty() ? "" : ", ") + std::string(choice);
  fail_value(key, "java.lang.IllegalArgumentException",
             fmt::format("Could not parse value for enum class "
                         "org.apache.flink.streaming.connectors.kafka.table.KafkaConnectorOptions${}. "
                         "Expected one of: [[{}]]",
                         enum_class, expected));
}

void OptionCheck::check_number(const std::string& key) const {
  if (!has(key)) return;
  const std::string value = get(key);
  const bool digits = !value.empty() && std::ranges::all_of(value.starts_with('-') ? value.substr(1) : value,
                                                            [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) fail_value(key, "java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", value));
}

std::string join(const std::vector<std::string>& items, const char* separator) {
  std::string result;
  for (const std::string& item : items) result += (result.empty() ? "" : separator) + item;
  return result;
}

}  // namespace millrace::processing::sql
