// Formats: how rows look as the bytes of a record's key or value. json, csv and raw, with Flink's options, coercions,
// output bytes and error messages.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/column.h"
#include "processing/formats/time_format.h"
#include "processing/types.h"

namespace millrace::processing {

using FormatOptions = std::map<std::string, std::string>;  // without the format's prefix: ignore-parse-errors = true

// One field of the row being decoded. Which member holds the value follows from the column's physical type.
struct FieldSlot {
  bool null = true;
  bool borrowed = false;  // text looks into the record itself, not into the decoder
  int64_t integer = 0;    // booleans too
  float single = 0;
  double real = 0;
  Int128 decimal = 0;
  std::string_view text;
  TimestampValue time;
  Value boxed;

  void append_to(ColumnBuilder& column) const;
};

class RowTargets;

class RowDecoder {
 public:
  virtual ~RowDecoder() = default;
  // Reads one record. True: a row, its fields in slots() until the next call. False: the record is no row.
  // Throws JobFailure, with what Flink would throw.
  virtual bool decode(std::optional<std::string_view> record) = 0;
  std::span<const FieldSlot> slots() const { return slots_; }
  // Reads one record as the row of some columns that has begun. False, or a failure: no row, and nothing is left
  // behind. Text may look into the record.
  virtual bool decode_into(std::optional<std::string_view> record, RowTargets& targets);
  // The same for many records: the number in `records` of each one that is a row goes to `rows`. columns[i] belongs to
  // field i; null: nobody reads it.
  virtual void decode_all(std::span<const std::optional<std::string_view>> records,
                          std::span<ColumnBuilder* const> columns, std::vector<uint32_t>& rows);
  // The slots as the next row.
  void put_slots(RowTargets& targets) const;
  // How Flink wraps what fails while it handles this record: "java.io.IOException", "Failed to deserialize …". An empty
  // type: it does not.
  virtual std::pair<std::string, std::string> context(std::string_view record) const = 0;
  // What fails further down the chain is swallowed together with bad records.
  virtual bool ignores_errors() const { return false; }

 protected:
  explicit RowDecoder(std::vector<Field> fields) : fields_(std::move(fields)), slots_(fields_.size()) {}
  std::vector<Field> fields_;
  std::vector<FieldSlot> slots_;
};

class RowEncoder {
 public:
  virtual ~RowEncoder() = default;
  // The bytes of one row, columns[i] being the field i. Nothing: a null record. Throws JobFailure.
  virtual std::optional<std::string> encode(std::span<const Column> columns, size_t row) = 0;
  // Many rows at once, one behind the other; `ends` gets where each one ends in `out`, or null_row.
  static constexpr size_t null_row = static_cast<size_t>(-1);
  virtual void encode_all(std::span<const Column> columns, std::span<const uint32_t> rows, std::string& out,
                          std::vector<size_t>& ends);
};

// `needed`: fields whose values somebody reads; the others are checked but not kept. Unknown formats and options have
// been refused by the planner.
std::unique_ptr<RowDecoder> make_decoder(const std::string& format, const FormatOptions& options,
                                         std::vector<Field> fields, std::vector<bool> needed);
std::unique_ptr<RowEncoder> make_encoder(const std::string& format, const FormatOptions& options,
                                         std::vector<Field> fields);

// The options of a table that belong to one format: prefix "json.", "key.json.", "value.json.".
FormatOptions options_of(const std::map<std::string, std::string>& table, std::string_view prefix);
bool flag(const FormatOptions& options, const std::string& name, bool otherwise = false);

std::unique_ptr<RowDecoder> make_json_decoder(const FormatOptions&, std::vector<Field>, std::vector<bool> needed);
std::unique_ptr<RowEncoder> make_json_encoder(const FormatOptions&, std::vector<Field>);
std::unique_ptr<RowDecoder> make_csv_decoder(const FormatOptions&, std::vector<Field>, std::vector<bool> needed);
std::unique_ptr<RowEncoder> make_csv_encoder(const FormatOptions&, std::vector<Field>);
std::unique_ptr<RowDecoder> make_raw_decoder(const FormatOptions&, std::vector<Field>);
std::unique_ptr<RowEncoder> make_raw_encoder(const FormatOptions&, std::vector<Field>);

// Text as Java's new String(bytes, UTF_8) makes it: what is not UTF-8 becomes U+FFFD.
std::string java_text(std::string_view bytes);

std::string base64_text(std::string_view bytes);
// Nothing: not base64.
std::optional<std::string> base64_bytes(std::string_view text);

}  // namespace millrace::processing
