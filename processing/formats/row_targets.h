// The columns that a decoder fills, as arrays with some room: a row is written in place, and counts once it is
// complete. What a row that came to nothing has left behind is overwritten by the next.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "processing/column.h"

namespace millrace::processing {

struct FieldSlot;

class RowTargets {
 public:
  // columns[i] belongs to field i, all of which are there; null: nobody reads it. Room for `rows` more to begin with;
  // what stays unused goes with the RowTargets.
  RowTargets(std::span<ColumnBuilder* const> columns, size_t rows);
  ~RowTargets();
  RowTargets(const RowTargets&) = delete;

  bool wanted(size_t field) const { return field < columns_.size() && columns_[field].builder != nullptr; }
  // Where the value of the row that has begun goes; null: nobody reads it.
  template <class T>
  T* slot(size_t field) const {
    void* const values = columns_[field].values;
    return values == nullptr ? nullptr : static_cast<T*>(values) + row_;
  }
  // Before each row.
  void begin_row() {
    if (row_ == room_) grow();
  }
  template <class T>
  void set(size_t field, const T& value) {
    static_cast<T*>(columns_[field].values)[row_] = value;
  }
  // Text that is kept with the column.
  void set_copied(size_t field, std::string_view text) { set(field, columns_[field].builder->arena().store(text)); }
  void set_slot(size_t field, const FieldSlot& slot);
  // Only for the row that is ended next, as nothing takes it back.
  void set_null(size_t field) { columns_[field].builder->set_null(start(field) + row_); }
  void end_row() { ++row_; }
  size_t rows() const { return row_; }

 private:
  struct Target {
    ColumnBuilder* builder = nullptr;
    void* values = nullptr;  // of the first new row
    size_t start = 0;
  };
  void grow();
  size_t start(size_t field) const { return columns_[field].start; }
  std::vector<Target> columns_;
  size_t row_ = 0;
  size_t room_;
};

// RowDecoder::decode_all for a decoder of this very class: a final one is called without going through its table.
template <class Decoder>
void decode_each(Decoder& decoder, std::span<const std::optional<std::string_view>> records,
                 std::span<ColumnBuilder* const> columns, std::vector<uint32_t>& rows) {
  RowTargets targets(columns, records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    targets.begin_row();
    if (decoder.decode_into(records[r], targets)) rows.push_back(static_cast<uint32_t>(r));
  }
}

}  // namespace millrace::processing
