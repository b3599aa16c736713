#include "processing/formats/json_shape.h"

#include <algorithm>
#include <array>

#include "processing/formats/plain_json.h"

namespace millrace::processing {

namespace {

bool are_digits(uint64_t digits) { return (((digits + 0x7676767676767676) | digits) & top_bits) == 0; }

// Eight digits of which the last is the last character, as numbers.
uint64_t number_of(uint64_t digits) {
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
  return (digits * 10'000 + (digits >> 32)) & 0xffffffff;
}

// All of [at, stop), which lies behind `begin`, as a whole number.
[[gnu::always_inline]] inline bool whole_between(const char* begin, const char* at, const char* stop, int64_t& number) {
  auto length = static_cast<size_t>(stop - at);
  if (length - 1 >= 16) [[unlikely]] {
    if (length == 0 || length > 20) return false;
    const char* place = at;
    return whole_number(place, stop, number) && place == stop;
  }
  const bool negative = *at == '-';
  at += negative ? 1 : 0;
  length -= negative ? 1 : 0;
  uint64_t value = 0;
  if (length <= 8) [[likely]] {
    if (length == 0) return false;
    const auto gone = static_cast<int>(64 - 8 * length);
    uint64_t digits = stop - begin >= 8 ? load8(stop - 8) >> gone : load8_before(at, stop);
    digits = (digits ^ eight_zeros) << gone;
    if (!are_digits(digits)) return false;
    value = number_of(digits);
  } else {
    const uint64_t high = (load8(at) ^ eight_zeros) << (8 * (16 - length));
    const uint64_t low = load8(stop - 8) ^ eight_zeros;
    if (!are_digits(high) || !are_digits(low)) return false;
    value = number_of(high) * 100'000'000 + number_of(low);
  }
  if (*at == '0' && length > 1) return false;
  number = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return true;
}

bool is_plain_value(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) return false;
  if (*at == 't') return text == "true";
  if (*at == 'f') return text == "false";
  if (*at == 'n') return text == "null";
  return skip_number(at, end) && at == end;
}

}  // namespace

[[gnu::always_inline]] inline bool JsonShapes::is_before(const Step& step, const char* at, const char* end) {
  if (end - at < step.least) [[unlikely]]
    return std::string_view(at, end).starts_with(step.before);
  const uint64_t differ = ((load8(at) ^ step.first) & step.mask) | ((load8(at + step.back) ^ step.last) & step.mask);
  if (differ != 0) return false;
  return step.size <= 16 || std::memcmp(at + 8, step.before.data() + 8, step.size - 16) == 0;
}

bool JsonShapes::read(std::string_view record, const QuoteIndex& quotes, RowTargets& targets) {
  if (quotes.escapes()) return false;
  for (size_t tried = 0; tried < shapes_.size(); ++tried) {
    const Shape& shape = shapes_[current_];
    if (shape.quotes == quotes.count() && fits(shape, record, quotes.places(), targets)) [[likely]]
      return true;
    if (++current_ == shapes_.size()) current_ = 0;
  }
  return false;
}

// Step by step from the end of a value to the end of the next. What stands before a value brings three quotes or two;
// where it is right, the quotes that follow are those of the next ones, too.
bool JsonShapes::fits(const Shape& shape, std::string_view record, const uint32_t* places, RowTargets& targets) {
  if (record.back() != shape.tail.back() || (shape.tail.size() > 1 && !record.ends_with(shape.tail))) return false;
  const char* const begin = record.data();
  const char* const end = begin + record.size();
  const char* const end_of_values = end - shape.tail.size();
  nulls_.clear();
  const char* at = begin;
  for (const Step& step : shape.steps) {
    if (!is_before(step, at, end)) return false;
    const char* const from = at + step.size;
    switch (step.way) {
      case Way::skip_text:
        at = begin + places[step.close] + 1;
        continue;
      case Way::text: {
        const char* const to = begin + places[step.close];
        if (auto* slot = targets.slot<std::string_view>(step.field)) *slot = {from, to};
        at = to + 1;
        continue;
      }
      case Way::timestamp: {
        const char* const to = begin + places[step.close];
        TimestampReader& reader = fields_[step.field].timestamp;
        TimestampValue value;
        if (!reader.read_near({from, to}, value.millis)) [[unlikely]] {
          const std::optional<TimestampValue> read = reader.read({from, to});
          if (!read) return false;
          value = *read;
          if (fields_[step.field].millis_only) value.nanos = 0;
        }
        if (auto* slot = targets.slot<TimestampValue>(step.field)) *slot = value;
        at = to + 1;
        continue;
      }
      case Way::whole64: {
        at = end_of_plain(step, begin, end_of_values, places);
        int64_t number = 0;
        if (!whole_between(begin, from, at, number)) break;
        if (auto* slot = targets.slot<int64_t>(step.field)) *slot = number;
        continue;
      }
      default:
        at = step.is_text ? begin + places[step.close] + 1 : end_of_plain(step, begin, end_of_values, places);
        break;
    }
    if (at < from || !read_other(step, {from, at}, targets)) return false;
  }
  if (at != end_of_values) return false;
  for (const uint32_t field : shape.missing)
    if (targets.wanted(field)) targets.set_null(field);
  for (const uint32_t field : nulls_)
    if (targets.wanted(field)) targets.set_null(field);
  targets.end_row();
  return true;
}

// Of a number or word: where what stands before the next name begins. That may be anywhere in a record that does not
// fit.
[[gnu::always_inline]] inline const char* JsonShapes::end_of_plain(const Step& step, const char* begin,
                                                                   const char* end_of_values, const uint32_t* places) {
  return step.is_last ? end_of_values : begin + places[step.next] - step.next_lead;
}

// What is less frequent; `text` is all there is for the value, with the closing quote of a text.
[[gnu::noinline]] bool JsonShapes::read_other(const Step& step, std::string_view text, RowTargets& targets) {
  if (step.way == Way::skip_plain) return is_plain_value(text);
  if (step.way == Way::date) {
    const std::optional<int64_t> days = parse_iso_date(text.substr(0, text.size() - 1));
    if (!days) return false;
    if (auto* slot = targets.slot<int32_t>(step.field)) *slot = static_cast<int32_t>(*days);
    return true;
  }
  if (text == "null") {
    nulls_.push_back(step.field);
    return true;
  }
  if (step.way == Way::boolean) {
    if (text != "true" && text != "false") return false;
    if (auto* slot = targets.slot<uint8_t>(step.field)) *slot = text == "true" ? 1 : 0;
    return true;
  }
  const char* at = text.data();
  if (step.way == Way::whole32) {
    int64_t number = 0;
    if (text.empty() || !whole_number(at, text.data() + text.size(), number) || at != text.data() + text.size())
      return false;
    const JsonField& known = fields_[step.field];
    if (number < known.least || number > known.most) return false;
    if (auto* slot = targets.slot<int32_t>(step.field)) *slot = static_cast<int32_t>(number);
    return true;
  }
  if (step.way != Way::fraction) return false;
  if (text.empty() || !skip_number(at, text.data() + text.size()) || at != text.data() + text.size()) return false;
  const JsonFit fit = read_fraction(text, fields_[step.field], step.field, targets);
  if (fit == JsonFit::null) nulls_.push_back(step.field);
  return fit != JsonFit::unfit;
}

void JsonShapes::learn(std::string_view record, const QuoteIndex& quotes) {
  if (quotes.escapes()) return;
  if (waits_ < patience_) {
    ++waits_;
    return;
  }
  waits_ = 0;
  patience_ = std::min<uint32_t>(2 * patience_ + 1, 1023);
  Shape shape;
  shape.quotes = quotes.count();
  if (!find_shape(record, shape)) return;
  if (shapes_.size() < most_shapes) {
    patience_ = 0;
    current_ = shapes_.size();
    shapes_.push_back(std::move(shape));
  } else {
    current_ = replaced_;
    replaced_ = (replaced_ + 1) % most_shapes;
    shapes_[current_] = std::move(shape);
  }
}

// The record is a row: it has names and values where they should be.
bool JsonShapes::find_shape(std::string_view record, Shape& shape) const {
  const char* at = record.data();
  const char* const end = at + record.size();
  const char* from = at;  // behind the last value
  std::vector<bool> had(fields_.size(), false);
  uint32_t quote = 0;
  size_t seen = 0;
  for (char between = '{'; at < end && *at == between; between = ',') {
    ++at;
    skip_space(at, end);
    if (at == end || *at != '"') return false;
    if (!shape.steps.empty()) {
      shape.steps.back().next = quote;
      shape.steps.back().next_lead = static_cast<uint32_t>(at - from);
    }
    const char* const name_end = std::find(at + 1, end, '"');
    const std::string_view name(at + 1, name_end);
    at = name_end;
    if (at == end) return false;
    ++at;
    skip_space(at, end);
    if (at == end || *at != ':') return false;
    ++at;
    skip_space(at, end);
    if (at == end) return false;
    const bool is_text = *at == '"';
    if (is_text) ++at;
    const char* const value = at;
    at = std::find_if(at, end, [&](char c) { return is_text ? c == '"' : c == ',' || c == '}' || is_json_space(c); });
    if (at == end) return false;

    Step step;
    step.close = quote + 3;
    step.is_text = is_text;
    step.before.assign(from, value);
    const auto known = std::ranges::find(fields_, name, &JsonField::name);
    const bool reads = known != fields_.end() && seen < fields_.size();
    if (reads) {
      ++seen;
      step.field = static_cast<uint32_t>(known - fields_.begin());
      if (had[step.field]) return false;
      had[step.field] = true;
      if (!find_way(step, is_text, {value, at})) return false;
    } else {
      step.way = is_text ? Way::skip_text : Way::skip_plain;
      if (!is_text && !is_plain_value({value, at})) return false;
    }
    step.size = static_cast<uint32_t>(step.before.size());
    std::array<char, 8> few{};
    if (step.size < 8) {
      std::ranges::copy(step.before, few.begin());
      step.first = step.last = load8(few.data());
      step.mask >>= 64 - 8 * step.size;
    } else {
      step.first = load8(step.before.data());
      step.back = step.size - 8;
      step.last = load8(step.before.data() + step.back);
      step.least = step.size;
    }
    shape.steps.push_back(std::move(step));
    if (shape.steps.size() > most_steps) return false;
    quote += is_text ? 4 : 2;
    if (is_text) ++at;
    from = at;
    skip_space(at, end);
  }
  if (shape.steps.empty() || at + 1 != end || *at != '}' || quote != shape.quotes) return false;
  shape.steps.back().is_last = true;
  shape.tail.assign(from, end);
  for (size_t i = 0; i < fields_.size(); ++i)
    if (!had[i]) shape.missing.push_back(static_cast<uint32_t>(i));
  return true;
}

// How values of a field are read when they stand there as this one does.
bool JsonShapes::find_way(Step& step, bool is_text, std::string_view value) const {
  const auto take = [&](Way way) {
    step.way = way;
    return true;
  };
  using Kind = JsonField::Kind;
  const Kind kind = fields_[step.field].kind;
  if (is_text) {
    if (kind == Kind::text) return take(Way::text);
    if (kind == Kind::timestamp) return take(Way::timestamp);
    if (kind == Kind::date) return take(Way::date);
    return false;
  }
  if (!is_plain_value(value)) return false;
  const bool is_word = value == "true" || value == "false";
  if (kind == Kind::boolean && (is_word || value == "null")) return take(Way::boolean);
  if (kind == Kind::whole && !is_word)
    return take(fields_[step.field].physical == Physical::int64 ? Way::whole64 : Way::whole32);
  if (kind == Kind::fraction && !is_word) return take(Way::fraction);
  return value == "null" && take(Way::null);
}

}  // namespace millrace::processing
