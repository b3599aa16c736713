#include "processing/operators/join.h"

#include <cstring>
#include <utility>

namespace millrace::processing {

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
  std::string key;
  std::string row;
  batch.each([&](size_t at) {
    key.clear();
    sides_.append_key(key, batch, at, input);
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
      if (is_retraction(kind)) return;
      own.by_key[id] = {key, row};
    }
    apply(key, row, kind);
  });
  emit(out.finish());
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
  if (bucket.first == nullptr) keys.remove(static_cast<uint32_t>(number));
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

void Join::save(std::string& out) const {
  Operator::save(out);
  for (const Side& side : state_) {
    append_int(out, static_cast<int64_t>(side.keys.size()));
    side.keys.each([&](uint32_t number) {
      append_bytes(out, side.keys.key(number));
      int64_t count = 0;
      for (const Entry* entry = side.rows[number].first; entry != nullptr; entry = entry->next) ++count;
      append_int(out, count);
      for (const Entry* entry = side.rows[number].first; entry != nullptr; entry = entry->next) {
        append_int(out, entry->matches);
        append_bytes(out, entry->row());
      }
    });
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
