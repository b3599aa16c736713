#include "processing/functions/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "processing/functions/aggregate_states.h"
#include "processing/functions/table.h"

namespace millrace::processing {

namespace {

std::string upper(std::string_view name) {
  std::string result(name);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

[[noreturn]] void refuse(const std::string& name, const AggregateCall& call, std::string_view supported) {
  std::string types;
  for (const ExprPtr& arg : call.args) types += (types.empty() ? "<" : ", <") + planner_text(arg->type) + ">";
  throw PlanFailure(java::validator,
                    fmt::format("Cannot apply '{0}' to arguments of type '{0}({1})'. Supported form(s): '{0}({2})'",
                                name, types, supported),
                    call.position);
}

void need_numeric(const std::string& name, const AggregateCall& call) {
  if (!call.args[0]->type.is_numeric()) refuse(name, call, "<NUMERIC>");
}

using Typing = void (*)(AggregateCall&);

struct Rule {
  int min_args, max_args;
  Typing type;
};

void type_count(AggregateCall& call) { call.type = DataType::bigint().not_null(); }
void type_same(AggregateCall& call) {
  call.type = call.args[0]->type.with_nullable(true).with_attribute(TimeAttribute::none);
}
void type_extreme(AggregateCall& call) {
  if (call.args[0]->type.is_nested() && !call.args[0]->type.is(TypeRoot::row))
    refuse(call.name, call, "<COMPARABLE_TYPE>");
  type_same(call);
}
void type_sum(AggregateCall& call) {
  need_numeric(call.name, call);
  const DataType& arg = call.args[0]->type;
  call.type = arg.is(TypeRoot::decimal) ? DataType::decimal(38, arg.scale) : DataType(arg.root);
  call.type.nullable = call.name != "SUM0" && call.name != "$SUM0";
}
void type_average(AggregateCall& call) {
  need_numeric(call.name, call);
  const DataType& arg = call.args[0]->type;
  call.type = arg.is(TypeRoot::decimal) ? DataType::decimal(38, std::max(6, arg.scale)) : DataType(arg.root);
}
void type_listagg(AggregateCall& call) {
  if (!call.args[0]->type.is_text()) refuse(call.name, call, "<CHARACTER>");
  if (call.args.size() == 2) {
    if (call.args[1]->kind != Expr::Kind::literal) refuse(call.name, call, "<CHARACTER>, <CHARACTER_LITERAL>");
    call.options.push_back(call.args[1]->literal);
    call.args.pop_back();
  } else {
    call.options.push_back(Value::text(","));
  }
  call.type = DataType::string();
}
void type_collect(AggregateCall& call) {
  call.type = DataType::multiset(call.args[0]->type.with_attribute(TimeAttribute::none)).not_null();
}
void type_array_agg(AggregateCall& call) {
  call.type = DataType::array(call.args[0]->type.with_attribute(TimeAttribute::none));
}
void keep_null_handling(AggregateCall& call, size_t plain) {
  bool keep_nulls = call.name == "JSON_OBJECTAGG";
  while (call.args.size() > plain) {
    const ExprPtr& last = call.args.back();
    if (last->type.root == TypeRoot::symbol) keep_nulls = last->literal.as_text().starts_with("NULL");
    call.args.pop_back();
  }
  call.options.push_back(Value::boolean(keep_nulls));
}
void type_json_object(AggregateCall& call) {
  keep_null_handling(call, 2);
  call.type = DataType::string().not_null();
}
void type_json_array(AggregateCall& call) {
  keep_null_handling(call, 1);
  call.type = DataType::string().not_null();
}

const std::map<std::string, Rule, std::less<>>& rows() {
  static const std::map<std::string, Rule, std::less<>> table = {
      {"COUNT", {0, 64, type_count}},
      {"SUM", {1, 1, type_sum}},
      {"SUM0", {1, 1, type_sum}},
      {"$SUM0", {1, 1, type_sum}},
      {"MIN", {1, 1, type_extreme}},
      {"MAX", {1, 1, type_extreme}},
      {"AVG", {1, 1, type_average}},
      {"STDDEV_POP", {1, 1, type_average}},
      {"STDDEV_SAMP", {1, 1, type_average}},
      {"STDDEV", {1, 1, type_average}},
      {"VAR_POP", {1, 1, type_average}},
      {"VAR_SAMP", {1, 1, type_average}},
      {"VARIANCE", {1, 1, type_average}},
      {"FIRST_VALUE", {1, 1, type_same}},
      {"LAST_VALUE", {1, 1, type_same}},
      {"SINGLE_VALUE", {1, 1, type_same}},
      {"LISTAGG", {1, 2, type_listagg}},
      {"COLLECT", {1, 1, type_collect}},
      {"ARRAY_AGG", {1, 1, type_array_agg}},
      {"JSON_OBJECTAGG", {2, 3, type_json_object}},
      {"JSON_ARRAYAGG", {1, 2, type_json_array}},
      {"APPROX_COUNT_DISTINCT", {1, 1, type_count}},
  };
  return table;
}

}  // namespace

std::vector<std::string> aggregate_names() {
  std::vector<std::string> names;
  for (const auto& [name, row] : rows()) {
    if (name[0] == '$' || name == "SUM0" || name == "SINGLE_VALUE") continue;
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    names.push_back(std::move(lower));
  }
  return names;
}

AggregateCall resolve_aggregate(std::string_view name, std::vector<ExprPtr> args, bool distinct, ExprPtr filter,
                                SourcePosition where) {
  AggregateCall call;
  call.name = upper(name);
  call.args = std::move(args);
  call.distinct = distinct;
  call.filter = std::move(filter);
  call.position = where;
  auto row = rows().find(call.name);
  if (row == rows().end()) {
    std::vector<DataType> types;
    for (const ExprPtr& arg : call.args) types.push_back(arg->type);
    refuse_unknown_function(name, types, where);
  }
  int count = static_cast<int>(call.args.size());
  if (count < row->second.min_args || count > row->second.max_args) {
    throw PlanFailure(java::validator,
                      fmt::format("Invalid number of arguments to function '{}'. Was expecting {} arguments", call.name,
                                  row->second.min_args),
                      where);
  }
  if (call.name != "COUNT" && call.args[0]->type.root == TypeRoot::null) {
    throw PlanFailure(java::validator, "Illegal use of 'NULL'", call.args[0]->position);
  }
  row->second.type(call);
  if (call.name == "APPROX_COUNT_DISTINCT") {
    call.name = "COUNT";
    call.distinct = true;
  }
  // Where repetition changes nothing, DISTINCT costs nothing either.
  if (call.name == "MIN" || call.name == "MAX") call.distinct = false;
  return call;
}

Column Accumulators::results(std::span<const uint32_t> groups) const {
  ColumnBuilder out(type_, groups.size());
  for (uint32_t group : groups) out.append(result(group));
  return out.finish();
}

std::unique_ptr<Accumulators> make_accumulators(const AggregateCall& call, bool retractable) {
  std::unique_ptr<Accumulators> state;
  const std::string& name = call.name;
  if (name == "COUNT")
    state = make_count(call);
  else if (name == "SUM")
    state = make_sum(call, false);
  else if (name == "SUM0" || name == "$SUM0")
    state = make_sum(call, true);
  else if (name == "AVG")
    state = make_average(call);
  else if (name == "MIN")
    state = make_extreme(call, false, retractable);
  else if (name == "MAX")
    state = make_extreme(call, true, retractable);
  else if (name == "FIRST_VALUE")
    state = make_first_last(call, false, retractable);
  else if (name == "LAST_VALUE")
    state = make_first_last(call, true, retractable);
  else if (name == "SINGLE_VALUE")
    state = make_single_value(call);
  else if (name.starts_with("STDDEV") || name.starts_with("VAR"))
    state = make_variance(call);
  else
    state = make_collection(call);
  if (call.distinct) return make_distinct(call, std::move(state));
  return state;
}

void accumulate_batch(const AggregateCall& call, Accumulators& state, const Batch& batch,
                      std::span<const uint32_t> groups, EvalContext& context) {
  Rows rows{nullptr, batch.rows, batch.rows};
  if (batch.selection) rows = {batch.selection->data(), batch.selection->size(), batch.rows};
  std::vector<uint32_t> kept;
  if (call.filter) {
    kept = filter(*call.filter, batch, context);
    rows = {kept.data(), kept.size(), batch.rows};
  }
  if (rows.count == 0) return;
  std::vector<Column> args;
  args.reserve(call.args.size());
  for (const ExprPtr& arg : call.args) args.push_back(evaluate(*arg, batch, rows, context));
  state.accumulate(groups, rows, args, batch.kinds);
}

}  // namespace millrace::processing
