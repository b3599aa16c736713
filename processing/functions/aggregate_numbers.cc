// COUNT, SUM, AVG, STDDEV and VAR: states of a few numbers per group. All of them can take rows away again.
#include <cmath>
#include <limits>
#include <vector>

#include "processing/functions/aggregate_states.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

// States of type S in one array. Derived gives: add(S&, row readers…), Value result(const S&), merge(S&, const S&).
template <class S>
class PlainStates : public Accumulators {
 public:
  using Accumulators::Accumulators;
  size_t size() const override { return states_.size(); }
  void resize(size_t groups) override { states_.resize(groups); }
  void reset(size_t group) override { states_[group] = S(); }
  void save(size_t group, std::string& out) const override { save_plain(out, states_[group]); }
  void load(size_t group, std::string_view& in) override { load_plain(in, states_[group]); }

 protected:
  static int64_t sign(std::span<const RowKind> kinds, size_t row) {
    return kinds.empty() || !is_retraction(kinds[row]) ? 1 : -1;
  }
  std::vector<S> states_;
};

// ---- COUNT ----

class Count final : public PlainStates<int64_t> {
 public:
  using PlainStates::PlainStates;
  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    bool nulls = false;
    for (const Column& arg : args) nulls = nulls || arg.has_nulls();
    int64_t* states = states_.data();
    if (!nulls && kinds.empty()) {
      rows.each([&](size_t r) { ++states[groups[r]]; });
      return;
    }
    rows.each([&](size_t r) {
      for (const Column& arg : args) {
        if (arg.is_null(r)) return;
      }
      states[groups[r]] += sign(kinds, r);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    states_[group] += static_cast<const Count&>(other).states_[other_group];
  }
  Value result(size_t group) const override { return Value::integer(states_[group]); }
  Column results(std::span<const uint32_t> groups) const override {
    ColumnBuilder out(type_);
    out.resize(groups.size());
    std::vector<int64_t>& values = out.values<int64_t>();
    for (size_t i = 0; i < groups.size(); ++i) values[i] = states_[groups[i]];
    return out.finish();
  }
};

// ---- SUM and AVG ----

// Whole numbers add up in 64 bits and wrap; the mean of FLOAT adds up as double.
template <class T>
using TotalOf = std::conditional_t<std::is_same_v<T, Int128>, Int128,
                                   std::conditional_t<std::is_floating_point_v<T>, double, int64_t>>;

template <class Total>
struct Sum {
  Total total = 0;
  int64_t count = 0;
  bool overflow = false;  // of a decimal: the sum stays NULL
};

template <class Total>
void add(Sum<Total>& state, Total v, int64_t sign) {
  state.count += sign;
  if constexpr (std::is_floating_point_v<Total>) {
    state.total += sign > 0 ? v : -v;
  } else if constexpr (std::is_same_v<Total, Int128>) {
    state.total += sign > 0 ? v : -v;
    if (!fits(state.total, 38)) {
      state.overflow = true;
      state.total = 0;
    }
  } else {
    state.total =
        static_cast<int64_t>(static_cast<uint64_t>(state.total) + static_cast<uint64_t>(sign > 0 ? v : Total{0} - v));
  }
}

template <class T, class Total>
class SumStates : public PlainStates<Sum<Total>> {
 public:
  using Base = PlainStates<Sum<Total>>;
  using Base::Base;

  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    Reader<T> in(args[0]);
    Sum<Total>* states = this->states_.data();
    if (in.nulls == nullptr && kinds.empty()) {
      rows.each([&](size_t r) { add(states[groups[r]], static_cast<Total>(in[r]), 1); });
      return;
    }
    rows.each([&](size_t r) {
      if (!in.null(r)) add(states[groups[r]], static_cast<Total>(in[r]), this->sign(kinds, r));
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    Sum<Total>& into = this->states_[group];
    const Sum<Total>& from = static_cast<const SumStates&>(other).states_[other_group];
    int64_t count = into.count + from.count;
    add(into, from.total, 1);
    into.count = count;
    into.overflow = into.overflow || from.overflow;
  }

 protected:
  // A number in the result's type, which wraps at its own width.
  Value in_type(Total v) const {
    switch (this->type_.root) {
      case TypeRoot::tinyint:
        return Value::integer(static_cast<int8_t>(v));
      case TypeRoot::smallint:
        return Value::integer(static_cast<int16_t>(v));
      case TypeRoot::integer:
        return Value::integer(static_cast<int32_t>(v));
      case TypeRoot::bigint:
        return Value::integer(static_cast<int64_t>(v));
      case TypeRoot::float_:
        return Value::float_(static_cast<float>(v));
      case TypeRoot::double_:
        return Value::double_(static_cast<double>(v));
      default:
        return Value::decimal(static_cast<Int128>(v));
    }
  }
};

template <class T, bool ZeroWhenEmpty>
class SumResult final : public SumStates<T, std::conditional_t<std::is_same_v<T, float>, float, TotalOf<T>>> {
 public:
  using SumStates<T, std::conditional_t<std::is_same_v<T, float>, float, TotalOf<T>>>::SumStates;
  Value result(size_t group) const override {
    const auto& state = this->states_[group];
    if (state.overflow || (state.count == 0 && !ZeroWhenEmpty)) return Value();
    return this->in_type(state.total);
  }
  Column results(std::span<const uint32_t> groups) const override {
    if (!this->type_.is(TypeRoot::bigint)) return Accumulators::results(groups);
    ColumnBuilder out(this->type_);
    out.resize(groups.size());
    int64_t* values = out.template values<int64_t>().data();
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& state = this->states_[groups[i]];
      if (state.overflow || (state.count == 0 && !ZeroWhenEmpty))
        out.set_null(i);
      else
        values[i] = static_cast<int64_t>(state.total);
    }
    return out.finish();
  }
};

template <class T>
class Average final : public SumStates<T, TotalOf<T>> {
 public:
  Average(DataType type, int scale) : SumStates<T, TotalOf<T>>(std::move(type)), scale_(scale) {}
  Value result(size_t group) const override {
    const auto& state = this->states_[group];
    if (state.overflow || state.count == 0) return Value();
    if constexpr (std::is_same_v<T, Int128>) {
      std::optional<Int128> mean =
          decimal_divide(state.total, scale_, state.count, 0, this->type_.precision, this->type_.scale);
      return mean ? Value::decimal(*mean) : Value();
    } else {
      return this->in_type(state.total / static_cast<TotalOf<T>>(state.count));
    }
  }

 private:
  int scale_;
};

// ---- STDDEV and VAR ----

// Welford's running moments, in doubles whatever the type; only the result is cut to it.
struct Moments {
  double mean = 0;
  double squares = 0;  // of the distances from the mean
  int64_t count = 0;

  void add(double v) {
    ++count;
    double delta = v - mean;
    mean += delta / static_cast<double>(count);
    squares += delta * (v - mean);
  }
  void remove(double v) {
    if (--count <= 0) {
      *this = Moments{0, 0, count};
      return;
    }
    double old = mean;
    mean -= (v - mean) / static_cast<double>(count);
    squares -= (v - old) * (v - mean);
  }
  void merge(const Moments& other) {
    if (other.count == 0) return;
    double n = static_cast<double>(count), m = static_cast<double>(other.count), delta = other.mean - mean;
    count += other.count;
    mean += delta * m / (n + m);
    squares += other.squares + delta * delta * n * m / (n + m);
  }
};

class Variance final : public PlainStates<Moments> {
 public:
  Variance(DataType type, const AggregateCall& call)
      : PlainStates(std::move(type)),
        sample_(!call.name.ends_with("_POP")),
        root_(call.name.starts_with("STDDEV")),
        source_(call.args[0]->type) {}

  void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                  std::span<const RowKind> kinds) override {
    rows.each([&](size_t r) {
      if (args[0].is_null(r)) return;
      double v = number(args[0], r);
      Moments& m = states_[groups[r]];
      sign(kinds, r) > 0 ? m.add(v) : m.remove(v);
    });
  }
  void merge(size_t group, const Accumulators& other, size_t other_group) override {
    states_[group].merge(static_cast<const Variance&>(other).states_[other_group]);
  }
  Value result(size_t group) const override {
    const Moments& m = states_[group];
    int64_t divisor = sample_ ? m.count - 1 : m.count;
    if (divisor <= 0) return Value();
    double spread = m.squares / static_cast<double>(divisor);
    if (root_) spread = std::sqrt(spread);
    // As Java casts: what is too large is the largest.
    if (type_.is_integral() && spread >= 0x1p63) return Value::integer(std::numeric_limits<int64_t>::max());
    if (type_.is_integral()) return Value::integer(static_cast<int64_t>(spread));
    if (type_.is(TypeRoot::float_)) return Value::float_(static_cast<float>(spread));
    if (type_.is(TypeRoot::double_)) return Value::double_(spread);
    std::optional<Int128> decimal = decimal_from_double(spread, type_.precision, type_.scale);
    return decimal ? Value::decimal(*decimal) : Value();
  }

 private:
  double number(const Column& column, size_t row) const {
    switch (column.physical()) {
      case Physical::int32:
        return column.at<int32_t>(row);
      case Physical::int64:
        return static_cast<double>(column.at<int64_t>(row));
      case Physical::float_:
        return column.at<float>(row);
      case Physical::double_:
        return column.at<double>(row);
      default:
        return decimal_to_double(column.at<Int128>(row), source_.scale);
    }
  }
  bool sample_, root_;
  DataType source_;
};

}  // namespace

std::unique_ptr<Accumulators> make_count(const AggregateCall& call) { return std::make_unique<Count>(call.type); }

std::unique_ptr<Accumulators> make_sum(const AggregateCall& call, bool zero) {
  auto make = [&]<class T>(T) -> std::unique_ptr<Accumulators> {
    if (zero) return std::make_unique<SumResult<T, true>>(call.type);
    return std::make_unique<SumResult<T, false>>(call.type);
  };
  switch (physical_of(call.args[0]->type.root)) {
    case Physical::int32:
      return make(int32_t{});
    case Physical::int64:
      return make(int64_t{});
    case Physical::float_:
      return make(float{});
    case Physical::double_:
      return make(double{});
    default:
      return make(Int128{});
  }
}

std::unique_ptr<Accumulators> make_average(const AggregateCall& call) {
  int scale = call.args[0]->type.scale;
  switch (physical_of(call.args[0]->type.root)) {
    case Physical::int32:
      return std::make_unique<Average<int32_t>>(call.type, scale);
    case Physical::int64:
      return std::make_unique<Average<int64_t>>(call.type, scale);
    case Physical::float_:
      return std::make_unique<Average<float>>(call.type, scale);
    case Physical::double_:
      return std::make_unique<Average<double>>(call.type, scale);
    default:
      return std::make_unique<Average<Int128>>(call.type, scale);
  }
}

std::unique_ptr<Accumulators> make_variance(const AggregateCall& call) {
  return std::make_unique<Variance>(call.type, call);
}

}  // namespace millrace::processing
