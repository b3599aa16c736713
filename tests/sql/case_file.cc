#include "tests/sql/case_file.h"

#include <charconv>
#include <fstream>
#include <stdexcept>

namespace millrace::sqltest {

namespace {

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> parts;
  size_t from = 0;
  for (;;) {
    const size_t to = line.find(separator, from);
    parts.push_back(line.substr(from, to == std::string::npos ? to : to - from));
    if (to == std::string::npos) return parts;
    from = to + 1;
  }
}

// \N is null, \x0a0b is bytes in hex, anything else is itself.
std::optional<std::string> field(const std::string& text) {
  if (text == "\\N") return std::nullopt;
  if (!text.starts_with("\\x")) return text;
  std::string bytes;
  for (size_t i = 2; i + 1 < text.size(); i += 2) {
    int value = 0;
    std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

CaseRecord record(const std::string& line) {
  const std::vector<std::string> parts = split(line, '\t');
  if (parts.size() < 4) throw std::runtime_error("a record needs four fields: " + line);
  CaseRecord result;
  result.partition = std::stoi(parts[0]);
  result.timestamp = parts[1];
  result.key = field(parts[2]);
  result.value = field(parts[3]);
  if (parts.size() > 4) {
    for (const std::string& pair : split(parts[4], ';')) {
      const size_t equals = pair.find('=');
      protocol::Header header;
      header.key = pair.substr(0, equals);
      if (equals != std::string::npos) header.value = field(pair.substr(equals + 1));
      result.headers.push_back(std::move(header));
    }
  }
  return result;
}

Expectation expectation(const std::string& heading) {
  Expectation result;
  using Kind = Expectation::Kind;
  const std::vector<std::string> words = split(heading.substr(8, heading.size() - 9), ' ');
  if (words[0] == "append")
    result.kind = words.size() > 1 && words[1] == "ordered" ? Kind::append_ordered : Kind::append_sorted;
  else if (words[0] == "changelog")
    result.kind = Kind::changelog;
  else if (words[0] == "error")
    result.kind = Kind::error;
  else if (words[0].starts_with("topic="))
    result.kind = Kind::topic, result.topic = words[0].substr(6);
  for (const std::string& word : words) {
    if (word.starts_with("key=")) result.key = std::stoi(word.substr(4));
    if (word == "compare=fold") result.fold = true;
  }
  return result;
}

}  // namespace

Case read_case(const std::filesystem::path& path) {
  std::ifstream in(path);
  Case result;
  result.name = path.stem();
  std::string line;
  std::string section;
  while (std::getline(in, line)) {
    const bool heading = line == "[sql]" || (line.starts_with("[topic ") && line.ends_with("]")) ||
                         (line.starts_with("[expect ") && line.ends_with("]"));
    if (heading) {
      section = line;
      if (line.starts_with("[topic ")) {
        CaseTopic topic;
        const std::vector<std::string> words = split(line.substr(7, line.size() - 8), ' ');
        topic.name = words[0];
        for (const std::string& word : words)
          if (word.starts_with("partitions=")) topic.partitions = std::stoi(word.substr(11));
        result.topics.push_back(std::move(topic));
      } else if (line.starts_with("[expect ")) {
        result.expectations.push_back(expectation(line));
      }
      continue;
    }
    if (section.empty()) {
      if (line.starts_with("-- name: ")) result.name = line.substr(9);
    } else if (section == "[sql]") {
      result.script += line + "\n";
    } else if (line.empty()) {
      // between sections
    } else if (section.starts_with("[topic ")) {
      result.topics.back().records.push_back(record(line));
    } else {
      Expectation& expected = result.expectations.back();
      if (expected.kind == Expectation::Kind::topic) {
        expected.records.push_back(record(line));
      } else if (expected.kind == Expectation::Kind::error) {
        const size_t tab = line.find('\t');
        const std::string key = line.substr(0, tab);
        const std::string value = tab == std::string::npos ? "" : line.substr(tab + 1);
        if (key == "stage") expected.stage = value;
        if (key == "reason") expected.reason = value;
        if (key == "position") expected.position = value;
        if (key == "cause") expected.causes.push_back(value);
      } else {
        expected.lines.push_back(line);
      }
    }
  }
  if (result.script.empty()) throw std::runtime_error(path.string() + " has no [sql] section");
  result.family = path.parent_path().filename();
  if (result.family == "cases") result.family = result.name.substr(0, result.name.find('-'));
  return result;
}

}  // namespace millrace::sqltest
