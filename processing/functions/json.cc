// The JSON functions. Their clauses follow the arguments as symbols, DEFAULT with its value behind it:
//   JSON_VALUE(doc, path, "DEFAULT ON EMPTY", value, "NULL ON ERROR")    JSON_EXISTS(doc, path, "TRUE ON ERROR")
//   JSON_QUERY(doc, path, "WITH CONDITIONAL WRAPPER", "EMPTY ARRAY ON EMPTY", …)
//   JSON_OBJECT(key, value, …, "ABSENT ON NULL")    JSON_ARRAY(value, …, "NULL ON NULL")
// A path without lax or strict is strict: what is not there is an error, not empty.
#include <fmt/format.h>

#include "processing/functions/json_path.h"
#include "processing/functions/json_text.h"
#include "processing/functions/json_tree.h"
#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

enum class Behaviour : uint8_t { null, error, value, empty_array, empty_object, yes, no, unknown };
enum class Wrapper : uint8_t { without, unconditional, conditional };

struct Clauses {
  Behaviour on_empty = Behaviour::null;
  Behaviour on_error = Behaviour::null;
  Wrapper wrapper = Wrapper::without;
  int empty_value = -1;  // the argument that holds the DEFAULT
  int error_value = -1;
};

Behaviour behaviour(std::string_view text) {
  if (text.starts_with("ERROR")) return Behaviour::error;
  if (text.starts_with("DEFAULT")) return Behaviour::value;
  if (text.starts_with("EMPTY ARRAY")) return Behaviour::empty_array;
  if (text.starts_with("EMPTY OBJECT")) return Behaviour::empty_object;
  if (text.starts_with("TRUE")) return Behaviour::yes;
  if (text.starts_with("FALSE")) return Behaviour::no;
  if (text.starts_with("UNKNOWN")) return Behaviour::unknown;
  return Behaviour::null;
}

// Moves the symbols from the arguments into clauses; default values stay, as arguments from the third on.
std::shared_ptr<Clauses> take_clauses(Binding& b, Clauses defaults) {
  if (b.count() < 2) b.refuse_count("2");
  auto clauses = std::make_shared<Clauses>(defaults);
  std::vector<ExprPtr> kept = {b.args[0], b.args[1]};
  for (size_t i = 2; i < b.count(); ++i) {
    std::string_view text = b.symbol(i);
    if (text.ends_with("WRAPPER")) {
      clauses->wrapper = text.starts_with("WITHOUT")                               ? Wrapper::without
                         : text.find("WITH CONDITIONAL") != std::string_view::npos ? Wrapper::conditional
                                                                                   : Wrapper::unconditional;
      continue;
    }
    bool empty = text.ends_with("ON EMPTY");
    Behaviour chosen = behaviour(text);
    (empty ? clauses->on_empty : clauses->on_error) = chosen;
    if (chosen == Behaviour::value && i + 1 < b.count()) {
      ExprPtr value = b.args[++i];
      value = value->type.root == TypeRoot::null ? make_literal(Value(), DataType::string())
                                                 : coerce(value, DataType::string());
      (empty ? clauses->empty_value : clauses->error_value) = static_cast<int>(kept.size());
      kept.push_back(std::move(value));
    }
  }
  b.args = std::move(kept);
  for (size_t i = 0; i < 2; ++i) {
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::string());
    if (!b.arg(i).is_text()) b.refuse("'" + std::string(b.function->names[0]) + "(<CHARACTER>, <CHARACTER>)'");
  }
  return clauses;
}

// What a path found: a value, nothing (empty), or an error.
struct Found {
  std::optional<Json> value;
  bool failed = false;
  std::string problem;
};

Found look_up(std::string_view document, const JsonPath& path) {
  Found found;
  std::optional<Json> json = parse_json(document);
  if (!json) {
    found.failed = path.mode() == JsonPath::Mode::strict;
    found.problem = fmt::format("{} is not valid JSON", json_quoted(document));
    return found;
  }
  std::optional<Json> value = path.read(*json, &found.problem);
  bool null = value && value->kind == Json::Kind::null;
  if (value && !null) {
    found.value = std::move(value);
  } else if (path.mode() == JsonPath::Mode::strict || !path.is_valid()) {
    found.failed = true;
    if (null) found.problem = "Strict jsonpath mode requires a non empty returned value, but is null";
  }
  return found;
}

[[noreturn]] void fail(const Found& found, bool missing_path) {
  if (missing_path)
    throw RunFailure("org.apache.flink.shaded.com.jayway.jsonpath.PathNotFoundException", found.problem);
  throw RunFailure(java::table_runtime, found.problem);
}

const Value& default_value(std::span<const Value> args, int index) {
  static const Value null;
  return index < 0 ? null : args[static_cast<size_t>(index)];
}

Value json_value(const KernelCall& call, std::span<const Value> args) {
  if (args[0].is_null() || args[1].is_null()) return Value();
  const Clauses& clauses = prepared<Clauses>(call);
  const JsonPath& path = JsonPath::compiled(args[1].as_text());
  Found found = look_up(args[0].as_text(), path);
  if (found.value && found.value->is_scalar()) return Value::text(scalar_text(*found.value));
  if (!found.failed && found.value && path.mode() == JsonPath::Mode::strict) {
    found.failed = true;
    found.problem =
        "Strict jsonpath mode requires scalar value, and the actual value is: ''" + to_string(*found.value) + "''";
  }
  if (found.failed) {
    if (clauses.on_error == Behaviour::error) fail(found, !found.value && path.is_valid());
    return clauses.on_error == Behaviour::value ? default_value(args, clauses.error_value) : Value();
  }
  if (clauses.on_empty == Behaviour::error) {
    throw RunFailure(java::table_runtime, "Empty result of JSON_VALUE function is not allowed");
  }
  return clauses.on_empty == Behaviour::value ? default_value(args, clauses.empty_value) : Value();
}

Value json_query(const KernelCall& call, std::span<const Value> args) {
  if (args[0].is_null() || args[1].is_null()) return Value();
  const Clauses& clauses = prepared<Clauses>(call);
  const JsonPath& path = JsonPath::compiled(args[1].as_text());
  Found found = look_up(args[0].as_text(), path);
  if (found.value) {
    bool wrap = clauses.wrapper == Wrapper::unconditional ||
                (clauses.wrapper == Wrapper::conditional && found.value->kind != Json::Kind::array);
    if (wrap) return Value::text("[" + to_string(*found.value) + "]");
    if (!found.value->is_scalar()) return Value::text(to_string(*found.value));
    if (path.mode() == JsonPath::Mode::strict) {
      found.failed = true;
      found.problem = "Strict jsonpath mode requires array or object value, and the actual value is: ''" +
                      scalar_text(*found.value) + "''";
    }
  }
  Behaviour behaviour = found.failed ? clauses.on_error : clauses.on_empty;
  if (behaviour == Behaviour::empty_array) return Value::text("[]");
  if (behaviour == Behaviour::empty_object) return Value::text("{}");
  if (behaviour == Behaviour::error) {
    if (found.failed) fail(found, !found.value && path.is_valid());
    throw RunFailure(java::table_runtime, "Empty result of JSON_QUERY function is not allowed");
  }
  return Value();
}

Value json_exists(const KernelCall& call, std::span<const Value> args) {
  if (args[0].is_null() || args[1].is_null()) return Value();
  const JsonPath& path = JsonPath::compiled(args[1].as_text());
  Found found = look_up(args[0].as_text(), path);
  if (!found.failed) return Value::boolean(found.value.has_value());
  switch (prepared<Clauses>(call).on_error) {
    case Behaviour::yes:
      return Value::boolean(true);
    case Behaviour::error:
      fail(found, path.is_valid());
    case Behaviour::unknown:
      return Value();
    default:
      return Value::boolean(false);
  }
}

template <BoxedFunction F>
void bind_look_up(Binding& b) {
  Clauses defaults;
  if (F == json_exists) defaults.on_error = Behaviour::no;
  b.prepared = take_clauses(b, defaults);
  b.type = F == json_exists ? DataType::boolean().with_nullable(b.arg(0).nullable || true) : DataType::string();
  b.kernel = lift_boxed<F>;
}

// ---- constructing ----

// Which arguments are JSON already: results of other constructors.
struct Construction {
  bool keep_nulls = false;
  std::vector<bool> raw;
};

bool makes_json(const Expr& expr) {
  if (expr.kind != Expr::Kind::call || expr.function == nullptr) return false;
  std::string_view name = expr.function->names[0];
  return name == "JSON_OBJECT" || name == "JSON_ARRAY" || name == "JSON";
}

std::string member_text(const KernelCall& call, size_t i, const Value& value) {
  if (!value.is_null() && prepared<Construction>(call).raw[i]) return value.as_text();
  return json_text(value, call.args[i].type());
}

Value json_object(const KernelCall& call, std::span<const Value> args) {
  std::vector<std::pair<std::string, std::string>> members;
  for (size_t i = 0; i + 1 < args.size(); i += 2) {
    if (args[i + 1].is_null() && !prepared<Construction>(call).keep_nulls) continue;
    if (args[i].is_null()) throw RunFailure(java::table, "Key for JSON_OBJECT cannot be null.");
    members.emplace_back(args[i].as_text(), member_text(call, i + 1, args[i + 1]));
  }
  return Value::text(json_object_text(std::move(members)));
}

Value json_array(const KernelCall& call, std::span<const Value> args) {
  std::string text = "[";
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].is_null() && !prepared<Construction>(call).keep_nulls) continue;
    if (text.size() > 1) text += ',';
    text += member_text(call, i, args[i]);
  }
  return Value::text(text + "]");
}

template <BoxedFunction F>
void bind_constructor(Binding& b) {
  auto construction = std::make_shared<Construction>();
  construction->keep_nulls = F == json_object;
  if (b.count() > 0 && !b.symbol(b.count() - 1).empty()) {
    construction->keep_nulls = b.symbol(b.count() - 1).starts_with("NULL");
    b.args.pop_back();
  }
  if (F == json_object && b.count() % 2 == 1) b.refuse_count("2");
  for (size_t i = 0; i < b.count(); ++i) {
    construction->raw.push_back(makes_json(*b.args[i]));
    if (b.arg(i).is(TypeRoot::date) || b.arg(i).is(TypeRoot::time)) {
      b.refuse_text(java::code_gen, "Type '" + to_string(b.arg(i).with_nullable(true)) +
                                        "' is not scalar or cannot be converted into JSON.");
    }
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::string());
    if (F == json_object && i % 2 == 0 && !b.arg(i).is_text()) b.refuse("'JSON_OBJECT(<CHARACTER>, <ANY>)'");
  }
  b.prepared = std::move(construction);
  b.type = DataType::string().not_null();
  b.kernel = lift_boxed<F>;
}

// ---- tests and texts ----

bool is_json(std::string_view text, std::string_view what) {
  std::optional<Json> json = parse_json(text);
  if (!json) return false;
  if (what == "OBJECT") return json->kind == Json::Kind::object;
  if (what == "ARRAY") return json->kind == Json::Kind::array;
  if (what == "SCALAR") return json->is_scalar();
  return true;
}

// x IS [NOT] JSON [VALUE | OBJECT | ARRAY | SCALAR]; NULL is not JSON.
void bind_is_json(Binding& b) {
  b.by_letters("s", "");
  b.type = DataType::boolean().not_null();
  b.kernel = [](const KernelCall& call) {
    std::string_view name = call.expr.function->names[0];
    bool negated = name.starts_with("IS NOT");
    std::string_view what = name.substr(name.rfind(' ') + 1);
    const Column& in = call.args[0];
    ColumnBuilder out(call.expr.type);
    out.resize(call.rows.size);
    std::vector<uint8_t>& values = out.values<uint8_t>();
    call.rows.each([&](size_t r) {
      bool yes = !in.is_null(r) && is_json(in.at<std::string_view>(r), what);
      values[r] = yes != negated ? 1 : 0;
    });
    return out.finish();
  };
}

void bind_json_string(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::string());
  b.type = DataType::string().with_nullable(b.any_nullable());
  b.kernel = [](const KernelCall& call) {
    return run_boxed(call, [](const KernelCall& c, std::span<const Value> v) {
      return v[0].is_null() ? Value() : Value::text(json_text(v[0], c.args[0].type()));
    });
  };
}

// JSON_QUOTE writes what is not ASCII as \uXXXX, by Java's code points at every UTF-16 unit: what takes two units comes
// out with five digits and then its second half.
std::string ascii_quoted(std::string_view text) {
  const std::u16string units = to_utf16(json_quoted(text));
  std::string out;
  for (size_t i = 0; i < units.size(); ++i) {
    uint32_t point = units[i];
    if (point < 0x80) {
      if (point == '/') out += '\\';
      out += static_cast<char>(point);
      continue;
    }
    const bool begins_pair = point >= 0xd800 && point < 0xdc00 && i + 1 < units.size();
    if (begins_pair) point = 0x10000 + ((point - 0xd800) << 10) + (units[i + 1] - 0xdc00u);
    out += fmt::format("\\u{:04x}", point);
  }
  return out;
}

std::string unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    std::optional<Json> json = parse_json(text);
    if (json && json->kind == Json::Kind::string) return json->text;
  }
  return std::string(text);
}

std::string canonical(std::string_view text) {
  std::optional<Json> json = parse_json(text);
  if (!json)
    throw RunFailure(java::table_runtime, fmt::format("Invalid JSON string in JSON(value) function: \"{}\".", text));
  return to_string(*json);
}

std::optional<int32_t> length_at(std::string_view text, std::string_view path) {
  std::optional<Json> json = parse_json(text);
  if (!json) return std::nullopt;
  const JsonPath& compiled = JsonPath::compiled(path);
  std::optional<Json> value = compiled.read(*json);
  if (value && !compiled.is_definite()) {
    if (value->items.size() != 1) return std::nullopt;
    value = Json(value->items[0]);
  }
  if (!value) return std::nullopt;
  if (value->kind == Json::Kind::object) return static_cast<int32_t>(value->members.size());
  return value->kind == Json::Kind::array ? static_cast<int32_t>(value->items.size()) : 1;
}

void bind_json_length(Binding& b) {
  b.by_letters("s[s", "i?");
  if (b.count() == 1) b.args.push_back(make_literal(Value::text("$"), DataType::character(1).not_null()));
  b.kernel = lift<[](std::string_view text, std::string_view path) { return length_at(text, path); }>;
}

}  // namespace

std::vector<Function> json_functions() {
  using S = std::string_view;
  auto custom = [](std::string_view name, std::string_view usage, void (*bind)(Binding&)) {
    return Function{{name}, "json", usage, "", "", nullptr, bind, true};
  };
  std::vector<Function> rows = {
      custom("JSON_VALUE", "JSON_VALUE(doc, path …)", bind_look_up<json_value>),
      custom("JSON_QUERY", "JSON_QUERY(doc, path …)", bind_look_up<json_query>),
      custom("JSON_EXISTS", "JSON_EXISTS(doc, path …)", bind_look_up<json_exists>),
      custom("JSON_OBJECT", "JSON_OBJECT(key VALUE value, …)", bind_constructor<json_object>),
      custom("JSON_ARRAY", "JSON_ARRAY(value, …)", bind_constructor<json_array>),
      custom("JSON_STRING", "JSON_STRING(value)", bind_json_string),
      custom("JSON_LENGTH", "JSON_LENGTH(doc[, path])", bind_json_length),
      Function{{"JSON"}, "json", "JSON(s)", "s", "s", lift<[](S s) { return canonical(s); }>},
      Function{{"JSON_QUOTE"}, "json", "JSON_QUOTE(s)", "s", "s", lift<[](S s) { return ascii_quoted(s); }>},
      Function{{"JSON_UNQUOTE"}, "json", "JSON_UNQUOTE(s)", "s", "s", lift<[](S s) { return unquote(s); }>},
  };
  for (std::string_view name :
       {"IS JSON", "IS JSON VALUE", "IS JSON OBJECT", "IS JSON ARRAY", "IS JSON SCALAR", "IS NOT JSON",
        "IS NOT JSON VALUE", "IS NOT JSON OBJECT", "IS NOT JSON ARRAY", "IS NOT JSON SCALAR"}) {
    rows.push_back(custom(name, name, bind_is_json));
  }
  return rows;
}

}  // namespace millrace::processing
