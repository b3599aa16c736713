#include "processing/operators/join.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace millrace::processing {

namespace {

constexpr size_t looked_ahead = 32;  // rows
constexpr size_t saved_per_key = 2 * sizeof(int64_t);
constexpr size_t saved_per_row = 2 * sizeof(int64_t);

}  // namespace

Join::Join(JobContext& job, const plan::Join& node) : Operator(job, 2), sides_(node) {
  for (size_t s = 0; s < 2; ++s) {
    state_[s].types = types_of(node.inputs[s]->schema);
    if (node.inputs[s]->changelog == plan::Changelog::upsert) state_[s].upsert_key = node.inputs[s]->upsert_key;
  }
}

void Join::on_batch(int input, Batch batch) {
  BatchBuilder out(sides_.types());
  const auto apply = [&](std::string_view key, std::string_view row, RowKind kind) {
    const Change one{input, key, row, kind};
    if (sides_.one_sided())
      change_semi(one, out);
    else
      change(one, out);
  };
  Side& own = state_[input];
  std::vector<uint32_t> rows;
  rows.reserve(batch.selected());
  batch.each([&](size_t at) { rows.push_back(static_cast<uint32_t>(at)); });
  Keys keys;
  std::string row;
  for (size_t from = 0; from < rows.size(); from += looked_ahead) {
    const auto some = std::span(rows).subspan(from, std::min(looked_ahead, rows.size() - from));
    look_ahead(batch, some, input, keys);
    for (size_t i = 0; i < some.size(); ++i) {
      const size_t at = some[i];
      row.clear();
      append_key(row, batch.columns, at);
      RowKind kind = batch.kind(at);
      if (!own.upsert_key.empty()) {
        const std::string id = key_of(batch, at, own.upsert_key);
        if (const auto old = own.by_key.find(id); old != own.by_key.end()) {
          const auto [old_key, old_row] = std::move(old->second);
          own.by_key.erase(old);
          apply(old_key, old_row, is_retraction(kind) ? RowKind::delete_ : RowKind::update_before);
        } else if (kind == RowKind::update_after) {
          kind = RowKind::insert;
        }
        if (is_retraction(kind)) continue;
        own.by_key[id] = {std::string(keys[i]), row};
      }
      apply(keys[i], row, kind);
    }
  }
  emit(out.finish());
}

void Join::look_ahead(const Batch& batch, std::span<const uint32_t> rows, int side, Keys& keys) const {
  const Side& own = state_[side];
  keys.bytes.clear();
  keys.ends.clear();
  keys.hashes.clear();
  for (const uint32_t row : rows) {
    sides_.append_key(keys.bytes, batch, row, side);
    keys.ends.push_back(keys.bytes.size());
    keys.hashes.push_back(KeyTable::hash(keys[keys.ends.size() - 1]));
    own.keys.fetch_slot(keys.hashes.back());
  }
  std::array<int64_t, looked_ahead> numbers{};
  for (size_t i = 0; i < rows.size(); ++i) {
    numbers[i] = own.keys.fetch_key(keys.hashes[i]);
    if (numbers[i] >= 0) __builtin_prefetch(&own.rows[static_cast<size_t>(numbers[i])]);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (numbers[i] < 0) continue;
    __builtin_prefetch(own.keys.key(static_cast<uint32_t>(numbers[i])).data());
    __builtin_prefetch(own.rows[static_cast<size_t>(numbers[i])].last);
  }
}

std::vector<Join::Entry*> Join::matches(const Change& change) {
  std::vector<Entry*> found;
  if (!change.matchable()) return found;
  Side& other = state_[1 - change.side];
  const int64_t number = other.keys.find(change.key);
  if (number < 0) return found;
  for (Entry* entry = other.rows[static_cast<size_t>(number)].first; entry != nullptr; entry = entry->next)
    found.push_back(entry);
  if (!sides_.has_condition()) return found;
  std::vector<Row> rows;
  std::vector<const Row*> candidates;
  rows.reserve(found.size());
  for (const Entry* entry : found) {
    rows.push_back(decode_key(entry->row(), other.types));
    candidates.push_back(&rows.back());
  }
  const Row own = decode_key(change.row, state_[change.side].types);
  const std::vector<bool> fits = sides_.fitting(own, change.side, candidates, eval_);
  std::vector<Entry*> fitting;
  for (size_t i = 0; i < fits.size(); ++i)
    if (fits[i]) fitting.push_back(found[i]);
  return fitting;
}

void Join::Side::add(std::string_view key, std::string_view row, int64_t matches) {
  bool added = false;
  const uint32_t number = keys.find_or_add(key, added);
  if (number >= rows.size()) rows.resize(number + 1);
  saved_bytes += (added ? saved_per_key + key.size() : 0) + saved_per_row + row.size();
  check(row.size() <= UINT32_MAX);
  auto* entry =
      new (memory.take(sizeof(Entry) + row.size())) Entry{nullptr, matches, static_cast<uint32_t>(row.size())};
  if (!row.empty()) std::memcpy(entry + 1, row.data(), row.size());
  Bucket& bucket = rows[number];
  (bucket.first == nullptr ? bucket.first : bucket.last->next) = entry;
  bucket.last = entry;
}

void Join::Side::remove(std::string_view key, std::string_view row) {
  const int64_t number = keys.find(key);
  if (number < 0) return;
  Bucket& bucket = rows[static_cast<size_t>(number)];
  Entry* before = nullptr;
  Entry* entry = bucket.first;
  while (entry != nullptr && entry->row() != row) before = std::exchange(entry, entry->next);
  if (entry == nullptr) return;
  (before == nullptr ? bucket.first : before->next) = entry->next;
  if (bucket.last == entry) bucket.last = before;
  memory.give_back(entry, sizeof(Entry) + entry->size);
  saved_bytes -= saved_per_row + row.size();
  if (bucket.first != nullptr) return;
  keys.remove(static_cast<uint32_t>(number));
  saved_bytes -= saved_per_key + key.size();
}

void Join::give(BatchBuilder& out, int side, std::optional<std::string_view> own, std::optional<std::string_view> other,
                RowKind kind) const {
  if (side == 0)
    sides_.give(out, own, other, kind);
  else
    sides_.give(out, other, own, kind);
}

void Join::change(const Change& change, BatchBuilder& out) {
  const std::vector<Entry*> found = matches(change);
  const int side = change.side;
  const bool own_outer = sides_.outer(side);
  const bool other_outer = sides_.outer(1 - side);
  if (!is_retraction(change.kind)) {
    if (found.empty()) {
      if (own_outer) give(out, side, change.row, std::nullopt, RowKind::insert);
    } else {
      for (Entry* other : found) {
        if (other_outer) {
          if (other->matches == 0) give(out, side, std::nullopt, other->row(), RowKind::delete_);
          ++other->matches;
        }
      }
      const RowKind sent = own_outer || other_outer ? RowKind::insert : change.kind;
      for (const Entry* other : found) give(out, side, change.row, other->row(), sent);
    }
    add(change, static_cast<int64_t>(found.size()));
    return;
  }
  remove(change);
  if (found.empty()) {
    if (own_outer) give(out, side, change.row, std::nullopt, RowKind::delete_);
    return;
  }
  for (Entry* other : found) {
    give(out, side, change.row, other->row(), own_outer ? RowKind::delete_ : change.kind);
    if (other_outer && --other->matches == 0) give(out, side, std::nullopt, other->row(), RowKind::insert);
  }
}

void Join::change_semi(const Change& change, BatchBuilder& out) {
  const std::vector<Entry*> found = matches(change);
  const bool anti = sides_.anti();
  const auto give_left = [&](std::string_view row, RowKind kind) { sides_.give(out, row, std::nullopt, kind); };
  if (change.side == 0) {
    if (found.empty() == anti) give_left(change.row, change.kind);
    if (is_retraction(change.kind))
      remove(change);
    else
      add(change, static_cast<int64_t>(found.size()));
    return;
  }
  if (!is_retraction(change.kind)) {
    add(change, 0);
    for (Entry* left : found)
      if (left->matches++ == 0) give_left(left->row(), anti ? RowKind::delete_ : change.kind);
  } else {
    remove(change);
    for (Entry* left : found)
      if (--left->matches == 0) give_left(left->row(), anti ? RowKind::insert : change.kind);
  }
}

void Join::Side::save(std::string& out) const {
  append_int(out, static_cast<int64_t>(keys.size()));
  const auto put_int = [](char*& to, int64_t value) {
    std::memcpy(to, &value, sizeof value);
    to += sizeof value;
  };
  const auto put_bytes = [&](char*& to, std::string_view bytes) {
    put_int(to, static_cast<int64_t>(bytes.size()));
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    to += bytes.size();
  };
  out.resize_and_overwrite(out.size() + saved_bytes, [&, used = out.size()](char* bytes, size_t size) {
    char* to = bytes + used;
    keys.each([&](uint32_t number) {
      put_bytes(to, keys.key(number));
      char* counted = to;
      to += sizeof(int64_t);
      int64_t count = 0;
      for (const Entry* entry = rows[number].first; entry != nullptr; entry = entry->next, ++count) {
        put_int(to, entry->matches);
        put_bytes(to, entry->row());
      }
      put_int(counted, count);
    });
    check(to == bytes + size);
    return size;
  });
}

void Join::save(std::string& out) const {
  Operator::save(out);
  // Once, and with room for what others have to say: a copy of all this is dear, and room that nobody uses is not.
  const size_t mine = state_[0].saved_bytes + state_[1].saved_bytes;
  out.reserve(out.size() + mine + mine / 16 + 65'536);
  for (const Side& side : state_) {
    side.save(out);
    append_int(out, static_cast<int64_t>(side.by_key.size()));
    for (const auto& [id, known] : side.by_key) {
      append_bytes(out, id);
      append_bytes(out, known.first);
      append_bytes(out, known.second);
    }
  }
}

void Join::load(std::string_view& in) {
  Operator::load(in);
  for (Side& side : state_) {
    for (int64_t n = read_int(in); n > 0; --n) {
      const std::string_view key = read_bytes(in);
      for (int64_t r = read_int(in); r > 0; --r) {
        const int64_t matches = read_int(in);
        side.add(key, read_bytes(in), matches);
      }
    }
    for (int64_t n = read_int(in); n > 0; --n) {
      auto& known = side.by_key[std::string(read_bytes(in))];
      known.first = read_bytes(in);
      known.second = read_bytes(in);
    }
  }
}

}  // namespace millrace::processing
