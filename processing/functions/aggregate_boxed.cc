// MIN, MAX, FIRST_VALUE, LAST_VALUE and SINGLE_VALUE over any type, and DISTINCT over any aggregate.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "processing/functions/aggregate_states.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

struct ValueLess {
  bool operator()(const Value& a, const Value& b) const { return compare(a, b) < 0; }
};

template <class State>
class StatePerGroup : public Accumulators {
 public:
  using Accumulators::Accumulators;
  size_t size() const final { return states_.size(); }
  void resize(size_t groups) final { states_.resize(groups); }
  void reset(size_t group) final { states_[group] = State(); }

 protected:
  std::vector<State> states_;
};

// The state is the result.
class ValuePerGroup : public StatePerGroup<Value> {
 public:
  using StatePerGroup::StatePerGroup;
  Value result(size_t group) const final { return states_[group]; }
  void save(size_t group, std::string& out) const final { append_value(out, states_[group]); }
  void load(size_t group, std::string_view& in) final { states_[group] = read_value(in); }
};

// ---- MIN and MAX ----

template <class T>
struct Best {
  T value{};
  bool any = false;
};

template <class T>
bool before(const T& a, const T& b) {
  return a < b;
}

// Of plain values, rows only ever added.
template <class T, bool Max>
class Extreme final : public StatePerGroup<Best<T>> {
 public:
  using StatePerGroup<Best<T>>::StatePerGroup;
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind>) override {
    Reader<T> in(args[0]);
    rows.each([&](size_t r) {
      if (in.null(r)) return;
      offer(states_[groups[r]], in[r]);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const Best<T>& from = static_cast<const Extreme&>(other).states_[other_group];
    if (from.any) offer(states_[group], from.value);
  }
  Value result(size_t group) const override {
    const Best<T>& state = states_[group];
    if (!state.any) return Value();
    if constexpr (std::is_same_v<T, float>)
      return Value::float_(state.value);
    else if constexpr (std::is_same_v<T, double>)
      return Value::double_(state.value);
    else if constexpr (std::is_same_v<T, Int128>)
      return Value::decimal(state.value);
    else if constexpr (std::is_same_v<T, TimestampValue>)
      return Value::timestamp(state.value);
    else
      return Value::integer(state.value);
  }
  Column results(std::span<const uint32_t> groups) const override {
    ColumnBuilder out(this->type_);
    out.resize(groups.size());
    T* values = out.values<T>().data();
    for (size_t i = 0; i < groups.size(); ++i) {
      if (states_[groups[i]].any)
        values[i] = states_[groups[i]].value;
      else
        out.set_null(i);
    }
    return out.finish();
  }
  void save(size_t group, std::string& out) const override {
    save_plain(out, states_[group].any);
    save_plain(out, states_[group].value);
  }
  void load(size_t group, std::string_view& in) override {
    load_plain(in, states_[group].any);
    load_plain(in, states_[group].value);
  }

 private:
  static void offer(Best<T>& state, const T& v) {
    if (!state.any || (Max ? before(state.value, v) : before(v, state.value))) {
      state.value = v;
      state.any = true;
    }
  }
  using StatePerGroup<Best<T>>::states_;
};

// Of anything else: text, booleans, rows.
class BoxedExtreme final : public ValuePerGroup {
 public:
  BoxedExtreme(DataType type, bool max) : ValuePerGroup(std::move(type)), max_(max) {}
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind>) override {
    if (args[0].physical() == Physical::text) {
      Reader<std::string_view> in(args[0]);
      rows.each([&](size_t r) {
        if (in.null(r)) return;
        Value& state = states_[groups[r]];
        if (state.is_null() || (max_ ? std::string_view(state.as_text()) < in[r] : in[r] < state.as_text())) {
          state = Value::text(in[r]);
        }
      });
      return;
    }
    rows.each([&](size_t r) {
      if (!args[0].is_null(r)) offer(states_[groups[r]], args[0].value(r));
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const Value& from = static_cast<const BoxedExtreme&>(other).states_[other_group];
    if (!from.is_null()) offer(states_[group], from);
  }

 private:
  void offer(Value& state, const Value& v) const {
    if (state.is_null() || (max_ ? compare(state, v) < 0 : compare(v, state) < 0)) state = v;
  }
  bool max_;
};

using ValueCounts = std::map<Value, int64_t, ValueLess>;

// Counts every value, so that rows can go away again.
class RetractableExtreme final : public StatePerGroup<ValueCounts> {
 public:
  RetractableExtreme(DataType type, bool max) : StatePerGroup(std::move(type)), max_(max) {}
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    rows.each([&](size_t r) {
      if (args[0].is_null(r)) return;
      count(states_[groups[r]], args[0].value(r), kinds.empty() || !is_retraction(kinds[r]) ? 1 : -1);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    for (const auto& [value, n] : static_cast<const RetractableExtreme&>(other).states_[other_group]) {
      count(states_[group], value, n);
    }
  }
  Value result(size_t group) const override {
    // A value whose retraction came first counts below zero: it is not there.
    const ValueCounts& counts = states_[group];
    if (max_) {
      for (auto it = counts.rbegin(); it != counts.rend(); ++it) {
        if (it->second > 0) return it->first;
      }
    } else {
      for (const auto& [value, n] : counts) {
        if (n > 0) return value;
      }
    }
    return Value();
  }
  void save(size_t group, std::string& out) const override {
    save_plain(out, static_cast<uint64_t>(states_[group].size()));
    for (const auto& [value, n] : states_[group]) {
      append_value(out, value);
      save_plain(out, n);
    }
  }
  void load(size_t group, std::string_view& in) override {
    states_[group].clear();
    uint64_t size = 0;
    load_plain(in, size);
    for (uint64_t i = 0; i < size; ++i) {
      Value value = read_value(in);
      load_plain(in, states_[group][std::move(value)]);
    }
  }

 private:
  static void count(ValueCounts& counts, const Value& value, int64_t n) {
    auto [it, added] = counts.try_emplace(value, 0);
    it->second += n;
    if (it->second == 0) counts.erase(it);
  }
  bool max_;
};

// ---- FIRST_VALUE, LAST_VALUE, SINGLE_VALUE ----

class FirstLast final : public ValuePerGroup {
 public:
  FirstLast(DataType type, bool last) : ValuePerGroup(std::move(type)), last_(last) {}
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind>) override {
    rows.each([&](size_t r) {
      Value& state = states_[groups[r]];
      if (!args[0].is_null(r) && (last_ || state.is_null())) state = args[0].value(r);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const Value& from = static_cast<const FirstLast&>(other).states_[other_group];
    if (!from.is_null() && (last_ || states_[group].is_null())) states_[group] = from;
  }

 private:
  bool last_;
};

// Keeps all values in the order they came.
class RetractableFirstLast final : public StatePerGroup<std::vector<Value>> {
 public:
  RetractableFirstLast(DataType type, bool last) : StatePerGroup(std::move(type)), last_(last) {}
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    rows.each([&](size_t r) {
      if (args[0].is_null(r)) return;
      std::vector<Value>& values = states_[groups[r]];
      Value v = args[0].value(r);
      if (kinds.empty() || !is_retraction(kinds[r])) {
        values.push_back(std::move(v));
      } else if (auto at = std::find(values.begin(), values.end(), v); at != values.end()) {
        values.erase(at);
      }
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const auto& from = static_cast<const RetractableFirstLast&>(other).states_[other_group];
    states_[group].insert(states_[group].end(), from.begin(), from.end());
  }
  Value result(size_t group) const override {
    const std::vector<Value>& values = states_[group];
    return values.empty() ? Value() : last_ ? values.back() : values.front();
  }
  void save(size_t group, std::string& out) const override { append_row(out, states_[group]); }
  void load(size_t group, std::string_view& in) override { states_[group] = read_row(in); }

 private:
  bool last_;
};

struct CountedValue {
  Value value;
  int64_t count = 0;
};

// The value of a scalar subquery: more than one row is an error.
class SingleValue final : public StatePerGroup<CountedValue> {
 public:
  using StatePerGroup::StatePerGroup;
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    rows.each([&](size_t r) {
      CountedValue& state = states_[groups[r]];
      bool retract = !kinds.empty() && is_retraction(kinds[r]);
      state.count += retract ? -1 : 1;
      if (state.count > 1)
        throw RunFailure("java.lang.RuntimeException", "SingleValueAggFunction received more than one element.");
      if (retract)
        state.value = Value();
      else
        state.value = args[0].value(r);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const CountedValue& from = static_cast<const SingleValue&>(other).states_[other_group];
    if (from.count == 0) return;
    states_[group].count += from.count;
    states_[group].value = from.value;
  }
  Value result(size_t group) const override { return states_[group].value; }
  void save(size_t group, std::string& out) const override {
    append_value(out, states_[group].value);
    save_plain(out, states_[group].count);
  }
  void load(size_t group, std::string_view& in) override {
    states_[group].value = read_value(in);
    load_plain(in, states_[group].count);
  }
};

// ---- DISTINCT ----

// Counts each tuple of arguments and passes on the first of its kind, and the last one's retraction.
class Distinct final : public Accumulators {
 public:
  explicit Distinct(std::unique_ptr<Accumulators> inner)
      : Accumulators(inner->result_type()), inner_(std::move(inner)) {}
  size_t size() const override { return seen_.size(); }
  void resize(size_t groups) override {
    seen_.resize(groups);
    inner_->resize(groups);
  }
  void reset(size_t group) override {
    seen_[group].clear();
    inner_->reset(group);
  }
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    passed_.clear();
    rows.each([&](size_t r) {
      Row key;
      key.reserve(args.size());
      for (const Column& arg : args) key.push_back(arg.value(r));
      Seen& seen = seen_[groups[r]];
      if (kinds.empty() || !is_retraction(kinds[r])) {
        if (++seen[std::move(key)] != 1) return;
      } else {
        auto at = seen.find(key);
        if (at == seen.end()) return;
        if (--at->second != 0) return;
        seen.erase(at);
      }
      passed_.push_back(static_cast<uint32_t>(r));
    });
    if (passed_.empty()) return;
    inner_->accumulate(groups, {passed_.data(), passed_.size(), rows.size}, args, kinds);
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    const Distinct& from = static_cast<const Distinct&>(other);
    const uint32_t target = 0;
    for (const auto& [key, n] : from.seen_[other_group]) {
      int64_t& count = seen_[group][key];
      bool first = count == 0;
      count += n;
      if (!first) continue;
      // One row with this key, into this group.
      std::vector<Column> args;
      for (size_t i = 0; i < key.size(); ++i) args.push_back(Column::constant(arg_types_from(from, i), key[i], 1));
      std::vector<uint32_t> groups = {static_cast<uint32_t>(group)};
      inner_->accumulate(groups, {&target, 1, 1}, args, {});
    }
  }
  Value result(size_t group) const override { return inner_->result(group); }
  void save(size_t group, std::string& out) const override {
    save_plain(out, static_cast<uint64_t>(seen_[group].size()));
    for (const auto& [key, n] : seen_[group]) {
      append_row(out, key);
      save_plain(out, n);
    }
    inner_->save(group, out);
  }
  void load(size_t group, std::string_view& in) override {
    seen_[group].clear();
    uint64_t size = 0;
    load_plain(in, size);
    for (uint64_t i = 0; i < size; ++i) {
      Row key = read_row(in);
      load_plain(in, seen_[group][std::move(key)]);
    }
    inner_->load(group, in);
  }
  void set_types(std::vector<DataType> types) { types_ = std::move(types); }

 private:
  using Seen = std::unordered_map<Row, int64_t, ValueHash>;
  static const DataType& arg_types_from(const Distinct& from, size_t i) { return from.types_[i]; }
  std::unique_ptr<Accumulators> inner_;
  std::vector<DataType> types_;
  std::vector<Seen> seen_;
  std::vector<uint32_t> passed_;
};

template <bool Max>
std::unique_ptr<Accumulators> extreme(const AggregateCall& call) {
  switch (physical_of(call.args[0]->type.root)) {
    case Physical::int32:
      return std::make_unique<Extreme<int32_t, Max>>(call.type);
    case Physical::int64:
      return std::make_unique<Extreme<int64_t, Max>>(call.type);
    case Physical::float_:
      return std::make_unique<Extreme<float, Max>>(call.type);
    case Physical::double_:
      return std::make_unique<Extreme<double, Max>>(call.type);
    case Physical::decimal:
      return std::make_unique<Extreme<Int128, Max>>(call.type);
    case Physical::timestamp:
      return std::make_unique<Extreme<TimestampValue, Max>>(call.type);
    default:
      return std::make_unique<BoxedExtreme>(call.type, Max);
  }
}

}  // namespace

std::unique_ptr<Accumulators> make_extreme(const AggregateCall& call, bool max, bool retractable) {
  if (retractable) return std::make_unique<RetractableExtreme>(call.type, max);
  return max ? extreme<true>(call) : extreme<false>(call);
}

std::unique_ptr<Accumulators> make_first_last(const AggregateCall& call, bool last, bool retractable) {
  if (retractable) return std::make_unique<RetractableFirstLast>(call.type, last);
  return std::make_unique<FirstLast>(call.type, last);
}

std::unique_ptr<Accumulators> make_single_value(const AggregateCall& call) {
  return std::make_unique<SingleValue>(call.type);
}

std::unique_ptr<Accumulators> make_distinct(const AggregateCall& call, std::unique_ptr<Accumulators> inner) {
  auto distinct = std::make_unique<Distinct>(std::move(inner));
  std::vector<DataType> types;
  for (const ExprPtr& arg : call.args) types.push_back(arg->type);
  distinct->set_types(std::move(types));
  return distinct;
}

}  // namespace millrace::processing
