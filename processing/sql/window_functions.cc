// Window functions in FROM:
//   TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND [, OFFSET])
//   HOP(…, SLIDE, SIZE [, OFFSET])   CUMULATE(…, STEP, SIZE [, OFFSET])   SESSION(…, GAP)
// The rows get three columns more: window_start, window_end and window_time.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

std::vector<std::string> parameters_of(const std::string& function) {
  if (function == "TUMBLE") return {"DATA", "TIMECOL", "SIZE", "OFFSET"};
  if (function == "HOP") return {"DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"};
  if (function == "CUMULATE") return {"DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"};
  return {"DATA", "TIMECOL", "GAP"};
}

[[noreturn]] void fail_count(const Node& function, size_t expected) {
  fail_validation(
      fmt::format("Invalid number of arguments to function '{}'. Was expecting {} arguments", function.op, expected),
      function.pos);
}

// By parameter; null where one is left out.
std::vector<NodePtr> arguments_of(const Node& function) {
  const std::string& name = function.op;
  const std::vector<std::string> parameters = parameters_of(name);
  std::vector<NodePtr> arguments(parameters.size());
  size_t position = 0;
  for (const NodePtr& operand : function.operands) {
    size_t index = position++;
    NodePtr value = operand;
    if (operand->is_call("=>")) {
      auto found = std::ranges::find(parameters, operand->text);
      if (name == "SESSION" && found == parameters.end() && operand->text == "SIZE") found = parameters.end() - 1;
      if (found == parameters.end())
        fail_validation(fmt::format("Unknown argument name '{}' for function '{}'", operand->text, name), operand->pos);
      index = static_cast<size_t>(found - parameters.begin());
      value = operand->operands[0];
    }
    if (index >= arguments.size()) fail_count(function, parameters.size() - 1);
    arguments[index] = value;
  }
  const size_t required = name == "TUMBLE" || name == "SESSION" ? 3 : 4;
  for (size_t i = 0; i < required; ++i)
    if (arguments[i] == nullptr) fail_count(function, required);
  return arguments;
}

void check_time_column(const std::string& function, const DataType& type) {
  if (!type.is_timestamp()) {
    const bool one_interval = function == "TUMBLE" || function == "SESSION";
    const char* more = one_interval ? "" : ", datetime interval";
    fail_flink_validation(
        fmt::format("The window function {0}(TABLE table_name, DESCRIPTOR(timecol), datetime interval{1}[, datetime "
                    "interval]) requires the timecol to be TIMESTAMP or TIMESTAMP_LTZ, but is {2}.",
                    function, more, planner_text(type)));
  }
  if (!type.is_time_attribute()) {
    fail_flink_validation(fmt::format("The window function requires the timecol is a time attribute type, but is {}.",
                                      planner_text(type)));
  }
}

// DESCRIPTOR(ts): the column's place.
int described_column(const Node& descriptor, const std::string& function, const std::vector<Field>& columns) {
  if (!descriptor.is_call("DESCRIPTOR") || descriptor.operands.size() != 1 ||
      descriptor.operands[0]->kind != NodeKind::name)
    fail_validation(fmt::format("Cannot apply '{}': its second argument is DESCRIPTOR(timecol)", function),
                    descriptor.pos);
  const Node& column = *descriptor.operands[0];
  int found = -1;
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == column.name.last()) found = static_cast<int>(i);
  if (found < 0) fail_validation(fmt::format("Unknown identifier '{}'", column.name.text()), column.pos);
  return found;
}

// In milliseconds, perhaps with a minus in front.
int64_t size_of(const Node& argument, const std::string& name, const Node& function) {
  if (std::optional<int64_t> millis = interval_millis(argument)) return *millis;
  if (argument.is_call("-") && argument.operands.size() == 1)
    if (std::optional<int64_t> millis = interval_millis(*argument.operands[0])) return -*millis;
  fail_validation(
      fmt::format("Cannot apply '{}' to arguments of that kind: its sizes are intervals of days or less", name),
      function.pos);
}

}  // namespace

plan::WindowSpec Planner::window_spec(const std::string& name, const std::vector<NodePtr>& arguments,
                                      const Node& function) {
  plan::WindowSpec spec;
  std::vector<int64_t> sizes;
  for (const NodePtr& argument : arguments) sizes.push_back(size_of(*argument, name, function));
  auto at = [&](size_t i) { return i < sizes.size() ? sizes[i] : 0; };
  if (name == "TUMBLE") {
    spec.kind = plan::WindowSpec::Kind::tumble;
    spec.size = at(0);
    spec.offset = at(1);
  } else if (name == "HOP") {
    spec.kind = plan::WindowSpec::Kind::hop;
    spec.slide = at(0);
    spec.size = at(1);
    spec.offset = at(2);
  } else if (name == "CUMULATE") {
    spec.kind = plan::WindowSpec::Kind::cumulate;
    spec.slide = at(0);
    spec.size = at(1);
    spec.offset = at(2);
  } else {
    spec.kind = plan::WindowSpec::Kind::session;
    spec.size = at(0);
  }
  return spec;
}

Planner::FromResult Planner::window_input(const Node& data, const std::string& function, const Scope* outer) {
  if (data.kind == NodeKind::query || data.query != nullptr) {
    FromResult input;
    input.relation = relation_of(*data.query, outer);
    input.scope.columns = input.relation.node->schema;
    return input;
  }
  if (!data.is_call("TABLE") && data.kind != NodeKind::name)
    fail_validation(fmt::format("Cannot apply '{}': its first argument is a table", function), data.pos);
  TableRef table;
  table.name = data.name;
  table.pos = data.pos;
  return from_table(table);
}

Relation Planner::window_function(const Node& function, const Scope* outer) {
  const std::vector<NodePtr> arguments = arguments_of(function);
  const Node& data = *arguments[0];
  const FromResult input = window_input(data, function.op, outer);
  const int time_column = described_column(*arguments[1], function.op, input.scope.columns);
  const DataType& type = input.relation.node->schema[static_cast<size_t>(time_column)].type;
  check_time_column(function.op, type);

  auto node = std::make_shared<plan::WindowTvf>();
  const auto sizes_end = std::find(arguments.begin() + 2, arguments.end(), nullptr);
  node->window = window_spec(function.op, {arguments.begin() + 2, sizes_end}, function);
  node->window.time_column = time_column;
  node->window.proctime = type.attribute == TimeAttribute::proctime;
  node->window.local_time = type.is(TypeRoot::timestamp_ltz);
  for (const NodePtr& key : data.operands) {
    TypedExpr expr = Binder(input.scope).bind(*key);
    if (!is_column(expr)) fail_validation("PARTITION BY of a window function takes columns", key->pos);
    node->window.partition_by.push_back(expr->index);
  }
  // Windows are assigned row by row; changes keep their kind.
  if (node->window.kind != plan::WindowSpec::Kind::session) node->changelog = input.relation.node->changelog;
  node->inputs = {input.relation.node};
  node->schema = input.relation.node->schema;
  WindowTrait trait;
  trait.spec = node->window;
  trait.start = static_cast<int>(node->schema.size());
  trait.end = trait.start + 1;
  trait.time = trait.start + 2;
  node->schema.push_back({"window_start", DataType::timestamp(3).not_null()});
  node->schema.push_back({"window_end", DataType::timestamp(3).not_null()});
  node->schema.push_back({"window_time", DataType(type.root, 3).not_null().with_attribute(type.attribute)});
  return {node, trait};
}

}  // namespace millrace::processing::sql
