// One text out of several: joined, or picked.
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

Column concatenate(const KernelCall& call) {
  if (call.args.size() == 2) {
    return lift<[](std::string_view a, std::string_view b) { return std::string(a).append(b); }>(call);
  }
  return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
    std::string out;
    for (const Value& part : v) {
      if (part.is_null()) return Value();
      out += part.as_text();
    }
    return Value::text(std::move(out));
  });
}

void refuse_nulls(const Binding& b) {
  for (const ExprPtr& arg : b.args) {
    if (arg->type.root == TypeRoot::null) throw PlanFailure(java::validator, "Illegal use of 'NULL'", arg->position);
  }
}

// a || b: of two CHAR a CHAR, of others a VARCHAR, as long as both together.
void bind_concatenate(Binding& b) {
  refuse_nulls(b);
  for (const ExprPtr& arg : b.args) {
    if (!arg->type.is_text() && !arg->type.is_bytes()) b.refuse("'<STRING> || <STRING>'");
  }
  b.by_letters("xx", "");
  const DataType &x = b.arg(0), &y = b.arg(1);
  int64_t sum = int64_t{x.precision} + y.precision;
  int32_t length = sum > max_length ? max_length : static_cast<int32_t>(sum);
  if (x.is_bytes()) {
    b.type = DataType::varbinary(length);
  } else if (x.root == TypeRoot::character && y.root == TypeRoot::character) {
    b.type = DataType::character(length);
  } else {
    b.type = DataType::varchar(length);
  }
  b.type.nullable = b.any_nullable();
}

// Any number of texts.
void need_texts(const Binding& b) {
  refuse_nulls(b);
  for (const ExprPtr& arg : b.args) {
    if (!arg->type.is_text()) b.refuse("'" + std::string(b.function->names[0]) + "(<CHARACTER>)'");
  }
}

void bind_concat(Binding& b) {
  need_texts(b);
  b.by_letters("s*", "s");
}

Column concatenate_with(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
    if (v[0].is_null()) return Value();
    std::string out;
    bool first = true;
    for (const Value& part : v.subspan(1)) {
      if (part.is_null()) continue;
      if (!first) out += v[0].as_text();
      out += part.as_text();
      first = false;
    }
    return Value::text(std::move(out));
  });
}

void bind_concat_ws(Binding& b) {
  need_texts(b);
  if (b.count() == 0) b.refuse_count("1");
  b.type = DataType::string().with_nullable(b.arg(0).nullable);
}

void bind_elt(Binding& b) {
  b.by_letters("lxx*", "");
  b.type = DataType::string();
  b.kernel = [](const KernelCall& call) {
    return run_boxed(call, [](const KernelCall&, std::span<const Value> v) {
      if (v[0].is_null() || v[0].as_int() < 1 || v[0].as_int() >= static_cast<int64_t>(v.size())) return Value();
      return v[static_cast<size_t>(v[0].as_int())];
    });
  };
}

}  // namespace

std::vector<Function> string_join_functions() {
  return {
      {{"||"}, "string", "a || b", "", "", concatenate, bind_concatenate},
      {{"CONCAT"}, "string", "CONCAT(a, b, …)", "", "", concatenate, bind_concat},
      {{"CONCAT_WS"}, "string", "CONCAT_WS(separator, a, b, …)", "", "", concatenate_with, bind_concat_ws},
      {{"ELT"}, "string", "ELT(n, a, b, …)", "", "", nullptr, bind_elt},
  };
}

}  // namespace millrace::processing
