#include "processing/value.h"

#include <double-conversion/double-conversion.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "processing/calendar.h"
#include "processing/time_zone.h"

namespace millrace::processing {

Value Value::nested(std::vector<Value> items) {
  auto shared = std::make_shared<Nested>();
  shared->items = std::move(items);
  return Value(std::shared_ptr<const Nested>(std::move(shared)));
}

const std::vector<Value>& Value::items() const { return std::get<std::shared_ptr<const Nested>>(data_)->items; }

namespace {

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// As Java's Double.compare: −0.0 before 0.0, NaN after everything.
template <class F>
int order_floating(F a, F b) {
  if (a < b) return -1;
  if (a > b) return 1;
  auto rank = [](F v) { return std::isnan(v) ? 2 : std::signbit(v) ? 0 : 1; };
  return order(rank(a), rank(b));
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace

int compare(const Value& a, const Value& b) {
  if (a.data_.index() != b.data_.index()) return order(a.data_.index(), b.data_.index());
  return std::visit(Overloaded{
                        [](std::monostate) { return 0; },
                        [&](float v) { return order_floating(v, std::get<float>(b.data_)); },
                        [&](double v) { return order_floating(v, std::get<double>(b.data_)); },
                        [&](const std::string& v) { return order(v.compare(std::get<std::string>(b.data_)), 0); },
                        [&](const std::shared_ptr<const Value::Nested>& v) {
                          const std::vector<Value>& x = v->items;
                          const std::vector<Value>& y = b.items();
                          for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
                            if (int c = compare(x[i], y[i]); c != 0) return c;
                          }
                          return order(x.size(), y.size());
                        },
                        [&](const auto& v) { return order(v, std::get<std::decay_t<decltype(v)>>(b.data_)); },
                    },
                    a.data_);
}

bool operator==(const Value& a, const Value& b) { return compare(a, b) == 0; }

size_t mix_hash(size_t seed, size_t hash) {
  uint64_t h = seed ^ (hash + 0x9e3779b97f4a7c15ull + (seed << 6) + (seed >> 2));
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ull;
  return h ^ (h >> 32);
}

size_t hash_text(std::string_view text) {
  uint64_t h = 0x9e3779b97f4a7c15ull ^ text.size();
  const char* at = text.data();
  size_t left = text.size();
  while (left >= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    h = (h ^ word) * 0x9fb21c651e98df25ull;
    h ^= h >> 35;
    at += 8;
    left -= 8;
  }
  uint64_t word = 0;
  if (left > 0) std::memcpy(&word, at, left);
  h = (h ^ word) * 0x9fb21c651e98df25ull;
  return h ^ (h >> 29);
}

size_t Value::hash() const {
  return std::visit(
      Overloaded{
          [](std::monostate) -> size_t { return 0x51ed270b; },
          [](bool v) { return mix_hash(1, v ? 1 : 0); },
          [](int64_t v) { return mix_hash(2, static_cast<size_t>(v)); },
          [](float v) { return mix_hash(3, std::isnan(v) ? 0x7fc00000u : std::bit_cast<uint32_t>(v)); },
          [](double v) { return mix_hash(4, std::isnan(v) ? 0x7ff8000000000000ull : std::bit_cast<uint64_t>(v)); },
          [](Int128 v) { return mix_hash(mix_hash(5, static_cast<size_t>(v)), static_cast<size_t>(v >> 64)); },
          [](const std::string& v) { return hash_text(v); },
          [](TimestampValue v) {
            return mix_hash(mix_hash(6, static_cast<size_t>(v.millis)), static_cast<size_t>(v.nanos));
          },
          [](const std::shared_ptr<const Nested>& v) {
            size_t h = 7;
            for (const Value& item : v->items) h = mix_hash(h, item.hash());
            return h;
          },
      },
      data_);
}

size_t ValueHash::operator()(const Row& row) const {
  size_t h = 8;
  for (const Value& v : row) h = mix_hash(h, v.hash());
  return h;
}

// ---- binary form: a tag byte (the index of the alternative), then the value little-endian ----

namespace {

template <class T>
void append_plain(std::string& out, const T& v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

template <class T>
T read_plain(std::string_view& in) {
  if (in.size() < sizeof(T)) throw std::runtime_error("a stored value is cut short");
  T v;
  std::memcpy(&v, in.data(), sizeof v);
  in.remove_prefix(sizeof v);
  return v;
}

}  // namespace

void append_value(std::string& out, const Value& value) {
  out.push_back(static_cast<char>(value.data_.index()));
  std::visit(Overloaded{
                 [](std::monostate) {},
                 [&](const std::string& v) {
                   append_plain(out, static_cast<uint32_t>(v.size()));
                   out.append(v);
                 },
                 [&](TimestampValue v) {
                   append_plain(out, v.millis);
                   append_plain(out, v.nanos);
                 },
                 [&](const std::shared_ptr<const Value::Nested>& v) { append_row(out, v->items); },
                 [&](const auto& v) { append_plain(out, v); },
             },
             value.data_);
}

void append_row(std::string& out, const Row& row) {
  append_plain(out, static_cast<uint32_t>(row.size()));
  for (const Value& v : row) append_value(out, v);
}

Value read_value(std::string_view& in) {
  switch (read_plain<uint8_t>(in)) {
    case 0:
      return Value();
    case 1:
      return Value::boolean(read_plain<uint8_t>(in) != 0);
    case 2:
      return Value::integer(read_plain<int64_t>(in));
    case 3:
      return Value::float_(read_plain<float>(in));
    case 4:
      return Value::double_(read_plain<double>(in));
    case 5:
      return Value::decimal(read_plain<Int128>(in));
    case 6: {
      uint32_t size = read_plain<uint32_t>(in);
      if (in.size() < size) throw std::runtime_error("a stored value is cut short");
      Value v = Value::text(in.substr(0, size));
      in.remove_prefix(size);
      return v;
    }
    case 7: {
      int64_t millis = read_plain<int64_t>(in);
      int32_t nanos = read_plain<int32_t>(in);
      return Value::timestamp(TimestampValue{millis, nanos});
    }
    case 8:
      return Value::nested(read_row(in));
    default:
      throw std::runtime_error("a stored value has an unknown kind");
  }
}

Row read_row(std::string_view& in) {
  uint32_t count = read_plain<uint32_t>(in);
  if (count > in.size()) throw std::runtime_error("a stored row is cut short");
  Row row;
  row.reserve(count);
  for (uint32_t i = 0; i < count; ++i) row.push_back(read_value(in));
  return row;
}

// ---- text ----

namespace {

template <class F>
std::string floating_text(F value) {
  using double_conversion::DoubleToStringConverter;
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char digits[DoubleToStringConverter::kBase10MaximalLength + 2];
  bool negative = false;
  int length = 0, point = 0;
  auto mode = sizeof(F) == 4 ? DoubleToStringConverter::SHORTEST_SINGLE : DoubleToStringConverter::SHORTEST;
  DoubleToStringConverter::DoubleToAscii(static_cast<double>(value), mode, 0, digits, sizeof digits, &negative, &length,
                                         &point);
  std::string text = negative ? "-" : "";
  F size = std::fabs(value);
  size_t n = static_cast<size_t>(length);
  if (value == 0) return text + "0.0";
  if (size >= F(1e-3) && size < F(1e7)) {
    if (point <= 0) {
      text += "0.";
      text.append(static_cast<size_t>(-point), '0');
      text.append(digits, n);
    } else if (point >= length) {
      text.append(digits, n);
      text.append(static_cast<size_t>(point - length), '0');
      text += ".0";
    } else {
      text.append(digits, static_cast<size_t>(point));
      text += '.';
      text.append(digits + point, n - static_cast<size_t>(point));
    }
    return text;
  }
  text += digits[0];
  text += '.';
  if (n > 1) {
    text.append(digits + 1, n - 1);
  } else {
    text += '0';
  }
  return text + fmt::format("E{}", point - 1);
}

void append_fraction(std::string& text, int64_t nanos_of_second, int precision) {
  if (precision <= 0) return;
  std::string digits = fmt::format("{:09}", nanos_of_second);
  text += '.';
  text.append(digits, 0, static_cast<size_t>(std::min(precision, 9)));
}

std::string text_of(const Value& value, const DataType& type, const TimeZone& zone, bool printing) {
  switch (type.root) {
    case TypeRoot::null:
      return "NULL";
    case TypeRoot::boolean:
      return value.as_bool() ? "TRUE" : "FALSE";
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::bigint:
      return fmt::format("{}", value.as_int());
    case TypeRoot::float_:
      return float_text(value.as_float());
    case TypeRoot::double_:
      return double_text(value.as_double());
    case TypeRoot::decimal:
      return decimal_text(value.as_decimal(), type.scale);
    case TypeRoot::character:
    case TypeRoot::varchar:
    case TypeRoot::symbol:
      return value.as_text();
    case TypeRoot::binary:
    case TypeRoot::varbinary: {
      if (!printing) return value.as_text();
      std::string text = "x'";
      for (char c : value.as_text()) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
      return text + "'";
    }
    case TypeRoot::date:
      return date_text(value.as_int());
    case TypeRoot::time:
      return time_text(value.as_int(), type.precision);
    case TypeRoot::timestamp:
      return timestamp_text(value.as_timestamp(), type.precision);
    case TypeRoot::timestamp_ltz: {
      TimestampValue t = value.as_timestamp();
      return timestamp_text({zone.to_local(t.millis), t.nanos}, type.precision);
    }
    case TypeRoot::interval_months:
      return months_text(value.as_int());
    case TypeRoot::interval_millis:
      return millis_interval_text(value.as_int());
    case TypeRoot::array:
    case TypeRoot::row: {
      bool row = type.root == TypeRoot::row;
      std::string text = row ? "(" : "[";
      const std::vector<Value>& items = value.items();
      for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) text += ", ";
        text += items[i].is_null() ? "NULL" : text_of(items[i], type.child(row ? i : 0), zone, printing);
      }
      return text + (row ? ")" : "]");
    }
    case TypeRoot::map:
    case TypeRoot::multiset: {
      static const DataType count = DataType::integer();
      std::string text = "{";
      const std::vector<Value>& items = value.items();
      for (size_t i = 0; i + 1 < items.size(); i += 2) {
        if (i > 0) text += ", ";
        text += items[i].is_null() ? "NULL" : text_of(items[i], type.child(0), zone, printing);
        text += '=';
        const DataType& value_type = type.root == TypeRoot::map ? type.child(1) : count;
        text += items[i + 1].is_null() ? "NULL" : text_of(items[i + 1], value_type, zone, printing);
      }
      return text + "}";
    }
  }
  return "";
}

}  // namespace

std::string double_text(double value) { return floating_text(value); }
std::string float_text(float value) { return floating_text(value); }

std::string date_text(int64_t days) {
  CivilDate date = civil_from_days(days);
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string time_text(int64_t millis, int precision) {
  int64_t seconds = millis / 1000;
  std::string text = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  append_fraction(text, millis % 1000 * 1'000'000, precision);
  return text;
}

std::string timestamp_text(TimestampValue value, int precision) {
  int64_t days = floor_div(value.millis, millis_per_day);
  int64_t millis = floor_mod(value.millis, millis_per_day);
  std::string text = date_text(days) + " " + time_text(millis, 0);
  append_fraction(text, millis % 1000 * 1'000'000 + value.nanos, precision);
  return text;
}

std::string months_text(int64_t months) {
  uint64_t size = months < 0 ? -static_cast<uint64_t>(months) : static_cast<uint64_t>(months);
  return fmt::format("{}{}-{:02}", months < 0 ? '-' : '+', size / 12, size % 12);
}

std::string millis_interval_text(int64_t millis) {
  uint64_t size = millis < 0 ? -static_cast<uint64_t>(millis) : static_cast<uint64_t>(millis);
  return fmt::format("{}{} {:02}:{:02}:{:02}.{:03}", millis < 0 ? '-' : '+', size / 86'400'000, size / 3'600'000 % 24,
                     size / 60'000 % 60, size / 1000 % 60, size % 1000);
}

std::string value_text(const Value& value, const DataType& type, const TimeZone& zone) {
  return value.is_null() ? "NULL" : text_of(value, type, zone, false);
}

std::string cell_text(const Value& value, const DataType& type, const TimeZone& zone, std::string_view null_text) {
  return value.is_null() ? std::string(null_text) : text_of(value, type, zone, true);
}

std::string cell_text(const Value& value, const DataType& type) { return cell_text(value, type, TimeZone::utc()); }

// ---- maps ----

namespace {

uint32_t murmur(std::string_view bytes) {
  auto mix_k = [](uint32_t k) { return std::rotl(k * 0xcc9e2d51u, 15) * 0x1b873593u; };
  auto mix_h = [](uint32_t h, uint32_t k) { return std::rotl(h ^ k, 13) * 5 + 0xe6546b64u; };
  uint32_t h = 42;
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    uint32_t word;
    std::memcpy(&word, bytes.data() + i, 4);
    h = mix_h(h, mix_k(word));
  }
  for (; i < bytes.size(); ++i) {
    h = mix_h(h, mix_k(static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(bytes[i])))));
  }
  h ^= static_cast<uint32_t>(bytes.size());
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}

uint32_t java_hash(const Value& key, const DataType& type) {
  auto fold = [](uint64_t v) { return static_cast<uint32_t>(v ^ (v >> 32)); };
  if (key.is_null()) return 0;
  switch (type.root) {
    case TypeRoot::boolean:
      return key.as_bool() ? 1231 : 1237;
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::date:
    case TypeRoot::time:
    case TypeRoot::interval_months:
      return static_cast<uint32_t>(key.as_int());
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return fold(static_cast<uint64_t>(key.as_int()));
    case TypeRoot::float_:
      return std::bit_cast<uint32_t>(key.as_float());
    case TypeRoot::double_:
      return fold(std::bit_cast<uint64_t>(key.as_double()));
    case TypeRoot::character:
    case TypeRoot::varchar:
      return murmur(key.as_text());
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz: {
      TimestampValue t = key.as_timestamp();
      return 31 * fold(static_cast<uint64_t>(t.millis)) + static_cast<uint32_t>(t.nanos);
    }
    default:
      return static_cast<uint32_t>(key.hash());
  }
}

}  // namespace

Value make_map(std::vector<Value> entries, const DataType& map_type) {
  struct Entry {
    Value key, value;
    uint32_t spread;
    size_t number;
  };
  std::vector<Entry> unique;
  for (size_t i = 0; i + 1 < entries.size(); i += 2) {
    auto same = std::find_if(unique.begin(), unique.end(), [&](const Entry& e) { return e.key == entries[i]; });
    if (same != unique.end()) {
      same->value = std::move(entries[i + 1]);
      continue;
    }
    uint32_t h = java_hash(entries[i], map_type.child(0));
    unique.push_back({std::move(entries[i]), std::move(entries[i + 1]), h ^ (h >> 16), i});
  }
  size_t capacity = 16;
  while (unique.size() * 4 > capacity * 3) capacity *= 2;
  std::sort(unique.begin(), unique.end(), [&](const Entry& a, const Entry& b) {
    return std::pair(a.spread & (capacity - 1), a.number) < std::pair(b.spread & (capacity - 1), b.number);
  });
  std::vector<Value> ordered;
  ordered.reserve(unique.size() * 2);
  for (Entry& entry : unique) {
    ordered.push_back(std::move(entry.key));
    ordered.push_back(std::move(entry.value));
  }
  return Value::nested(std::move(ordered));
}

std::optional<Int128> decimal_from_double(double value, int precision, int scale) {
  if (!std::isfinite(value)) return std::nullopt;
  return parse_decimal(double_text(value), precision, scale);
}

}  // namespace millrace::processing
