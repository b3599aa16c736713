#include "processing/operators/key_table.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>

namespace millrace::processing {

namespace {

template <class T>
void put(std::string& out, const T& value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
template <class T>
T take(std::string_view& in) {
  if (in.size() < sizeof(T)) throw std::runtime_error("a key is cut short");
  T value;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return value;
}
std::string_view take_text(std::string_view& in) {
  const auto size = take<uint32_t>(in);
  if (in.size() < size) throw std::runtime_error("a key is cut short");
  const std::string_view text = in.substr(0, size);
  in.remove_prefix(size);
  return text;
}

void put_value(std::string& out, const Value& value, TypeRoot root) {
  switch (physical_of(root)) {
    case Physical::boolean:
      put(out, static_cast<uint8_t>(value.as_bool() ? 1 : 0));
      break;
    case Physical::int32:
      put(out, static_cast<int32_t>(value.as_int()));
      break;
    case Physical::int64:
      put(out, value.as_int());
      break;
    case Physical::float_:
      put(out, value.as_float());
      break;
    case Physical::double_:
      put(out, value.as_double());
      break;
    case Physical::decimal:
      put(out, value.as_decimal());
      break;
    case Physical::text:
      put(out, static_cast<uint32_t>(value.as_text().size()));
      out += value.as_text();
      break;
    case Physical::timestamp:
      put(out, value.as_timestamp().millis);
      put(out, value.as_timestamp().nanos);
      break;
    case Physical::boxed: {
      std::string boxed;
      append_value(boxed, value);
      put(out, static_cast<uint32_t>(boxed.size()));
      out += boxed;
      break;
    }
  }
}

}  // namespace

void append_key(std::string& out, std::span<const Column> keys, size_t row) {
  for (const Column& key : keys) {
    if (key.is_null(row)) {
      out.push_back(0);
      continue;
    }
    out.push_back(1);
    switch (key.physical()) {
      case Physical::boolean:
        put(out, key.at<uint8_t>(row));
        break;
      case Physical::int32:
        put(out, key.at<int32_t>(row));
        break;
      case Physical::int64:
        put(out, key.at<int64_t>(row));
        break;
      case Physical::float_:
        put(out, key.at<float>(row));
        break;
      case Physical::double_:
        put(out, key.at<double>(row));
        break;
      case Physical::decimal:
        put(out, key.at<Int128>(row));
        break;
      case Physical::text: {
        const std::string_view text = key.at<std::string_view>(row);
        put(out, static_cast<uint32_t>(text.size()));
        out += text;
        break;
      }
      case Physical::timestamp: {
        const TimestampValue time = key.at<TimestampValue>(row);
        put(out, time.millis);
        put(out, time.nanos);
        break;
      }
      case Physical::boxed:
        put_value(out, key.at<Value>(row), key.type().root);
        break;
    }
  }
}

void append_key(std::string& out, std::span<const Value> keys, std::span<const DataType> types) {
  for (size_t i = 0; i < keys.size(); ++i) {
    out.push_back(keys[i].is_null() ? 0 : 1);
    if (!keys[i].is_null()) put_value(out, keys[i], types[i].root);
  }
}

void decode_key(std::string_view in, std::span<ColumnBuilder> columns) {
  for (ColumnBuilder& column : columns) {
    if (take<uint8_t>(in) == 0) {
      column.append_null();
      continue;
    }
    switch (physical_of(column.type().root)) {
      case Physical::boolean:
        column.append_plain(take<uint8_t>(in));
        break;
      case Physical::int32:
        column.append_plain(take<int32_t>(in));
        break;
      case Physical::int64:
        column.append_plain(take<int64_t>(in));
        break;
      case Physical::float_:
        column.append_plain(take<float>(in));
        break;
      case Physical::double_:
        column.append_plain(take<double>(in));
        break;
      case Physical::decimal:
        column.append_plain(take<Int128>(in));
        break;
      case Physical::text:
        column.append_text(take_text(in));
        break;
      case Physical::timestamp: {
        const auto millis = take<int64_t>(in);
        column.append_plain(TimestampValue{millis, take<int32_t>(in)});
        break;
      }
      case Physical::boxed: {
        std::string_view boxed = take_text(in);
        column.append(read_value(boxed));
        break;
      }
    }
  }
}

Row decode_key(std::string_view key, std::span<const DataType> types) {
  std::vector<ColumnBuilder> columns;
  for (const DataType& type : types) columns.emplace_back(type);
  decode_key(key, columns);
  Row row;
  for (ColumnBuilder& column : columns) row.push_back(column.finish().value(0));
  return row;
}

namespace {

// The bytes that one value takes in a key, its mark included; 0: it depends on the value.
size_t fixed_width(Physical physical) {
  switch (physical) {
    case Physical::boolean:
      return 1 + sizeof(uint8_t);
    case Physical::int32:
    case Physical::float_:
      return 1 + sizeof(int32_t);
    case Physical::int64:
    case Physical::double_:
      return 1 + sizeof(int64_t);
    case Physical::decimal:
      return 1 + sizeof(Int128);
    case Physical::timestamp:
      return 1 + sizeof(int64_t) + sizeof(int32_t);
    case Physical::text:
    case Physical::boxed:
      return 0;
  }
  return 0;
}

template <class T>
void write_column(char* to, size_t width, const Column& key, std::span<const uint32_t> rows) {
  const T* values = key.data<T>();
  const size_t step = key.is_constant() ? 0 : 1;
  for (const uint32_t row : rows) {
    const T& value = values[row * step];
    *to = 1;
    if constexpr (std::is_same_v<T, TimestampValue>) {
      std::memcpy(to + 1, &value.millis, sizeof value.millis);
      std::memcpy(to + 1 + sizeof value.millis, &value.nanos, sizeof value.nanos);
    } else {
      std::memcpy(to + 1, &value, sizeof value);
    }
    to += width;
  }
}

uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t hash_of(std::string_view key) {
  constexpr uint64_t one = 0xa0761d6478bd642full;
  constexpr uint64_t two = 0xe7037ed1a0b428dbull;
  uint64_t hash = key.size() ^ two;
  const char* at = key.data();
  size_t left = key.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    hash = mix(hash ^ word, one);
  }
  uint64_t rest = 0;
  if (left > 0) std::memcpy(&rest, at, left);
  return mix(hash ^ rest, two);
}

}  // namespace

void KeyBytes::write(std::span<const Column> keys, std::span<const uint32_t> rows) {
  width_ = 0;
  for (const Column& key : keys) {
    const size_t width = key.has_nulls() ? 0 : fixed_width(key.physical());
    if (width == 0) {
      width_ = 0;
      break;
    }
    width_ += width;
  }
  if (width_ == 0) {
    bytes_.clear();
    ends_.assign(1, 0);
    for (const uint32_t row : rows) {
      append_key(bytes_, keys, row);
      ends_.push_back(bytes_.size());
    }
    return;
  }
  bytes_.resize(width_ * rows.size());
  char* to = bytes_.data();
  for (const Column& key : keys) {
    switch (key.physical()) {
      case Physical::boolean:
        write_column<uint8_t>(to, width_, key, rows);
        break;
      case Physical::int32:
        write_column<int32_t>(to, width_, key, rows);
        break;
      case Physical::int64:
        write_column<int64_t>(to, width_, key, rows);
        break;
      case Physical::float_:
        write_column<float>(to, width_, key, rows);
        break;
      case Physical::double_:
        write_column<double>(to, width_, key, rows);
        break;
      case Physical::decimal:
        write_column<Int128>(to, width_, key, rows);
        break;
      case Physical::timestamp:
        write_column<TimestampValue>(to, width_, key, rows);
        break;
      case Physical::text:
      case Physical::boxed:
        break;
    }
    to += fixed_width(key.physical());
  }
}

namespace {

// Most keys are one number or two.
[[gnu::always_inline]] inline bool same_key(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < 8 || a.size() > 16) return std::memcmp(a.data(), b.data(), a.size()) == 0;
  const auto word = [](const char* at) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, at, 8);
    return bytes;
  };
  const size_t last = a.size() - 8;
  return ((word(a.data()) ^ word(b.data())) | (word(a.data() + last) ^ word(b.data() + last))) == 0;
}

}  // namespace

[[gnu::always_inline]] inline size_t KeyTable::slot_of(std::string_view key, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t reusable = slots_.size();
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot slot = slots_[at];
    if (slot.tag == tag_of(hash) && slot.group < tombstone && same_key(keys_[slot.group], key)) [[likely]]
      return at;
    if (slot.group == empty) return reusable < slots_.size() ? reusable : at;
    if (slot.group == tombstone && reusable == slots_.size()) reusable = at;
  }
}

uint32_t KeyTable::find_or_add(std::string_view key, bool& added) { return find_or_add(key, hash_of(key), added); }

void KeyTable::find_or_add(const KeyBytes& keys, std::span<const uint32_t> rows, std::span<uint32_t> groups) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string_view key = keys[i];
    const uint64_t hash = hash_of(key);
    if (!slots_.empty()) {
      if (const Slot slot = slots_[slot_of(key, hash)]; slot.group < tombstone) [[likely]] {
        groups[rows[i]] = slot.group;
        continue;
      }
    }
    bool added = false;
    groups[rows[i]] = find_or_add(key, hash, added);
  }
}

void KeyTable::find_or_add(const KeyTable& other, std::vector<uint32_t>& numbers) {
  numbers.resize(other.capacity());
  bool added = false;
  other.each([&](uint32_t group) { numbers[group] = find_or_add(other.keys_[group], other.hashes_[group], added); });
}

uint32_t KeyTable::find_or_add(std::string_view key, uint64_t hash, bool& added) {
  if (used_ * 4 >= slots_.size() * 3) grow();
  const size_t at = slot_of(key, hash);
  added = slots_[at].group >= tombstone;
  if (!added) return slots_[at].group;
  uint32_t group = 0;
  if (free_.empty()) {
    group = static_cast<uint32_t>(keys_.size());
    keys_.emplace_back();
    hashes_.push_back(0);
  } else {
    group = free_.back();
    free_.pop_back();
  }
  keys_[group] = store(key);
  hashes_[group] = hash;
  if (slots_[at].group == empty) ++used_;
  slots_[at] = {tag_of(hash), group};
  return group;
}

int64_t KeyTable::find(std::string_view key) const {
  if (slots_.empty()) return -1;
  const uint32_t group = slots_[slot_of(key, hash_of(key))].group;
  return group >= tombstone ? -1 : static_cast<int64_t>(group);
}

uint64_t KeyTable::hash(std::string_view key) { return hash_of(key); }

void KeyTable::fetch_slot(uint64_t hash) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
}

int64_t KeyTable::fetch_key(uint64_t hash) const {
  if (slots_.empty()) return -1;
  const Slot slot = slots_[hash & (slots_.size() - 1)];
  if (slot.group >= tombstone || slot.tag != tag_of(hash)) return -1;
  __builtin_prefetch(&keys_[slot.group]);
  return slot.group;
}

void KeyTable::remove(uint32_t group) {
  slots_[slot_of(keys_[group], hashes_[group])].group = tombstone;
  dead_bytes_ += room_of(keys_[group]);
  keys_[group] = {};
  free_.push_back(group);
  if (dead_bytes_ >= large_chunk && dead_bytes_ * 2 > bytes_) pack();
}

// Copies the keys that are left; so many have gone since the last time that it costs each of those little.
void KeyTable::pack() {
  const std::vector<std::unique_ptr<char[]>> before = std::move(chunks_);
  chunks_.clear();
  chunk_left_ = bytes_ = dead_bytes_ = 0;
  each([&](uint32_t group) { keys_[group] = store(keys_[group]); });
}

void KeyTable::grow() {
  size_t wanted = 16;
  while (wanted < (size() + 1) * 2) wanted *= 2;
  slots_.assign(wanted, {0, empty});
  used_ = 0;
  const size_t mask = wanted - 1;
  for (uint32_t group = 0; group < keys_.size(); ++group) {
    if (!holds(group)) continue;
    size_t at = hashes_[group] & mask;
    while (slots_[at].group != empty) at = (at + 1) & mask;
    slots_[at] = {tag_of(hashes_[group]), group};
    ++used_;
  }
}

std::string_view KeyTable::store(std::string_view key) {
  const size_t room = room_of(key);
  if (chunk_left_ < room) {
    chunk_left_ = std::max(room, chunks_.empty() ? first_chunk : large_chunk);
    bytes_ += chunk_left_;
    chunks_.push_back(std::make_unique<char[]>(chunk_left_));
    chunk_at_ = chunks_.back().get();
  }
  char* to = chunk_at_;
  if (!key.empty()) std::memcpy(to, key.data(), key.size());
  chunk_at_ += room;
  chunk_left_ -= room;
  return {to, key.size()};
}

}  // namespace millrace::processing
