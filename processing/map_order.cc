// Maps hold their entries in the order in which Java's HashMap gives them.
#include <algorithm>
#include <bit>
#include <cstring>

#include "processing/value.h"

namespace millrace::processing {

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

std::vector<Value> last_entries(std::vector<Value> entries) {
  size_t kept = 0;
  for (size_t i = 0; i + 1 < entries.size(); i += 2) {
    size_t at = 0;
    while (at < kept && entries[at] != entries[i]) at += 2;
    if (at != i) entries[at + 1] = std::move(entries[i + 1]);
    if (at < kept) continue;
    if (at != i) entries[at] = std::move(entries[i]);
    kept += 2;
  }
  entries.resize(kept);
  return entries;
}

Value make_map(std::vector<Value> entries, const DataType& map_type) {
  struct Entry {
    Value key, value;
    uint32_t spread;
    size_t number;
  };
  std::vector<Entry> unique;
  entries = last_entries(std::move(entries));
  for (size_t i = 0; i + 1 < entries.size(); i += 2) {
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

}  // namespace millrace::processing
