#include "processing/connectors/datagen.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "processing/connectors/table_options.h"

namespace millrace::processing {

namespace {

constexpr int64_t most_rows = 4096;

int64_t whole(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double fraction(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void default_bounds(TypeRoot root, int64_t& least, int64_t& most) {
  switch (root) {
    case TypeRoot::tinyint:
      least = -128, most = 127;
      break;
    case TypeRoot::smallint:
      least = -32768, most = 32767;
      break;
    case TypeRoot::bigint:
      least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
      break;
    default:
      least = std::numeric_limits<int32_t>::min(), most = std::numeric_limits<int32_t>::max();
      break;
  }
}

}  // namespace

Datagen::Datagen(JobContext& job, const plan::Scan& scan) : eval_(job.evaluation()), scan_(scan), state_(eval_.random) {
  const auto option = [&](const std::string& key) -> const std::string* {
    const auto at = scan_.options.find(key);
    return at == scan_.options.end() ? nullptr : &at->second;
  };
  if (const std::string* rate = option("rows-per-second")) rate_ = whole(*rate);
  if (const std::string* rows = option("number-of-rows")) last_ = whole(*rows);
  for (const Field& field : scan_.physical) {
    Column_ column;
    const std::string prefix = "fields." + field.name + ".";
    if (const std::string* kind = option(prefix + "kind")) column.sequence = *kind == "sequence";
    default_bounds(field.type.root, column.start, column.end);
    column.least = 0;
    column.most = field.type.is(TypeRoot::decimal) || field.type.is_approximate() ? 1e9 : 0;
    if (field.type.is(TypeRoot::float_)) column.most = 3.4028235e38;
    if (field.type.is(TypeRoot::double_)) column.most = 1.7976931348623157e308;
    if (const std::string* v = option(prefix + (column.sequence ? "start" : "min"))) {
      column.start = whole(*v);
      column.least = fraction(*v);
    }
    if (const std::string* v = option(prefix + (column.sequence ? "end" : "max"))) {
      column.end = whole(*v);
      column.most = fraction(*v);
    }
    if (const std::string* v = option(prefix + "length")) column.length = static_cast<int32_t>(whole(*v));
    if (const std::string* v = option(prefix + "max-past")) column.max_past = parse_duration(*v).value_or(0);
    if (const std::string* v = option(prefix + "null-rate")) column.null_rate = fraction(*v);
    if (column.sequence) {
      const int64_t count = column.end - column.start + 1;
      last_ = std::min(last_.value_or(count), count);
    }
    columns_.push_back(column);
  }
}

void Datagen::set_chain(const std::vector<const plan::Node*>& chain) {
  for (const plan::Node* node : chain) chain_.push_back(make_transform(*node));
}

uint64_t Datagen::random() {
  state_ += 0x9e3779b97f4a7c15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

Value Datagen::make(const Column_& column, const DataType& type, int64_t now) {
  const double unit = static_cast<double>(random() >> 11) * 0x1.0p-53;
  if (column.null_rate > 0 && unit < column.null_rate) return {};
  if (column.sequence) {
    const int64_t value = column.start + position_;
    if (type.is_text()) return Value::text(std::to_string(value));
    if (type.is(TypeRoot::double_)) return Value::double_(static_cast<double>(value));
    if (type.is(TypeRoot::float_)) return Value::float_(static_cast<float>(value));
    if (type.is(TypeRoot::decimal)) return Value::decimal(static_cast<Int128>(value) * power_of_ten(type.scale));
    return Value::integer(value);
  }
  switch (type.root) {
    case TypeRoot::boolean:
      return Value::boolean((random() & 1) != 0);
    case TypeRoot::float_:
      return Value::float_(static_cast<float>(column.least + unit * (column.most - column.least)));
    case TypeRoot::double_:
      return Value::double_(column.least + unit * (column.most - column.least));
    case TypeRoot::decimal: {
      const std::optional<Int128> value =
          decimal_from_double(column.least + unit * (column.most - column.least), type.precision, type.scale);
      return value ? Value::decimal(*value) : Value();
    }
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz:
      return Value::timestamp(
          now - (column.max_past > 0 ? static_cast<int64_t>(random() % static_cast<uint64_t>(column.max_past)) : 0));
    case TypeRoot::date:
      return Value::integer(now / 86'400'000);
    case TypeRoot::time:
      return Value::integer(now % 86'400'000);
    case TypeRoot::character:
    case TypeRoot::varchar:
    case TypeRoot::binary:
    case TypeRoot::varbinary: {
      const int32_t length = type.precision == max_length ? column.length : std::min(column.length, type.precision);
      std::string text;
      for (int32_t i = 0; i < length; ++i) text.push_back("0123456789abcdef"[random() & 15]);
      return Value::text(std::move(text));
    }
    default:
      break;
  }
  if (!type.is_integral()) return {};
  const auto span = static_cast<uint64_t>(column.end) - static_cast<uint64_t>(column.start) + 1;
  const uint64_t step = span == 0 ? random() : random() % span;
  return Value::integer(static_cast<int64_t>(static_cast<uint64_t>(column.start) + step));
}

Batch Datagen::next(int64_t now) {
  if (first_ < 0) {
    first_ = now - 1000 / std::max<int64_t>(1, std::min<int64_t>(rate_, 1000));
    before_first_ = position_;
  }
  int64_t due = before_first_ + (now - first_) * rate_ / 1000 - position_;
  if (last_) due = std::min(due, *last_ - position_);
  due = std::clamp<int64_t>(due, 0, most_rows);
  Batch source;
  if (due == 0) return source;
  eval_.now = {now, 0};
  std::vector<DataType> types;
  for (const Field& field : scan_.physical) types.push_back(field.type.with_nullable(true));
  BatchBuilder rows(types);
  for (; due > 0; --due) {
    Row row;
    for (size_t i = 0; i < columns_.size(); ++i) row.push_back(make(columns_[i], types[i], now));
    rows.append(row);
    ++position_;
  }
  source = rows.finish();
  if (scan_.watermark) {
    const Column marks = evaluate(*scan_.watermark->watermark, source, eval_);
    for (size_t row = 0; row < source.rows; ++row)
      if (!marks.is_null(row)) watermark_ = std::max(watermark_, marks.at<TimestampValue>(row).millis);
  }
  Batch out;
  out.rows = source.rows;
  for (const ExprPtr& expr : scan_.outputs) out.columns.push_back(evaluate(*expr, source, eval_));
  for (const auto& transform : chain_) {
    if (out.selected() == 0) break;
    out = transform->apply(std::move(out), eval_);
  }
  return out;
}

}  // namespace millrace::processing
