// LISTAGG, COLLECT, ARRAY_AGG, JSON_ARRAYAGG, JSON_OBJECTAGG: aggregates that keep every row.
#include <algorithm>

#include "processing/functions/aggregate_states.h"
#include "processing/functions/json_text.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

class Collection : public Accumulators {
 public:
  explicit Collection(const AggregateCall& call) : Accumulators(call.type), call_(call) {}
  size_t size() const override { return states_.size(); }
  void resize(size_t groups) override { states_.resize(groups); }
  void reset(size_t group) override { states_[group].clear(); }
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    bool keep_nulls = call_.name == "ARRAY_AGG" || call_.name.starts_with("JSON");
    rows.each([&](size_t r) {
      Row row;
      for (const Column& arg : args) row.push_back(arg.value(r));
      if (row[0].is_null() && !keep_nulls) return;
      std::vector<Row>& kept = states_[groups[r]];
      if (kinds.empty() || !is_retraction(kinds[r])) {
        kept.push_back(std::move(row));
      } else if (auto at = std::find(kept.begin(), kept.end(), row); at != kept.end()) {
        kept.erase(at);
      }
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const std::vector<Row>& from = static_cast<const Collection&>(other).states_[other_group];
    states_[group].insert(states_[group].end(), from.begin(), from.end());
  }
  void save(size_t group, std::string& out) const override {
    save_plain(out, static_cast<uint32_t>(states_[group].size()));
    for (const Row& row : states_[group]) append_row(out, row);
  }
  void load(size_t group, std::string_view& in) override {
    states_[group].clear();
    uint32_t count = 0;
    load_plain(in, count);
    for (uint32_t i = 0; i < count; ++i) states_[group].push_back(read_row(in));
  }
  Value result(size_t group) const override {
    const std::vector<Row>& rows = states_[group];
    if (call_.name == "LISTAGG") return list(rows);
    if (call_.name == "COLLECT") return multiset(rows);
    if (call_.name == "ARRAY_AGG") return array(rows);
    return json(rows);
  }

 private:
  Value list(const std::vector<Row>& rows) const {
    if (rows.empty()) return Value();
    std::string text;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i > 0) text += call_.options[0].as_text();
      text += rows[i][0].as_text();
    }
    return Value::text(std::move(text));
  }
  Value multiset(const std::vector<Row>& rows) const {
    std::vector<Value> counted;
    for (const Row& row : rows) {
      size_t i = 0;
      while (i < counted.size() && !(counted[i] == row[0])) i += 2;
      if (i == counted.size()) {
        counted.push_back(row[0]);
        counted.push_back(Value::integer(1));
      } else {
        counted[i + 1] = Value::integer(counted[i + 1].as_int() + 1);
      }
    }
    return make_map(std::move(counted), type_);
  }
  Value array(const std::vector<Row>& rows) const {
    if (rows.empty()) return Value();
    std::vector<Value> items;
    for (const Row& row : rows) items.push_back(row[0]);
    return Value::nested(std::move(items));
  }
  Value json(const std::vector<Row>& rows) const {
    bool keep_nulls = call_.options[0].as_bool();
    bool object = call_.name == "JSON_OBJECTAGG";
    std::vector<std::pair<std::string, std::string>> members;
    std::string text;
    for (const Row& row : rows) {
      const Value& value = row[object ? 1 : 0];
      if (value.is_null() && !keep_nulls) continue;
      std::string item = json_text(value, call_.args[object ? 1 : 0]->type);
      if (object) {
        if (row[0].is_null()) throw RunFailure(java::table, "Key for JSON_OBJECTAGG cannot be null.");
        members.emplace_back(row[0].as_text(), std::move(item));
      } else {
        text += (text.empty() ? "" : ",") + item;
      }
    }
    return Value::text(object ? json_object_text(std::move(members)) : "[" + text + "]");
  }

  AggregateCall call_;
  std::vector<std::vector<Row>> states_;
};

}  // namespace

std::unique_ptr<Accumulators> make_collection(const AggregateCall& call) { return std::make_unique<Collection>(call); }

}  // namespace millrace::processing
