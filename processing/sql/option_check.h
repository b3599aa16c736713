// The options of one table while they are checked: reads them, and knows what Flink wraps around a mistake.
#pragma once

#include <string>
#include <vector>

#include "processing/sql/connector_table.h"
#include "processing/sql/connectors.h"

namespace millrace::processing::sql {

inline constexpr const char* validation_exception = "org.apache.flink.table.api.ValidationException: ";

class OptionCheck {
 public:
  enum class Use { source, sink };
  OptionCheck(const TableOptions& options, Use use);

  bool source() const { return use_ == Use::source; }
  const CatalogTable& table() const { return table_; }
  const plan::Options& values() const { return values_; }
  bool has(const std::string& key) const { return values_.contains(key); }
  std::string get(const std::string& key, std::string otherwise = {}) const;

  // `causes`: what stands around the mistake, the innermost first.
  [[noreturn]] void fail(const std::string& message, std::vector<std::string> causes = {}) const;

  // Of options that are there.
  void check_boolean(const std::string& key, const std::vector<std::string>& around) const;
  void check_choice(const std::string& key, const Keys& choices, const char* enum_class) const;
  void check_number(const std::string& key) const;

 private:
  // A value that cannot be parsed: an exception of Java's own around it.
  [[noreturn]] void fail_value(const std::string& key, const char* class_name, const std::string& message,
                               const std::vector<std::string>& around = {}) const;

  const CatalogTable& table_;
  const plan::Options& values_;
  const Use use_;
  std::string outer_;
};

// "a\nb"
std::string join(const std::vector<std::string>& items, const char* separator);

}  // namespace millrace::processing::sql
