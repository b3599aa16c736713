#include "log/transaction_index.h"

#include "protocol/record_batch.h"

namespace millrace::log {

using protocol::load_big;
using protocol::store_big;

void TransactionIndex::truncate(Offset end) {
  while (!entries_.empty() && entries_.back().last >= end) entries_.pop_back();
}

bool TransactionIndex::collect(Offset from, Offset to, std::vector<AbortedTransaction>& out) const {
  for (const AbortedEntry& entry : entries_) {
    if (entry.last >= from && entry.first < to) out.push_back({entry.producer, entry.first});
    if (entry.last_stable >= to) return true;
  }
  return false;
}

std::string TransactionIndex::encode() const {
  std::string file(entries_.size() * entry_size, '\0');
  auto* to = reinterpret_cast<std::byte*>(file.data());
  for (const AbortedEntry& entry : entries_) {
    store_big<int16_t>(to, 0);
    store_big<int64_t>(to + 2, entry.producer.value);
    store_big<int64_t>(to + 10, entry.first.value);
    store_big<int64_t>(to + 18, entry.last.value);
    store_big<int64_t>(to + 26, entry.last_stable.value);
    to += entry_size;
  }
  return file;
}

TransactionIndex TransactionIndex::decode(std::string_view file, const std::string& path) {
  TransactionIndex index;
  const auto* from = reinterpret_cast<const std::byte*>(file.data());
  for (size_t at = 0; at < file.size(); at += entry_size) {
    if (file.size() - at < entry_size) {
      throw CorruptLog("Transaction index " + path + " ends inside an entry (" + std::to_string(file.size()) +
                       " bytes)");
    }
    const std::byte* entry = from + at;
    const auto version = load_big<int16_t>(entry);
    if (version != 0) {
      throw CorruptLog("Unexpected aborted transaction version " + std::to_string(version) + " in transaction index " +
                       path + ", current version is 0");
    }
    index.append({ProducerId(load_big<int64_t>(entry + 2)), Offset(load_big<int64_t>(entry + 10)),
                  Offset(load_big<int64_t>(entry + 18)), Offset(load_big<int64_t>(entry + 26))});
  }
  return index;
}

}  // namespace millrace::log
