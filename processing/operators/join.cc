#include "processing/operators/join.h"

#include <algorithm>

namespace millrace::processing {

Join::Join(JobContext& job, const plan::Join& node) : Operator(job, 2), sides_(node) {
  for (size_t s = 0; s < 2; ++s)
    if (node.inputs[s]->changelog == plan::Changelog::upsert) state_[s].upsert_key = node.inputs[s]->upsert_key;
}

void Join::on_batch(int input, Batch batch) {
  BatchBuilder out(sides_.types());
  const auto apply = [&](const std::string& key, bool matchable, const Row& row, RowKind kind) {
    if (sides_.one_sided())
      change_semi(input, key, matchable, row, kind, out);
    else
      change(input, key, matchable, row, kind, out);
  };
  Side& own = state_[input];
  batch.each([&](size_t at) {
    bool matchable = true;
    std::string key = sides_.key(batch, at, input, matchable);
    key.insert(key.begin(), matchable ? '\1' : '\0');
    const Row row = batch.row(at);
    RowKind kind = batch.kind(at);
    if (!own.upsert_key.empty()) {
      const std::string id = key_of(batch, at, own.upsert_key);
      if (const auto old = own.by_key.find(id); old != own.by_key.end()) {
        const auto [old_key, old_row] = old->second;
        own.by_key.erase(old);
        apply(old_key, old_key.front() != '\0', old_row,
              is_retraction(kind) ? RowKind::delete_ : RowKind::update_before);
      } else if (kind == RowKind::update_after) {
        kind = RowKind::insert;
      }
      if (is_retraction(kind)) return;
      own.by_key[id] = {key, row};
    }
    apply(key, matchable, row, kind);
  });
  emit(out.finish());
}

std::vector<Join::Entry*> Join::matches(int side, const std::string& key, bool matchable, const Row& row) {
  std::vector<Entry*> found;
  if (!matchable) return found;
  Side& other = state_[1 - side];
  const auto bucket = other.rows.find(key);
  if (bucket == other.rows.end()) return found;
  std::vector<const Row*> candidates;
  for (const Entry& entry : bucket->second) candidates.push_back(&entry.row);
  const std::vector<bool> fits = sides_.fitting(row, side, candidates, eval_);
  for (size_t i = 0; i < fits.size(); ++i)
    if (fits[i]) found.push_back(&bucket->second[i]);
  return found;
}

void Join::add(int side, const std::string& key, const Row& row, int64_t matches) {
  state_[side].rows[key].push_back({row, matches});
}

void Join::remove(int side, const std::string& key, const Row& row) {
  const auto bucket = state_[side].rows.find(key);
  if (bucket == state_[side].rows.end()) return;
  const auto at = std::ranges::find_if(bucket->second, [&](const Entry& entry) { return entry.row == row; });
  if (at == bucket->second.end()) return;
  bucket->second.erase(at);
  if (bucket->second.empty()) state_[side].rows.erase(bucket);
}

void Join::give(BatchBuilder& out, int side, const Row* own, const Row* other, RowKind kind) const {
  if (side == 0)
    sides_.give(out, own, other, kind);
  else
    sides_.give(out, other, own, kind);
}

void Join::change(int side, const std::string& key, bool matchable, const Row& row, RowKind kind, BatchBuilder& out) {
  const std::vector<Entry*> found = matches(side, key, matchable, row);
  const bool own_outer = sides_.outer(side);
  const bool other_outer = sides_.outer(1 - side);
  if (!is_retraction(kind)) {
    if (found.empty()) {
      if (own_outer) give(out, side, &row, nullptr, RowKind::insert);
    } else {
      for (Entry* other : found) {
        if (other_outer) {
          if (other->matches == 0) give(out, side, nullptr, &other->row, RowKind::delete_);
          ++other->matches;
        }
      }
      const RowKind sent = own_outer || other_outer ? RowKind::insert : kind;
      for (const Entry* other : found) give(out, side, &row, &other->row, sent);
    }
    add(side, key, row, static_cast<int64_t>(found.size()));
    return;
  }
  remove(side, key, row);
  if (found.empty()) {
    if (own_outer) give(out, side, &row, nullptr, RowKind::delete_);
    return;
  }
  for (Entry* other : found) {
    give(out, side, &row, &other->row, own_outer ? RowKind::delete_ : kind);
    if (other_outer && --other->matches == 0) give(out, side, nullptr, &other->row, RowKind::insert);
  }
}

void Join::change_semi(int side, const std::string& key, bool matchable, const Row& row, RowKind kind,
                       BatchBuilder& out) {
  const std::vector<Entry*> found = matches(side, key, matchable, row);
  const bool anti = sides_.anti();
  if (side == 0) {
    if (found.empty() == anti) sides_.give(out, &row, nullptr, kind);
    if (is_retraction(kind))
      remove(side, key, row);
    else
      add(side, key, row, static_cast<int64_t>(found.size()));
    return;
  }
  if (!is_retraction(kind)) {
    add(side, key, row, 0);
    for (Entry* left : found)
      if (left->matches++ == 0) sides_.give(out, &left->row, nullptr, anti ? RowKind::delete_ : kind);
  } else {
    remove(side, key, row);
    for (Entry* left : found)
      if (--left->matches == 0) sides_.give(out, &left->row, nullptr, anti ? RowKind::insert : kind);
  }
}

void Join::save(std::string& out) const {
  Operator::save(out);
  for (const Side& side : state_) {
    append_int(out, static_cast<int64_t>(side.rows.size()));
    for (const auto& [key, bucket] : side.rows) {
      append_bytes(out, key);
      append_int(out, static_cast<int64_t>(bucket.size()));
      for (const Entry& entry : bucket) {
        append_int(out, entry.matches);
        append_row(out, entry.row);
      }
    }
    append_int(out, static_cast<int64_t>(side.by_key.size()));
    for (const auto& [id, known] : side.by_key) {
      append_bytes(out, id);
      append_bytes(out, known.first);
      append_row(out, known.second);
    }
  }
}

void Join::load(std::string_view& in) {
  Operator::load(in);
  for (Side& side : state_) {
    for (int64_t n = read_int(in); n > 0; --n) {
      Bucket& bucket = side.rows[std::string(read_bytes(in))];
      for (int64_t r = read_int(in); r > 0; --r) {
        Entry entry;
        entry.matches = read_int(in);
        entry.row = read_row(in);
        bucket.push_back(std::move(entry));
      }
    }
    for (int64_t n = read_int(in); n > 0; --n) {
      auto& known = side.by_key[std::string(read_bytes(in))];
      known.first = read_bytes(in);
      known.second = read_row(in);
    }
  }
}

}  // namespace millrace::processing
