// Plans every case of a folder of .sqltest files (tests/sql/README.md has the format) and prints the score by family:
//   sql_plan_cases FOLDER [-v]
// A case that expects an error of stage `plan` must fail with that message (and for syntax errors that place); all
// others must plan. Ordered results (DESCRIBE, SHOW) are compared, other results are the engine's to check.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "processing/sql/session.h"

namespace {

using namespace millrace::processing;

struct Case {
  std::string sql;
  std::string expectation;  // "error", "append ordered", …
  std::string stage, reason, position;
  std::vector<std::string> rows;
};

Case read_case(const std::filesystem::path& path) {
  std::ifstream in(path);
  Case result;
  std::string line;
  std::string section;
  while (std::getline(in, line)) {
    if (line.starts_with("[")) {
      section = line;
      if (line.starts_with("[expect ")) result.expectation = line.substr(8, line.size() - 9);
      continue;
    }
    if (section == "[sql]") {
      result.sql += line + "\n";
    } else if (section.starts_with("[expect")) {
      size_t tab = line.find('\t');
      std::string key = line.substr(0, tab);
      std::string value = tab == std::string::npos ? "" : line.substr(tab + 1);
      if (section == "[expect error]") {
        if (key == "stage") result.stage = value;
        if (key == "reason") result.reason = value;
        if (key == "position") result.position = value;
      } else if (!line.empty()) {
        result.rows.push_back(line);
      }
    }
  }
  for (size_t at; (at = result.sql.find("${bootstrap}")) != std::string::npos;)
    result.sql.replace(at, 12, "localhost:9092");
  return result;
}

std::string squeezed(const std::string& text) {
  std::string result;
  for (char c : text.substr(0, text.find('\n')))
    if (c != ' ' && c != '\t') result += c;
  return result;
}

std::string cell(const Value& value, const DataType& type) { return cell_text(value, type); }

// Empty: as expected.
std::string run(const Case& test, bool verbose) {
  sql::Session session;
  sql::Planned last;
  std::string plan;
  try {
    for (const sql::ScriptPart& part : sql::split_script(test.sql)) {
      last = session.execute(part.text);
      if (verbose && !last.job.sinks.empty()) plan += plan::to_text(last.job);
    }
  } catch (const sql::SqlError& error) {
    if (test.stage != "plan") return fmt::format("refused: {} ({})", error.what(), error.pos.text());
    std::string reason = test.reason.substr(test.reason.find(": ") + 2);
    if (squeezed(reason) != squeezed(error.message))
      return fmt::format("wrong message: {}\n      expected: {}", error.what(), test.reason);
    if (!test.position.empty() && test.position != error.pos.text()) {
      return fmt::format("{}wrong place: {} expected {}: {}",
                         error.stage == sql::SqlError::Stage::parse ? "" : "(minor) ", error.pos.text(), test.position,
                         error.what());
    }
    if (error.class_name != test.reason.substr(0, test.reason.find(": ")))
      return fmt::format("(minor) class {} expected {}", error.class_name, test.reason);
    return {};
  } catch (const std::exception& error) {
    return fmt::format("broke: {}", error.what());
  }
  if (verbose) fmt::print("{}\n", plan);
  if (test.stage == "plan") return fmt::format("planned, expected {}", test.reason);
  if (test.expectation == "append ordered" && last.kind == sql::Planned::Kind::table) {
    std::vector<std::string> rows;
    for (const Row& row : last.table.rows) {
      std::string text;
      for (size_t i = 0; i < row.size(); ++i)
        text += (i > 0 ? "\t" : "") + (row[i].is_null() ? "<NULL>" : cell(row[i], last.table.columns[i].type));
      rows.push_back(text);
    }
    if (rows != test.rows) {
      std::string text;
      for (const std::string& row : rows) text += "\n      " + row;
      return "other rows:" + text;
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: sql_plan_cases FOLDER|FILE [-v]\n");
    return 2;
  }
  bool verbose = argc > 2 && std::string(argv[2]) == "-v";
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1]))
      if (entry.path().extension() == ".sqltest") files.push_back(entry.path());
  } else {
    files.emplace_back(argv[1]);
  }
  std::ranges::sort(files);
  struct Score {
    int passed = 0, all = 0;
  };
  std::map<std::string, Score> families;
  Score total;
  for (const auto& file : files) {
    std::string problem = run(read_case(file), verbose);
    Score& family = families[file.parent_path().filename().string()];
    ++family.all;
    ++total.all;
    bool ok = problem.empty() || problem.starts_with("(minor)");
    if (ok) {
      ++family.passed;
      ++total.passed;
    }
    if (!problem.empty()) fmt::print("{} {}\n", file.stem().string(), problem);
  }
  for (const auto& [name, score] : families) fmt::print("{:20} {:3}/{}\n", name, score.passed, score.all);
  fmt::print("{:20} {:3}/{}\n", "all", total.passed, total.all);
  return total.passed == total.all ? 0 : 1;
}
