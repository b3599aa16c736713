#include "broker/config/properties.h"

#include "log/meta_properties.h"

namespace millrace::broker {

Properties parse_properties(std::string_view text) {
  Properties properties;
  for (auto& [key, value] : log::parse_properties(text)) properties.emplace(key, std::move(value));
  return properties;
}

std::vector<std::string> split_list(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f";
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const size_t first = item.find_first_not_of(blanks);
    if (first == std::string_view::npos) continue;
    items.emplace_back(item.substr(first, item.find_last_not_of(blanks) - first + 1));
  }
  return items;
}

}  // namespace millrace::broker
