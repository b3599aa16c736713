#include "tests/sql/run_case.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "processing/engine.h"
#include "tests/processing/memory_topics.h"
#include "tests/sim/world.h"

namespace millrace::sqltest {

namespace {

using namespace millrace::processing;

struct Outcome {
  std::vector<std::vector<std::string>> rows;  // of the last statement with rows; the kind first
  bool is_query = false;
  std::optional<std::string> error_class, error_message, error_position;
  std::vector<Cause> causes;
  int64_t wall = 0;
};

std::string escaped(const std::string& cell) {
  std::string out;
  for (const char c : cell) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
  return out;
}

Task<void> run_script(const Case& test, MemoryTopics& topics, Outcome& outcome) {
  Engine engine(topics, topics, {});
  const std::map<std::string, std::string> settings{{"parallelism.default", "1"}};
  std::shared_ptr<EngineSession> session = engine.open_session(settings);
  std::string script = test.script;
  for (size_t at; (at = script.find("${bootstrap}")) != std::string::npos;) script.replace(at, 12, "localhost:9092");
  const std::vector<sql::ScriptPart> parts = sql::split_script(script);
  for (const sql::ScriptPart& part : parts) {
    StatementResult result;
    bool refused = false;
    try {
      result = co_await engine.execute(session, part.text);
    } catch (const sql::SqlError& error) {
      refused = true;
      outcome.error_class = error.class_name;
      outcome.error_message = error.message;
      outcome.error_position = error.pos.known() ? error.pos.text() : "";
    } catch (const SqlFailure& error) {
      refused = true;
      outcome.error_class = error.java_class();
      outcome.error_message = error.message();
    }
    if (refused) break;
    if (!result.job_id.empty() && !result.is_query) {
      const std::optional<JobStatus> status = co_await engine.wait_for(result.job_id, never);
      if (status && status->failure) outcome.causes = status->failure->causes();
      if (!outcome.causes.empty()) break;
      continue;
    }
    if (result.kind == StatementResult::Kind::success) continue;
    outcome.rows.clear();
    outcome.is_query = result.is_query;
    const TimeZone zone = session->zone();
    for (;;) {
      const Page page = co_await result.rows->next(1000, never);
      for (const ResultRow& row : page.rows) {
        std::vector<std::string> cells{std::string(row_kind_text(row.kind))};
        for (size_t i = 0; i < row.row.size(); ++i)
          cells.push_back(escaped(cell_text(row.row[i], result.columns[i].type, zone)));
        outcome.rows.push_back(std::move(cells));
      }
      if (!page.end) continue;
      if (page.failure) outcome.causes = page.failure->causes();
      break;
    }
    if (!outcome.causes.empty()) break;
  }
  outcome.wall = Shard::current().clock().wall_now().value;
  co_await engine.close();
}

std::string joined(const std::vector<std::string>& cells, size_t from) {
  std::string line;
  for (size_t i = from; i < cells.size(); ++i) line += (i > from ? "\t" : "") + cells[i];
  return line;
}

std::string difference(std::vector<std::string> expected, std::vector<std::string> got) {
  if (expected == got) return "";
  std::string text = "expected:\n";
  for (const std::string& line : expected) text += "  " + line + "\n";
  text += "got:\n";
  for (const std::string& line : got) text += "  " + line + "\n";
  return text;
}

std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, text.find('\n')))
    if (c != ' ' && c != '\t' && c != '\r') out += c;
  return out;
}

std::string without_class(const std::string& reason) {
  const size_t colon = reason.find(": ");
  return colon == std::string::npos ? reason : reason.substr(colon + 2);
}

// Rows that are there in the end: +I and +U add one, -U and -D take one away.
std::vector<std::string> folded(const std::vector<std::vector<std::string>>& rows, int key) {
  std::map<std::string, int64_t> counts;
  std::map<std::string, std::string> last;
  for (const std::vector<std::string>& row : rows) {
    const bool adds = row[0] == "+I" || row[0] == "+U";
    const std::string line = joined(row, 1);
    if (key > 0) {
      const std::string& id = row[static_cast<size_t>(key)];
      if (adds)
        last[id] = line;
      else if (row[0] == "-D")
        last.erase(id);
      continue;
    }
    counts[line] += adds ? 1 : -1;
  }
  std::vector<std::string> lines;
  for (const auto& [id, line] : last) lines.push_back(line);
  for (const auto& [line, count] : counts)
    for (int64_t i = 0; i < std::abs(count); ++i) lines.push_back((count < 0 ? "-" : "") + line);
  std::ranges::sort(lines);
  return lines;
}

std::string shown(const std::optional<std::string>& text) { return text ? *text : "\\N"; }

std::string headers_text(const std::vector<protocol::Header>& headers) {
  std::string text;
  for (const protocol::Header& header : headers)
    text += (text.empty() ? "\t" : ";") + header.key + "=" + (header.value ? *header.value : "\\N");
  return text;
}

std::string check_topic(const Expectation& expected, MemoryTopics& topics, int64_t wall) {
  if (!topics.has(expected.topic)) return "there is no topic " + expected.topic + "\n";
  std::vector<std::string> want, got;
  std::map<std::string, std::string> want_folded, got_folded;
  for (const CaseRecord& record : expected.records) {
    want.push_back(std::to_string(record.partition) + "\t" + record.timestamp + "\t" + shown(record.key) + "\t" +
                   shown(record.value) + headers_text(record.headers));
    if (record.value)
      want_folded[shown(record.key)] = *record.value;
    else
      want_folded.erase(shown(record.key));
  }
  for (int p = 0; p < 64; ++p) {
    try {
      for (const MemoryTopics::Stored& record : topics.records(expected.topic, p)) {
        const bool recent = std::abs(record.timestamp.value - wall) < 3'600'000;
        got.push_back(std::to_string(p) + "\t" + (recent ? "now" : std::to_string(record.timestamp.value)) + "\t" +
                      shown(record.key) + "\t" + shown(record.value) + headers_text(record.headers));
        if (record.value)
          got_folded[shown(record.key)] = *record.value;
        else
          got_folded.erase(shown(record.key));
      }
    } catch (const std::out_of_range&) {
      break;
    }
  }
  if (expected.fold) {
    want.clear();
    got.clear();
    for (const auto& [key, value] : want_folded) want.push_back(key + "\t" + value);
    for (const auto& [key, value] : got_folded) got.push_back(key + "\t" + value);
  }
  std::ranges::sort(want);
  std::ranges::sort(got);
  return difference(std::move(want), std::move(got));
}

std::string failure_text(const Outcome& outcome) {
  if (outcome.error_message) return *outcome.error_class + ": " + *outcome.error_message + "\n";
  std::string text;
  for (const Cause& cause : outcome.causes) text += cause.type + ": " + cause.message + "\n";
  return text;
}

std::string check_error(const Expectation& expected, const Outcome& outcome) {
  if (!outcome.error_message && outcome.causes.empty()) return "should fail with: " + expected.reason + "\n";
  std::vector<std::string> accepted{squeezed(without_class(expected.reason))};
  if (expected.stage == "run")
    for (const std::string& cause : expected.causes) accepted.push_back(squeezed(without_class(cause)));
  bool matches = false;
  if (outcome.error_message) matches = std::ranges::find(accepted, squeezed(*outcome.error_message)) != accepted.end();
  for (const Cause& cause : outcome.causes)
    matches = matches || std::ranges::find(accepted, squeezed(cause.message)) != accepted.end();
  const bool syntax = expected.reason.find("sql.parser.impl.ParseException") != std::string::npos;
  if (matches && syntax && !expected.position.empty() && outcome.error_position != expected.position)
    return "position: expected " + expected.position + ", got " + outcome.error_position.value_or("") + "\n";
  if (matches) return "";
  return "expected: " + expected.reason + "\ngot:      " + failure_text(outcome);
}

std::string check(const Expectation& expected, const Outcome& outcome, MemoryTopics& topics,
                  std::optional<bool>& same_order) {
  if (expected.kind == Expectation::Kind::error) return check_error(expected, outcome);
  if (outcome.error_message || !outcome.causes.empty()) return "failed: " + failure_text(outcome);
  std::vector<std::string> lines;
  switch (expected.kind) {
    case Expectation::Kind::ok:
      return "";
    case Expectation::Kind::topic:
      return check_topic(expected, topics, outcome.wall);
    case Expectation::Kind::append_sorted:
    case Expectation::Kind::append_ordered: {
      std::vector<std::string> want = expected.lines;
      for (const std::vector<std::string>& row : outcome.rows) {
        if (row[0] != "+I") return "a row is taken back: " + joined(row, 0) + "\n";
        lines.push_back(joined(row, 1));
      }
      if (expected.kind == Expectation::Kind::append_sorted) {
        std::ranges::sort(want);
        std::ranges::sort(lines);
      }
      return difference(std::move(want), std::move(lines));
    }
    case Expectation::Kind::changelog: {
      std::vector<std::vector<std::string>> want;
      for (const std::string& line : expected.lines) {
        std::vector<std::string> cells;
        size_t from = 0;
        for (;;) {
          const size_t to = line.find('\t', from);
          cells.push_back(line.substr(from, to == std::string::npos ? to : to - from));
          if (to == std::string::npos) break;
          from = to + 1;
        }
        want.push_back(std::move(cells));
      }
      same_order = want == outcome.rows;
      return difference(folded(want, expected.key), folded(outcome.rows, expected.key));
    }
    case Expectation::Kind::error:
      break;
  }
  return "";
}

}  // namespace

Verdict run_case(const Case& test) {
  MemoryTopics topics;
  for (const CaseTopic& topic : test.topics) {
    topics.add_topic(topic.name, topic.partitions);
    for (const CaseRecord& record : topic.records)
      topics.add(topic.name, record.partition, std::stoll(record.timestamp), record.key, record.value, record.headers);
  }
  Outcome outcome;
  sim::World world(1);
  sim::Node& node = world.add_node("engine");
  try {
    const auto body = [&]() -> Task<void> { co_await run_script(test, topics, outcome); };
    world.run(node, body);
  } catch (const std::exception& error) {
    return {std::string("the run ended with: ") + error.what() + "\n", std::nullopt};
  }
  Verdict verdict;
  for (const Expectation& expected : test.expectations)
    verdict.difference += check(expected, outcome, topics, verdict.same_order);
  return verdict;
}

}  // namespace millrace::sqltest
