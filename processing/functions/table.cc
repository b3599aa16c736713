#include "processing/functions/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "processing/functions/aggregate.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

std::string upper_case(std::string_view name) {
  std::string result(name);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

struct Table {
  std::vector<Function> rows;
  std::unordered_map<std::string, const Function*> by_name;
  std::vector<const Function*> all;

  Table() {
    for (auto family : {arithmetic_functions,    comparison_functions,  cast_functions,        numeric_functions,
                        conditional_functions,   string_functions,      string_trim_functions, string_edit_functions,
                        string_search_functions, string_join_functions, printf_functions,      regexp_functions,
                        hash_functions,          url_functions,         time_part_functions,   time_functions,
                        clock_functions,         time_text_functions,   json_functions,        collection_functions}) {
      std::vector<Function> functions = family();
      std::move(functions.begin(), functions.end(), std::back_inserter(rows));
    }
    for (const Function& function : rows) {
      all.push_back(&function);
      for (std::string_view name : function.names) by_name.emplace(upper_case(name), &function);
    }
  }
};

const Table& table() {
  static const Table instance;
  return instance;
}

bool is_word(std::string_view name) {
  return !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) != 0 &&
         name.find(' ') == std::string_view::npos;
}

bool fits_letter(const DataType& type, char letter) {
  if (type.root == TypeRoot::null) return true;
  switch (letter) {
    case 's':
      return type.is_text();
    case 'b':
      return type.is_bytes();
    case 'x':
      return type.is_text() || type.is_bytes();
    case 'i':
      return type.is_integral() && type.root != TypeRoot::bigint;
    case 'l':
      return type.is_integral();
    case 'd':
    case 'n':
      return type.is_numeric();
    case 'B':
      return type.root == TypeRoot::boolean;
    case 'D':
      return type.root == TypeRoot::date;
    case 't':
      return type.is_timestamp();
    default:
      return true;
  }
}

std::optional<DataType> letter_type(char letter) {
  switch (letter) {
    case 's':
    case 'x':
      return DataType::string();
    case 'b':
      return DataType::bytes();
    case 'i':
      return DataType::integer();
    case 'l':
      return DataType::bigint();
    case 'd':
      return DataType::double_();
    case 'B':
      return DataType::boolean();
    case 'D':
      return DataType::date();
    case 't':
      return DataType::timestamp(3);
    default:
      return std::nullopt;
  }
}

std::string_view letter_family(char letter) {
  switch (letter) {
    case 's':
      return "<CHARACTER>";
    case 'b':
      return "<BINARY>";
    case 'x':
      return "<STRING>";
    case 'i':
    case 'l':
      return "<INTEGER>";
    case 'd':
    case 'n':
      return "<NUMERIC>";
    case 'B':
      return "<BOOLEAN>";
    case 'D':
      return "<DATE>";
    case 't':
      return "<TIMESTAMP>";
    default:
      return "<ANY>";
  }
}

}  // namespace

const Function* find_function(std::string_view name) {
  auto found = table().by_name.find(upper_case(name));
  return found == table().by_name.end() ? nullptr : found->second;
}

const std::vector<const Function*>& all_functions() { return table().all; }

std::vector<std::string> function_names() {
  std::vector<std::string> names = aggregate_names();
  for (const Function& function : table().rows) {
    for (std::string_view name : function.names) {
      if (!is_word(name)) continue;
      std::string lower(name);
      for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      names.push_back(std::move(lower));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool is_aggregate_function(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::vector<std::string> names = aggregate_names();
  return std::find(names.begin(), names.end(), lower) != names.end();
}

void refuse_unknown_function(std::string_view name, std::span<const DataType> args, SourcePosition where) {
  std::string types;
  for (const DataType& type : args) types += (types.empty() ? "" : ", ") + family_text(type);
  throw PlanFailure(java::validator, fmt::format("No match found for function signature {}({})", name, types), where);
}

// ---- binding ----

bool Binding::any_nullable() const {
  return std::any_of(args.begin(), args.end(), [](const ExprPtr& arg) { return arg->type.nullable; });
}

bool Binding::is_literal(size_t i) const {
  return i < args.size() && args[i]->kind == Expr::Kind::literal && !args[i]->literal.is_null();
}

const Value& Binding::literal(size_t i) const { return args[i]->literal; }

std::string_view Binding::symbol(size_t i) const {
  if (i >= args.size() || args[i]->type.root != TypeRoot::symbol) return "";
  return args[i]->literal.as_text();
}

void Binding::cast(size_t i, const DataType& to) {
  if (args[i]->type.root == TypeRoot::null) {
    args[i] = make_literal(Value(), to.with_nullable(true), args[i]->position);
    return;
  }
  args[i] = coerce(args[i], to);
}

void Binding::by_letters() { by_letters(function->args, function->result); }

void Binding::by_letters(std::string_view letters, std::string_view result_letter) {
  std::string wanted;
  size_t needed = 0;
  bool optional = false, repeats = false;
  for (char c : letters) {
    if (c == '[') {
      optional = true;
    } else if (c == '*') {
      repeats = true;
    } else {
      wanted.push_back(c);
      if (!optional) ++needed;
    }
  }
  if (repeats && args.size() > wanted.size()) wanted.append(args.size() - wanted.size(), wanted.back());
  if (args.size() < needed || args.size() > wanted.size()) {
    refuse_count(needed == wanted.size() ? fmt::format("{}", needed) : fmt::format("{} to {}", needed, wanted.size()));
  }
  std::string supported;
  for (size_t i = 0; i < args.size(); ++i) {
    if (fits_letter(arg(i), wanted[i])) continue;
    for (size_t k = 0; k < args.size(); ++k) {
      supported += fmt::format("{}{}", k > 0 ? ", " : "", letter_family(wanted[k]));
    }
    refuse(fmt::format("'{}({})'", name, supported));
  }
  for (size_t i = 0; i < args.size(); ++i) {
    std::optional<DataType> wanted_type = letter_type(wanted[i]);
    if (arg(i).root == TypeRoot::null) {
      cast(i, wanted_type.value_or(DataType::string()));
    } else if (wanted[i] == 'l' || wanted[i] == 'd') {
      cast(i, *wanted_type);
    }
  }
  if (result_letter.empty()) return;
  DataType result_type = result_letter[0] == '=' ? arg(0) : letter_type(result_letter[0]).value_or(DataType::string());
  bool always = result_letter.ends_with('?');
  type = result_type.with_nullable(always || any_nullable()).with_attribute(TimeAttribute::none);
}

void Binding::refuse(std::string_view supported) const {
  std::string signature;
  std::string shown = upper_case(name);
  if (shown == "BETWEEN") shown = "BETWEEN ASYMMETRIC";
  if (shown == "NOT BETWEEN") shown = "NOT BETWEEN ASYMMETRIC";
  auto shown_type = [&](size_t i) { return "<" + planner_text(arg(i)) + ">"; };
  if ((is_word(shown) || shown == "NOT LIKE") && shown != "IN" && shown != "NOT" && shown != "AND" && shown != "OR" &&
      !shown.starts_with("IS ") && !shown.starts_with("BETWEEN")) {
    signature = shown + "(";
    for (size_t i = 0; i < args.size(); ++i) signature += (i > 0 ? ", " : "") + shown_type(i);
    signature += ")";
  } else if (args.size() == 1) {
    signature = shown.starts_with("IS ") ? shown_type(0) + " " + shown : shown + shown_type(0);
  } else if (args.size() == 3 && shown.find("BETWEEN") != std::string::npos) {
    signature = fmt::format("{} {} {} AND {}", shown_type(0), shown, shown_type(1), shown_type(2));
  } else {
    signature = fmt::format("{} {} {}", shown_type(0), shown, shown_type(1));
  }
  throw PlanFailure(
      java::validator,
      fmt::format("Cannot apply '{}' to arguments of type '{}'. Supported form(s): {}", shown, signature, supported),
      where);
}

void Binding::refuse_count(std::string_view expected) const {
  throw PlanFailure(java::validator,
                    fmt::format("Invalid number of arguments to function '{}'. Was expecting {} arguments",
                                upper_case(name), expected),
                    where);
}

void Binding::refuse_text(const char* java_class, const std::string& message) const {
  throw PlanFailure(java_class, message, where);
}

}  // namespace millrace::processing
