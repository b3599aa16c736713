// Arrays, maps and rows: building them, looking into them, changing them. Array positions count from 1.
#include <fmt/format.h>

#include <algorithm>

#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

using Args = std::span<const Value>;

DataType common_of(const Binding& b, size_t from, size_t step) {
  std::vector<DataType> types;
  for (size_t i = from; i < b.count(); i += step) types.push_back(b.arg(i));
  std::optional<DataType> type = common_type(types);
  if (!type) b.refuse_text(java::validator, "Parameters must be of the same type");
  return type->with_attribute(TimeAttribute::none);
}

void need(const Binding& b, size_t i, TypeRoot root, std::string_view form) {
  if (!b.arg(i).is(root)) b.refuse(form);
}

Value constructed(const KernelCall&, Args v) { return Value::nested({v.begin(), v.end()}); }

Value constructed_map(const KernelCall&, Args v) { return Value::nested(last_entries({v.begin(), v.end()})); }

void bind_row(Binding& b) {
  std::vector<Field> fields;
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::string());
    fields.push_back({fmt::format("EXPR${}", i), b.arg(i).with_attribute(TimeAttribute::none)});
  }
  b.type = DataType::row(std::move(fields)).not_null();
}

void bind_array(Binding& b) {
  if (b.count() == 0) b.refuse_text(java::validator, "Require at least 1 argument");
  DataType element = common_of(b, 0, 1);
  for (size_t i = 0; i < b.count(); ++i) b.cast(i, element);
  b.type = DataType::array(element).not_null();
}

void bind_map(Binding& b) {
  if (b.count() == 0 || b.count() % 2 == 1) {
    b.refuse_text(java::validator, "Map requires an even number of arguments");
  }
  DataType key = common_of(b, 0, 2), value = common_of(b, 1, 2);
  for (size_t i = 0; i < b.count(); ++i) b.cast(i, i % 2 == 0 ? key : value);
  b.type = DataType::map(key, value).not_null();
}

// What is not there is NULL; where the type says that no item is, Flink's code for the type's default.
Value missing(const DataType& type) {
  if (type.nullable) return Value();
  switch (physical_of(type.root)) {
    case Physical::int32:
    case Physical::int64:
      return Value::integer(-1);
    case Physical::float_:
      return Value::float_(-1);
    case Physical::double_:
      return Value::double_(-1);
    case Physical::boolean:
      return Value::boolean(false);
    case Physical::text:
      return Value::text(std::string(type.is(TypeRoot::character) ? static_cast<size_t>(type.precision) : 0, ' '));
    default:
      return Value();
  }
}

// array[n], map[key], row[n]
Value item(const KernelCall& call, Args v) {
  if (v[0].is_null() || v[1].is_null()) return Value();
  const std::vector<Value>& items = v[0].items();
  if (call.args[0].type().is(TypeRoot::array)) {
    int64_t n = v[1].as_int();
    const DataType& type = call.args[0].type().child(0);
    return n < 1 || n > static_cast<int64_t>(items.size()) ? missing(type) : items[static_cast<size_t>(n - 1)];
  }
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i] == v[1]) return items[i + 1];
  }
  return missing(call.args[0].type().child(1));
}

void bind_item(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  const DataType& of = b.arg(0);
  if (of.is(TypeRoot::array)) {
    if (!b.arg(1).is_integral()) b.refuse("'<ARRAY>[<INTEGER>]'");
    if (b.is_literal(1) && b.literal(1).as_int() < 1) {
      b.refuse_text(java::validation, fmt::format("Array element access needs an index starting at 1 but was {}.",
                                                  b.literal(1).as_int()));
    }
    b.type = of.child(0).with_nullable(true);
  } else if (of.is(TypeRoot::map)) {
    if (!comparable(b.arg(1), of.child(0))) b.refuse("'<MAP>[<ANY>]'");
    if (b.arg(1).root != of.child(0).root && !(b.arg(1).is_text() && of.child(0).is_text())) b.cast(1, of.child(0));
    b.type = of.child(1).with_nullable(true);
  } else if (of.is(TypeRoot::row) && b.is_literal(1) && b.arg(1).is_integral()) {
    int64_t n = b.literal(1).as_int();
    if (n < 1 || n > static_cast<int64_t>(of.fields->size())) b.refuse("'<ROW>[<INTEGER>]'");
    b.replacement = make_field(b.args[0], static_cast<int>(n - 1), b.where);
  } else {
    b.refuse("'<ARRAY>[<INTEGER>]'\n'<MAP>[<ANY>]'\n'<ROW>[<CHARACTER>|<INTEGER>]'");
  }
}

void bind_cardinality(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  const DataType& of = b.arg(0);
  if (!of.is(TypeRoot::array) && !of.is(TypeRoot::map) && !of.is(TypeRoot::multiset)) {
    b.refuse("'CARDINALITY(<MULTISET>)'\n'CARDINALITY(<ARRAY>)'\n'CARDINALITY(<MAP>)'");
  }
  b.type = DataType::integer().with_nullable(of.nullable);
  b.kernel = of.is(TypeRoot::array)
                 ? Kernel(lift<[](const Value& v) { return static_cast<int32_t>(v.items().size()); }>)
                 : Kernel(lift<[](const Value& v) { return static_cast<int32_t>(v.items().size() / 2); }>);
}

Value element(const KernelCall&, Args v) {
  if (v[0].is_null() || v[0].items().empty()) return Value();
  if (v[0].items().size() > 1) throw RunFailure(java::table_runtime, "Array has more than one element.");
  return v[0].items()[0];
}

void bind_element(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  need(b, 0, TypeRoot::array, "'ELEMENT(<ARRAY>)'");
  b.type = b.arg(0).child(0).with_nullable(true);
}

// ---- arrays ----

bool contains(const std::vector<Value>& items, const Value& v) {
  return std::find(items.begin(), items.end(), v) != items.end();
}

std::vector<Value> distinct(const std::vector<Value>& items) {
  std::vector<Value> kept;
  for (const Value& v : items) {
    if (!contains(kept, v)) kept.push_back(v);
  }
  return kept;
}

Value array_contains(const KernelCall&, Args v) {
  return v[0].is_null() ? Value() : Value::boolean(contains(v[0].items(), v[1]));
}
Value array_position(const KernelCall&, Args v) {
  if (v[0].is_null() || v[1].is_null()) return Value();
  const std::vector<Value>& items = v[0].items();
  auto at = std::find(items.begin(), items.end(), v[1]);
  return Value::integer(at == items.end() ? 0 : at - items.begin() + 1);
}
Value array_distinct(const KernelCall&, Args v) {
  return v[0].is_null() ? Value() : Value::nested(distinct(v[0].items()));
}
Value array_reverse(const KernelCall&, Args v) {
  return v[0].is_null() ? Value() : Value::nested({v[0].items().rbegin(), v[0].items().rend()});
}
Value array_append(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  std::vector<Value> items = v[0].items();
  items.push_back(v[1]);
  return Value::nested(std::move(items));
}
Value array_prepend(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  std::vector<Value> items = {v[1]};
  items.insert(items.end(), v[0].items().begin(), v[0].items().end());
  return Value::nested(std::move(items));
}
Value array_remove(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  std::vector<Value> items = v[0].items();
  std::erase(items, v[1]);
  return Value::nested(std::move(items));
}
Value array_union(const KernelCall&, Args v) {
  if (v[0].is_null() || v[1].is_null()) return Value();
  std::vector<Value> items = v[0].items();
  items.insert(items.end(), v[1].items().begin(), v[1].items().end());
  return Value::nested(distinct(items));
}
Value array_except(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  if (v[1].is_null()) return v[0];
  std::vector<Value> kept;
  for (const Value& x : distinct(v[0].items())) {
    if (!contains(v[1].items(), x)) kept.push_back(x);
  }
  return Value::nested(std::move(kept));
}
Value array_intersect(const KernelCall&, Args v) {
  if (v[0].is_null() || v[1].is_null()) return Value();
  std::vector<Value> kept;
  for (const Value& x : distinct(v[0].items())) {
    if (contains(v[1].items(), x)) kept.push_back(x);
  }
  return Value::nested(std::move(kept));
}
Value array_concat(const KernelCall&, Args v) {
  std::vector<Value> items;
  for (const Value& array : v) {
    if (array.is_null()) return Value();
    items.insert(items.end(), array.items().begin(), array.items().end());
  }
  return Value::nested(std::move(items));
}
template <bool Max>
Value array_extreme(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  Value best;
  for (const Value& x : v[0].items()) {
    if (!x.is_null() && (best.is_null() || (Max ? compare(best, x) < 0 : compare(x, best) < 0))) best = x;
  }
  return best;
}
Value array_slice(const KernelCall&, Args v) {
  if (v[0].is_null() || v[1].is_null() || (v.size() > 2 && v[2].is_null())) return Value();
  const std::vector<Value>& items = v[0].items();
  int64_t size = static_cast<int64_t>(items.size());
  int64_t from = v[1].as_int(), to = v.size() > 2 ? v[2].as_int() : size;
  if (from == 0) from = 1;
  if (from < 0) from = std::max<int64_t>(size + from + 1, 1);
  if (to == 0) to = 1;
  if (to < 0) to = size + to + 1;
  to = std::min(to, size);
  if (from > size || from > to) return Value::nested({});
  return Value::nested({items.begin() + (from - 1), items.begin() + to});
}
// ARRAY_SORT(array[, ascending[, nulls first]]): by default ascending, nulls first as ascending says.
Value array_sort(const KernelCall&, Args v) {
  if (v[0].is_null() || (v.size() > 1 && v[1].is_null()) || (v.size() > 2 && v[2].is_null())) return Value();
  bool ascending = v.size() < 2 || v[1].as_bool();
  bool nulls_first = v.size() < 3 ? ascending : v[2].as_bool();
  std::vector<Value> items = v[0].items();
  std::sort(items.begin(), items.end(), [&](const Value& a, const Value& b) {
    if (a.is_null() || b.is_null()) return a.is_null() != b.is_null() && a.is_null() == nulls_first;
    return ascending ? compare(a, b) < 0 : compare(b, a) < 0;
  });
  return Value::nested(std::move(items));
}
Value array_join(const KernelCall& call, Args v) {
  if (v[0].is_null() || v[1].is_null() || (v.size() > 2 && v[2].is_null())) return Value();
  std::string out;
  bool first = true;
  for (const Value& x : v[0].items()) {
    if (x.is_null() && v.size() < 3) continue;
    if (!first) out += v[1].as_text();
    out += x.is_null() ? v[2].as_text() : value_text(x, call.args[0].type().child(0), call.context.zone);
    first = false;
  }
  return Value::text(std::move(out));
}

// How a function of arrays binds: what follows the array, and what comes out.
enum class Rest : uint8_t { nothing, element, array, slice, order, join };
enum class Out : uint8_t { same, element, boolean, integer, text };

template <BoxedFunction F, Rest R, Out O>
void bind_of_array(Binding& b) {
  std::string form = "'" + std::string(b.function->names[0]) + "(<ARRAY>, …)'";
  if (b.count() == 0) b.refuse_count("1");
  need(b, 0, TypeRoot::array, form);
  DataType array = b.arg(0), item_type = b.arg(0).child(0);
  if (R == Rest::nothing && b.count() != 1) b.refuse_count("1");
  if (R == Rest::element) {
    if (b.count() != 2) b.refuse_count("2");
    std::optional<DataType> type = common_type(item_type, b.arg(1));
    if (!type) b.refuse(form);
    array = DataType::array(*type).with_nullable(array.nullable);
    b.cast(0, array);
    b.cast(1, *type);
  }
  if (R == Rest::array) {
    for (size_t i = 1; i < b.count(); ++i) {
      std::optional<DataType> type = common_type(array, b.arg(i));
      if (!type) b.refuse(form);
      array = *type;
    }
    for (size_t i = 0; i < b.count(); ++i) b.cast(i, array);
  }
  for (size_t i = 0; R == Rest::join && i < b.count(); ++i) {
    const DataType& joined = i == 0 ? item_type : b.arg(i);
    if (!joined.is_text() && joined.root != TypeRoot::null) b.refuse_text(java::validation, "Invalid input arguments.");
  }
  for (size_t i = 1; i < b.count() && R >= Rest::slice; ++i) {
    b.cast(i, R == Rest::slice ? DataType::integer() : R == Rest::order ? DataType::boolean() : DataType::string());
  }
  bool nullable = b.any_nullable();
  switch (O) {
    case Out::same:
      b.type = array.with_nullable(R == Rest::element ? b.arg(0).nullable : nullable);
      break;
    case Out::element:
      b.type = array.child(0).with_nullable(true);
      break;
    case Out::boolean:
      b.type = DataType::boolean().with_nullable(nullable);
      break;
    case Out::integer:
      b.type = DataType::integer().with_nullable(nullable);
      break;
    case Out::text:
      b.type = DataType::string().with_nullable(nullable);
      break;
  }
  b.kernel = lift_boxed<F>;
}

// ---- maps ----

template <size_t Part>
Value map_part(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  std::vector<Value> parts;
  for (size_t i = Part; i < v[0].items().size(); i += 2) parts.push_back(v[0].items()[i]);
  return Value::nested(std::move(parts));
}

template <size_t Part>
void bind_map_part(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  need(b, 0, TypeRoot::map, "'" + std::string(b.function->names[0]) + "(<MAP>)'");
  b.type = DataType::array(b.arg(0).child(Part)).with_nullable(b.arg(0).nullable);
  b.kernel = lift_boxed<map_part<Part>>;
}

Value map_entries(const KernelCall&, Args v) {
  if (v[0].is_null()) return Value();
  std::vector<Value> rows;
  const std::vector<Value>& items = v[0].items();
  for (size_t i = 0; i + 1 < items.size(); i += 2) rows.push_back(Value::nested({items[i], items[i + 1]}));
  return Value::nested(std::move(rows));
}

void bind_map_entries(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  need(b, 0, TypeRoot::map, "'MAP_ENTRIES(<MAP>)'");
  DataType entry = DataType::row({{"key", b.arg(0).child(0)}, {"value", b.arg(0).child(1)}});
  b.type = DataType::array(entry).with_nullable(b.arg(0).nullable);
}

// The entries of the last map first; of equal keys the last map's.
Value map_union(const KernelCall&, Args v) {
  std::vector<Value> entries;
  for (size_t m = v.size(); m-- > 0;) {
    if (v[m].is_null()) return Value();
    const std::vector<Value>& items = v[m].items();
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      bool known = false;
      for (size_t k = 0; k < entries.size(); k += 2) known = known || entries[k] == items[i];
      if (known) continue;
      entries.push_back(items[i]);
      entries.push_back(items[i + 1]);
    }
  }
  return Value::nested(std::move(entries));
}

void bind_map_union(Binding& b) {
  if (b.count() == 0) b.refuse_count("1");
  for (size_t i = 0; i < b.count(); ++i) need(b, i, TypeRoot::map, "'MAP_UNION(<MAP>, <MAP>)'");
  DataType type = common_of(b, 0, 1);
  for (size_t i = 0; i < b.count(); ++i) b.cast(i, type);
  b.type = type.with_nullable(b.any_nullable());
}

Value map_from_arrays(const KernelCall&, Args v) {
  if (v[0].is_null() || v[1].is_null()) return Value();
  const std::vector<Value>&keys = v[0].items(), &values = v[1].items();
  if (keys.size() != values.size()) {
    throw RunFailure(
        "org.apache.flink.util.FlinkRuntimeException",
        fmt::format("Invalid function MAP_FROM_ARRAYS call:\nThe length of the keys array {} is not equal to "
                    "the length of the values array {}",
                    keys.size(), values.size()));
  }
  std::vector<Value> entries;
  for (size_t i = 0; i < keys.size(); ++i) {
    entries.push_back(keys[i]);
    entries.push_back(values[i]);
  }
  return Value::nested(std::move(entries));
}

void bind_map_from_arrays(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  for (size_t i = 0; i < 2; ++i) need(b, i, TypeRoot::array, "'MAP_FROM_ARRAYS(<ARRAY>, <ARRAY>)'");
  b.type = DataType::map(b.arg(0).child(0), b.arg(1).child(0)).with_nullable(b.any_nullable());
}

}  // namespace

std::vector<Function> collection_functions() {
  auto row = [](std::string_view name, std::string_view usage, void (*bind)(Binding&), Kernel kernel = nullptr) {
    return Function{{name}, "collection", usage, "", "", kernel, bind, true};
  };
  return {
      row("ROW", "ROW(a, b, …)", bind_row, lift_boxed<constructed>),
      row("ARRAY", "ARRAY[a, b, …]", bind_array, lift_boxed<constructed>),
      row("MAP", "MAP[key, value, …]", bind_map, lift_boxed<constructed_map>),
      row("ITEM", "array[n], map[key], row[n]", bind_item, lift_boxed<item>),
      row("CARDINALITY", "CARDINALITY(array or map)", bind_cardinality),
      row("ELEMENT", "ELEMENT(array)", bind_element, lift_boxed<element>),
      row("ARRAY_CONTAINS", "ARRAY_CONTAINS(array, a)", bind_of_array<array_contains, Rest::element, Out::boolean>),
      row("ARRAY_POSITION", "ARRAY_POSITION(array, a)", bind_of_array<array_position, Rest::element, Out::integer>),
      row("ARRAY_DISTINCT", "ARRAY_DISTINCT(array)", bind_of_array<array_distinct, Rest::nothing, Out::same>),
      row("ARRAY_REVERSE", "ARRAY_REVERSE(array)", bind_of_array<array_reverse, Rest::nothing, Out::same>),
      row("ARRAY_APPEND", "ARRAY_APPEND(array, a)", bind_of_array<array_append, Rest::element, Out::same>),
      row("ARRAY_PREPEND", "ARRAY_PREPEND(array, a)", bind_of_array<array_prepend, Rest::element, Out::same>),
      row("ARRAY_REMOVE", "ARRAY_REMOVE(array, a)", bind_of_array<array_remove, Rest::element, Out::same>),
      row("ARRAY_UNION", "ARRAY_UNION(array, array)", bind_of_array<array_union, Rest::array, Out::same>),
      row("ARRAY_EXCEPT", "ARRAY_EXCEPT(array, array)", bind_of_array<array_except, Rest::array, Out::same>),
      row("ARRAY_INTERSECT", "ARRAY_INTERSECT(array, array)", bind_of_array<array_intersect, Rest::array, Out::same>),
      row("ARRAY_CONCAT", "ARRAY_CONCAT(array, array, …)", bind_of_array<array_concat, Rest::array, Out::same>),
      row("ARRAY_MAX", "ARRAY_MAX(array)", bind_of_array<array_extreme<true>, Rest::nothing, Out::element>),
      row("ARRAY_MIN", "ARRAY_MIN(array)", bind_of_array<array_extreme<false>, Rest::nothing, Out::element>),
      row("ARRAY_SLICE", "ARRAY_SLICE(array, from[, to])", bind_of_array<array_slice, Rest::slice, Out::same>),
      row("ARRAY_SORT", "ARRAY_SORT(array[, ascending[, nulls first]])",
          bind_of_array<array_sort, Rest::order, Out::same>),
      row("ARRAY_JOIN", "ARRAY_JOIN(array, separator[, null text])", bind_of_array<array_join, Rest::join, Out::text>),
      row("MAP_KEYS", "MAP_KEYS(map)", bind_map_part<0>),
      row("MAP_VALUES", "MAP_VALUES(map)", bind_map_part<1>),
      row("MAP_ENTRIES", "MAP_ENTRIES(map)", bind_map_entries, lift_boxed<map_entries>),
      row("MAP_UNION", "MAP_UNION(map, map, …)", bind_map_union, lift_boxed<map_union>),
      row("MAP_FROM_ARRAYS", "MAP_FROM_ARRAYS(array, array)", bind_map_from_arrays, lift_boxed<map_from_arrays>),
  };
}

}  // namespace millrace::processing
