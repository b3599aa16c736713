// TopicTable: the topics of an image in the order of one of their properties, of which a copy costs little.
//
//   table := chunk*      chunk := topic*      sorted; a chunk that somebody else may see is never changed but replaced
//
// A copy shares all chunks, so that an image with one more topic costs the same whether there are ten or a hundred
// thousand.
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <vector>

namespace millrace::replication {

template <class Topic, auto KeyOf>
class TopicTable {
  using Chunk = std::vector<Topic>;
  static constexpr size_t most_in_chunk = 64;

 public:
  class Iterator {
   public:
    using value_type = Topic;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    Iterator() = default;
    Iterator(const TopicTable* table, size_t chunk) : table_(table), chunk_(chunk) {}
    const Topic& operator*() const { return (*table_->chunks_[chunk_])[at_]; }
    const Topic* operator->() const { return &**this; }
    Iterator& operator++() {
      if (++at_ == table_->chunks_[chunk_]->size()) {
        ++chunk_;
        at_ = 0;
      }
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const TopicTable* table_ = nullptr;
    size_t chunk_ = 0;
    size_t at_ = 0;
  };

  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, chunks_.size()}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Null when there is none.
  template <class Key>
  Topic find(const Key& key) const {
    const size_t index = chunk_of(key);
    if (index == chunks_.size()) return nullptr;
    const Chunk& chunk = *chunks_[index];
    const auto at = std::ranges::lower_bound(chunk, key, std::ranges::less(), KeyOf);
    return at == chunk.end() || KeyOf(*at) != key ? nullptr : *at;
  }
  // In the place of the one with the same key, if there is one.
  void put(Topic topic) {
    if (chunks_.empty()) {
      chunks_.push_back(std::make_shared<Chunk>(1, std::move(topic)));
      size_ = 1;
      return;
    }
    const auto& key = KeyOf(topic);
    const size_t index = std::min(chunk_of(key), chunks_.size() - 1);
    Chunk changed = *chunks_[index];
    const auto at = std::ranges::lower_bound(changed, key, std::ranges::less(), KeyOf);
    if (at != changed.end() && KeyOf(*at) == key) {
      *at = std::move(topic);
    } else {
      changed.insert(at, std::move(topic));
      ++size_;
    }
    replace(index, std::move(changed));
  }
  template <class Key>
  void erase(const Key& key) {
    const size_t index = chunk_of(key);
    if (index == chunks_.size()) return;
    Chunk changed = *chunks_[index];
    const auto at = std::ranges::lower_bound(changed, key, std::ranges::less(), KeyOf);
    if (at == changed.end() || KeyOf(*at) != key) return;
    changed.erase(at);
    --size_;
    replace(index, std::move(changed));
  }

 private:
  // The first that ends at or behind `key`; the number of chunks when there is none.
  template <class Key>
  size_t chunk_of(const Key& key) const {
    const auto last_key = [](const std::shared_ptr<const Chunk>& chunk) -> decltype(auto) {
      return KeyOf(chunk->back());
    };
    return static_cast<size_t>(std::ranges::lower_bound(chunks_, key, std::ranges::less(), last_key) - chunks_.begin());
  }
  void replace(size_t index, Chunk changed) {
    const auto at = chunks_.begin() + static_cast<std::ptrdiff_t>(index);
    if (changed.empty()) {
      chunks_.erase(at);
      return;
    }
    if (changed.size() > most_in_chunk) {
      const auto middle = changed.begin() + most_in_chunk / 2;
      chunks_.insert(at + 1,
                     std::make_shared<Chunk>(std::make_move_iterator(middle), std::make_move_iterator(changed.end())));
      changed.erase(middle, changed.end());
    }
    changed.shrink_to_fit();
    chunks_[index] = std::make_shared<Chunk>(std::move(changed));
  }

  std::vector<std::shared_ptr<const Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace millrace::replication
