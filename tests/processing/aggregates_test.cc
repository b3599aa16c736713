// Aggregate functions over rows that come and go, against what Flink answers.
#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

namespace {

// The result of an aggregate over one group, step by step.
struct Group {
  explicit Group(AggregateCall c, bool retractable = false)
      : call(std::move(c)), state(make_accumulators(call, retractable)) {
    state->resize(2);
  }
  std::string result(size_t group = 0) { return cell_text(state->result(group), call.type); }
  void add(std::vector<Value> values, RowKind kind = RowKind::insert, uint32_t group = 0) {
    Batch batch;
    batch.rows = values.size();
    batch.columns.push_back(Column::from_values(call.args.empty() ? DataType::integer() : call.args[0]->type, values));
    if (kind != RowKind::insert) batch.kinds.assign(values.size(), kind);
    std::vector<uint32_t> groups(values.size(), group);
    EvalContext c = context();
    accumulate_batch(call, *state, batch, groups, c);
  }
  AggregateCall call;
  std::unique_ptr<Accumulators> state;
};

AggregateCall over(std::string_view name, DataType type, bool distinct = false) {
  return resolve_aggregate(name, {make_column(0, std::move(type))}, distinct);
}
Value n(int64_t v) { return Value::integer(v); }

}  // namespace

TEST_CASE("aggregates of whole numbers stay whole") {
  CHECK(to_string(over("SUM", DataType::integer()).type) == "INT");
  CHECK(to_string(over("AVG", DataType::tinyint()).type) == "TINYINT");
  CHECK(to_string(over("COUNT", DataType::integer()).type) == "BIGINT NOT NULL");
  CHECK(to_string(over("STDDEV_POP", DataType::bigint()).type) == "BIGINT");
  CHECK(to_string(over("SUM", DataType::decimal(5, 2)).type) == "DECIMAL(38, 2)");
  CHECK(to_string(over("AVG", DataType::decimal(5, 2)).type) == "DECIMAL(38, 6)");
  Group average(over("AVG", DataType::integer()));
  average.add({n(10), n(7), Value(), n(10)});
  CHECK(average.result() == "9");
  Group sum(over("SUM", DataType::integer()));
  CHECK(sum.result() == "<NULL>");
  sum.add({n(2147483647), n(1)});
  CHECK(sum.result() == "-2147483648");
}

TEST_CASE("the variance of whole numbers is cut at the end") {
  Group var_pop(over("VAR_POP", DataType::integer())), var_samp(over("VAR_SAMP", DataType::integer()));
  Group dev_samp(over("STDDEV_SAMP", DataType::integer())), dev_pop(over("STDDEV_POP", DataType::integer()));
  for (Group* g : {&var_pop, &var_samp, &dev_samp, &dev_pop}) g->add({n(10)});
  CHECK(var_pop.result() == "0");
  CHECK(var_samp.result() == "<NULL>");
  for (Group* g : {&var_pop, &var_samp, &dev_samp, &dev_pop}) g->add({n(7)});
  CHECK(var_pop.result() == "2");
  Group widest(over("VAR_POP", DataType::bigint()));
  widest.add({n(INT64_MAX)});
  widest.add({n(INT64_MIN)});
  CHECK(widest.result() == "9223372036854775807");
  CHECK(var_samp.result() == "4");
  CHECK(dev_samp.result() == "2");
  CHECK(dev_pop.result() == "1");
  for (Group* g : {&var_pop, &var_samp, &dev_samp, &dev_pop}) g->add({n(10)});
  CHECK(var_samp.result() == "3");
  CHECK(dev_samp.result() == "1");
}

TEST_CASE("sums of FLOAT add up as FLOAT, their mean as DOUBLE") {
  Group sum(over("SUM", DataType::float_())), mean(over("AVG", DataType::float_()));
  for (Group* g : {&sum, &mean}) g->add({Value::float_(0.1f), Value::float_(3.25f), Value::float_(-0.0f)});
  CHECK(sum.result() == "3.35");
  CHECK(mean.result() == "1.1166667");
  Group decimal(over("AVG", DataType::decimal(11, 3)));
  decimal.add({Value::decimal(12345), Value::decimal(-5), Value::decimal(0)});
  CHECK(decimal.result() == "4.113333");
}

TEST_CASE("rows that go away again leave no trace") {
  for (const char* name :
       {"COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE", "LISTAGG", "COLLECT", "VAR_POP"}) {
    DataType type = std::string_view(name) == "LISTAGG" ? DataType::string() : DataType::integer();
    auto v = [&](int64_t x) { return type.is_text() ? Value::text(std::to_string(x)) : n(x); };
    Group once(over(name, type), true), twice(over(name, type), true);
    once.add({v(3), v(5)});
    twice.add({v(3), v(9), v(5), v(1)});
    twice.add({v(9)}, RowKind::update_before);
    twice.add({v(1)}, RowKind::delete_);
    CHECK_MESSAGE(once.result() == twice.result(), name);
  }
}

TEST_CASE("DISTINCT counts each value once, until its last row goes away") {
  Group count(over("COUNT", DataType::integer(), true)), sum(over("SUM", DataType::integer(), true));
  for (Group* g : {&count, &sum}) g->add({n(10), n(7), n(10), Value()});
  CHECK(count.result() == "2");
  CHECK(sum.result() == "17");
  for (Group* g : {&count, &sum}) g->add({n(10)}, RowKind::delete_);
  CHECK(sum.result() == "17");
  for (Group* g : {&count, &sum}) g->add({n(10)}, RowKind::delete_);
  CHECK(sum.result() == "7");
  CHECK(count.result() == "1");
}

TEST_CASE("states merge, and survive being saved") {
  for (const char* name : {"COUNT", "SUM", "SUM0", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE", "LISTAGG",
                           "COLLECT", "ARRAY_AGG", "VAR_SAMP", "JSON_ARRAYAGG"}) {
    for (bool distinct : {false, true}) {
      for (bool retractable : {false, true}) {
        DataType type = std::string_view(name) == "LISTAGG" ? DataType::string() : DataType::integer();
        auto v = [&](int64_t x) { return type.is_text() ? Value::text(std::to_string(x)) : n(x); };
        Group whole(over(name, type, distinct), retractable), parts(over(name, type, distinct), retractable);
        whole.add({v(3), v(5), v(5), v(1)});
        parts.add({v(3), v(5)});
        parts.add({v(5), v(1)}, RowKind::insert, 1);
        parts.state->merge(0, *parts.state, 1);
        CHECK_MESSAGE(parts.result() == whole.result(), name);
        std::string saved;
        parts.state->save(0, saved);
        Group restored(over(name, type, distinct), retractable);
        std::string_view in = saved;
        restored.state->load(1, in);
        CHECK(in.empty());
        CHECK_MESSAGE(restored.result(1) == whole.result(), name);
        parts.state->reset(0);
        Group fresh(over(name, type, distinct), retractable);
        CHECK(parts.result() == fresh.result());
      }
    }
  }
}

TEST_CASE("FILTER drops rows before they are counted") {
  ExprPtr column = make_column(0, DataType::integer());
  Group count(resolve_aggregate("COUNT", {}, false, call(">", {column, i(4)})));
  count.add({n(3), n(5), Value(), n(9)});
  CHECK(count.result() == "2");
}

TEST_CASE("LISTAGG joins with its separator") {
  Group list(resolve_aggregate("LISTAGG", {make_column(0, DataType::string()), chars("-")}));
  list.add({Value::text("a"), Value(), Value::text("b")});
  CHECK(list.result() == "a-b");
  Group bag(over("COLLECT", DataType::integer()));
  bag.add({n(1), n(1), n(2)});
  CHECK(bag.result() == "{1=2, 2=1}");
}

TEST_CASE("aggregates refuse what they cannot add up") {
  CHECK(failure([] { over("SUM", DataType::string()); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: Cannot apply 'SUM' to arguments of type "
        "'SUM(<VARCHAR(2147483647)>)'. Supported form(s): 'SUM(<NUMERIC>)'");
}
