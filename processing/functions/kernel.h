// From a function of one row to a loop over columns.
//
//   {{"UPPER"}, "string", "UPPER(s)", "s", "s", lift<[](std::string_view s) { return upper(s); }>}
//
// The lambda's parameters name the physical types of its arguments (bool, int32_t, int64_t, float, double, Int128,
// std::string_view, TimestampValue, const Value&), after an optional const KernelCall&. It is called for rows without
// a null argument, and answers a value, a std::optional of one, std::string (copied into the column) or
// std::string_view (into the arguments' or static memory). With constant arguments it is called once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "processing/expr.h"
#include "processing/functions/table.h"

namespace millrace::processing {

template <class T>
struct StoredAs {
  using type = std::remove_cvref_t<T>;
};
template <>
struct StoredAs<bool> {
  using type = uint8_t;
};
template <>
struct StoredAs<std::string> {
  using type = std::string_view;
};
template <class T>
struct StoredAs<std::optional<T>> : StoredAs<T> {};
template <class T>
using Stored = typename StoredAs<std::remove_cvref_t<T>>::type;

// One argument: rows by number, whether the column is constant or not.
template <class T>
struct Reader {
  explicit Reader(const Column& column)
      : values(column.data<T>()), nulls(column.nulls()), step(column.is_constant() ? 0 : 1) {}
  const T& operator[](size_t row) const { return values[row * step]; }
  bool null(size_t row) const { return nulls != nullptr && nulls[row * step] != 0; }

  const T* values;
  const uint8_t* nulls;
  size_t step;
};

// Puts a result into its slot of a column being filled.
template <class T, class R>
void store(ColumnBuilder& out, T* slots, size_t row, R&& result) {
  using Result = std::remove_cvref_t<R>;
  if constexpr (requires { result.has_value(); }) {
    if (result.has_value()) {
      store(out, slots, row, *std::forward<R>(result));
    } else {
      out.set_null(row);
    }
  } else if constexpr (std::is_same_v<Result, std::string>) {
    slots[row] = out.arena().store(result);
  } else if constexpr (std::is_same_v<Result, Value>) {
    if (result.is_null()) {
      out.set_null(row);
    } else {
      slots[row] = std::forward<R>(result);
    }
  } else {
    slots[row] = result;
  }
}

// A column of nulls, for calls that have nothing to compute.
inline Column null_column(const DataType& type, size_t size) { return Column::constant(type, Value(), size); }

template <auto F, bool WithCall, class R, class... A>
struct Lift {
  template <size_t... I>
  static Column run(const KernelCall& call, std::index_sequence<I...>) {
    if (call.rows.count == 0) return null_column(call.expr.type, call.rows.size);
    const bool once = sizeof...(A) > 0 && call.expr.deterministic && (call.args[I].is_constant() && ...);
    ColumnBuilder out(call.expr.type);
    out.resize(once ? 1 : call.rows.size);
    [[maybe_unused]] std::tuple<Reader<Stored<A>>...> in{Reader<Stored<A>>(call.args[I])...};
    if constexpr (std::is_same_v<Stored<R>, std::string_view>) (out.keep(call.args[I].owner()), ...);
    Stored<R>* const slots = out.values<Stored<R>>().data();
    const bool nulls = ((std::get<I>(in).nulls != nullptr) || ...);
    auto one = [&](size_t row) {
      if (nulls && (std::get<I>(in).null(row) || ...)) {
        out.set_null(row);
        return;
      }
      if constexpr (WithCall) {
        store(out, slots, row, F(call, std::get<I>(in)[row]...));
      } else {
        store(out, slots, row, F(std::get<I>(in)[row]...));
      }
    };
    if (once) {
      one(0);
      Column value = out.finish();
      return Column(value.type(), call.rows.size, value_pointer(value), value.nulls(), value.owner(), true);
    }
    call.rows.each(one);
    return out.finish();
  }
  static const void* value_pointer(const Column& column) { return column.data<Stored<R>>(); }
};

template <class P>
struct Signature;
template <class R, class... A>
struct Signature<R (*)(A...)> {
  template <auto F>
  static Column run(const KernelCall& call) {
    return Lift<F, false, R, A...>::run(call, std::index_sequence_for<A...>());
  }
};
template <class R, class... A>
struct Signature<R (*)(const KernelCall&, A...)> {
  template <auto F>
  static Column run(const KernelCall& call) {
    return Lift<F, true, R, A...>::run(call, std::index_sequence_for<A...>());
  }
};

template <auto F>
Column lift(const KernelCall& call) {
  return Signature<decltype(+F)>::template run<F>(call);
}

// For functions of any types that see nulls too: Value f(const KernelCall&, std::span<const Value>). Slow.
using BoxedFunction = Value (*)(const KernelCall&, std::span<const Value>);
Column run_boxed(const KernelCall& call, BoxedFunction f);
template <auto F>
Column lift_boxed(const KernelCall& call) {
  return run_boxed(call, F);
}

// What bind() compiled.
template <class T>
const T& prepared(const KernelCall& call) {
  return *static_cast<const T*>(call.expr.prepared.get());
}

// The families of the table.
std::vector<Function> arithmetic_functions();
std::vector<Function> comparison_functions();
std::vector<Function> cast_functions();
std::vector<Function> numeric_functions();
std::vector<Function> conditional_functions();
std::vector<Function> string_functions();
std::vector<Function> string_trim_functions();
std::vector<Function> string_edit_functions();
std::vector<Function> string_search_functions();
std::vector<Function> string_join_functions();
std::vector<Function> printf_functions();
std::vector<Function> regexp_functions();
std::vector<Function> hash_functions();
std::vector<Function> url_functions();
std::vector<Function> time_part_functions();
std::vector<Function> time_functions();
std::vector<Function> clock_functions();
std::vector<Function> time_text_functions();
std::vector<Function> json_functions();
std::vector<Function> collection_functions();

// The kernel of CAST from one type to another; nullptr: there is none.
Kernel cast_kernel(const DataType& from, const DataType& to, bool try_cast);

}  // namespace millrace::processing
