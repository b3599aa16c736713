// Reading and writing the two files that describe a whole log directory.
#include "log/meta_properties.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "log/log.h"

namespace millrace::log {

namespace {

// Comment lines and blank ones left out, continuation lines joined.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> lines;
  bool continued = false;
  while (!text.empty()) {
    const size_t end = text.find_first_of("\r\n");
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const size_t start = line.find_first_not_of(" \t\f");
    line = start == std::string_view::npos ? std::string_view() : line.substr(start);
    if (!continued && (line.empty() || line[0] == '#' || line[0] == '!')) continue;
    size_t slashes = 0;
    while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
    const bool more = slashes % 2 == 1;
    if (more) line.remove_suffix(1);
    if (continued && !lines.empty()) {
      lines.back() += line;
    } else {
      lines.emplace_back(line);
    }
    continued = more;
  }
  return lines;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    unsigned code = 0;
    if (c == 'u' && i + 4 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 5, code, 16).ec == std::errc() && code < 0x80) {
      out.push_back(static_cast<char>(code));
      i += 4;
    } else {
      out.push_back(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c);
    }
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '=' || c == ':' || c == '#' || c == '!' || (c == ' ' && out.empty())) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

// As java.util.Date prints itself in UTC: Sat Nov 21 06:43:24 UTC 2026
std::string date_line(Timestamp at) {
  using namespace std::chrono;
  static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_time<seconds> time{floor<seconds>(milliseconds(at.value))};
  const sys_days day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char line[64];
  std::snprintf(line, sizeof line, "%s %s %02u %02d:%02d:%02d UTC %d", days[weekday(day).c_encoding()],
                months[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(date.year()));
  return line;
}

int32_t number_of(const std::map<std::string, std::string>& all, const std::string& key, const std::string& path) {
  const auto found = all.find(key);
  if (found == all.end()) throw CorruptLog("Failed to find required property " + key + " in " + path + ".");
  int32_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw CorruptLog("Unable to read " + key + " as a base-10 number in " + path + ".");
  }
  return value;
}

}  // namespace

std::map<std::string, std::string> parse_properties(std::string_view text) {
  std::map<std::string, std::string> all;
  for (const std::string& line : logical_lines(text)) {
    size_t key_end = 0;
    while (key_end < line.size() && std::string_view("=: \t\f").find(line[key_end]) == std::string_view::npos) {
      key_end += line[key_end] == '\\' ? 2 : 1;
    }
    key_end = std::min(key_end, line.size());
    size_t value = line.find_first_not_of(" \t\f", key_end);
    if (value != std::string::npos && (line[value] == '=' || line[value] == ':')) {
      value = line.find_first_not_of(" \t\f", value + 1);
    }
    all[unescape(std::string_view(line).substr(0, key_end))] =
        value == std::string::npos ? std::string() : unescape(std::string_view(line).substr(value));
  }
  return all;
}

std::string format_meta_properties(const MetaProperties& meta, Timestamp written) {
  std::string text = "#\n#" + date_line(written) + "\n";
  const auto line = [&](std::string_view key, const std::string& value) {
    text += std::string(key) + "=" + escape(value) + "\n";
  };
  if (meta.node_id) line(meta.version == 0 ? "broker.id" : "node.id", std::to_string(meta.node_id->value));
  if (meta.directory_id) line("directory.id", to_string(*meta.directory_id));
  line("version", std::to_string(meta.version));
  if (!meta.cluster_id.empty()) line("cluster.id", meta.cluster_id);
  return text;
}

MetaProperties parse_meta_properties(std::string_view text, const std::string& path) {
  const std::map<std::string, std::string> all = parse_properties(text);
  MetaProperties meta;
  meta.version = number_of(all, "version", path);
  if (meta.version != 0 && meta.version != 1) {
    throw CorruptLog("Unknown meta.properties version " + std::to_string(meta.version) + " in " + path + ".");
  }
  const auto cluster = all.find("cluster.id");
  if (cluster != all.end()) meta.cluster_id = cluster->second;
  if (meta.version == 1) {
    if (cluster == all.end()) throw CorruptLog("Failed to find required property cluster.id in " + path + ".");
    meta.node_id = BrokerId(number_of(all, "node.id", path));
  } else if (all.contains("broker.id")) {
    meta.node_id = BrokerId(number_of(all, "broker.id", path));
  }
  const auto directory = all.find("directory.id");
  if (directory != all.end()) {
    try {
      meta.directory_id = parse_uuid(directory->second);
    } catch (const std::invalid_argument&) {
      throw CorruptLog("Unable to read directory.id as a uuid in " + path + ".");
    }
  }
  return meta;
}

std::string format_clean_shutdown(int64_t broker_epoch) {
  return "{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch) + "}";
}

int64_t parse_clean_shutdown(std::string_view text) {
  constexpr std::string_view key = "\"brokerEpoch\"";
  size_t at = text.find(key);
  if (at == std::string_view::npos) return -1;
  at = text.find_first_not_of(" \t\r\n:", at + key.size());
  if (at == std::string_view::npos) return -1;
  int64_t epoch = -1;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), epoch);
  return error == std::errc() ? epoch : -1;
}

}  // namespace millrace::log
