#include "processing/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

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

}  // namespace millrace::processing
