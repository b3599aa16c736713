// JSON records as rows: the quick way through them gives what the thorough one gives, row, nothing or failure.
// Input: options (one byte), the needed columns (two bytes), records with 0x01 between them, all for one decoder.
#include <optional>
#include <string>
#include <string_view>

#include "processing/formats/format.h"
#include "processing/formats/quote_index.h"
#include "processing/formats/row_targets.h"
#include "processing/jobs/job_failure.h"
#include "protocol/check.h"
#include "tests/fuzz/fuzzer.h"

using namespace millrace;
using namespace millrace::processing;

namespace {

const std::vector<Field>& schema() {
  static const std::vector<Field> fields{
      {"id", DataType::bigint()},
      {"count", DataType::integer()},
      {"small", DataType::smallint()},
      {"tiny", DataType::tinyint()},
      {"name", DataType::string()},
      {"a rather long name, longer than sixteen", DataType::string()},
      {"at", DataType::timestamp(3)},
      {"instant", DataType::timestamp_ltz(6)},
      {"flag", DataType::boolean()},
      {"real", DataType::double_()},
      {"price", DataType::decimal(10, 2)},
      {"day", DataType::date()},
      {"bytes", DataType::bytes()},
      {"list", DataType::array(DataType::integer())},
      {"map", DataType::map(DataType::string(), DataType::bigint())},
      {"row", DataType::row({{"x", DataType::integer()}, {"y", DataType::string()}})},
  };
  return fields;
}

FormatOptions options_of(uint8_t bits) {
  FormatOptions options;
  if ((bits & 1) != 0) options["ignore-parse-errors"] = "true";
  if ((bits & 2) != 0 && (bits & 1) == 0) options["fail-on-missing-field"] = "true";
  if ((bits & 12) == 4) options["timestamp-format.standard"] = "ISO-8601";
  if ((bits & 12) == 8) options["timestamp-format.standard"] = "ISO-8601-WITH-OFFSET";
  return options;
}

std::string failure_text(const JobFailure& failure) {
  std::string text = "failed";
  for (const Cause& cause : failure.causes()) text += "\n" + cause.type + ": " + cause.message;
  return text;
}

// What one record comes to, by `read`, which fills the columns and says whether there is a row.
template <class Read>
std::string outcome(uint16_t needed, Read read) {
  std::vector<ColumnBuilder> builders;
  for (const Field& field : schema()) builders.emplace_back(field.type);
  std::vector<ColumnBuilder*> columns;
  for (size_t i = 0; i < builders.size(); ++i) columns.push_back((needed >> i & 1) != 0 ? &builders[i] : nullptr);
  bool row = false;
  try {
    row = read(columns);
  } catch (const JobFailure& failure) {
    for (const ColumnBuilder& builder : builders) check(builder.size() == 0);
    return failure_text(failure);
  }
  std::string text = row ? "row" : "none";
  for (size_t i = 0; i < builders.size(); ++i) {
    if (columns[i] == nullptr) continue;
    check(builders[i].size() == (row ? 1 : 0));
    if (!row) continue;
    const Value value = builders[i].finish().value(0);
    text += '|';
    append_value(text, value);
  }
  return text;
}

uint64_t state = 7;
uint64_t below(uint64_t bound) {
  state = state * 6364136223846793005 + 1442695040888963407;
  return (state >> 33) % bound;
}

std::string_view any_value() {
  static constexpr std::string_view values[] = {"0",
                                                "7",
                                                "-12",
                                                "12345678",
                                                "123456789",
                                                "1234567890123456",
                                                "9223372036854775807",
                                                "-9223372036854775808",
                                                "9223372036854775808",
                                                "12345678901234567890123",
                                                "00",
                                                "-",
                                                "-0",
                                                "1.5",
                                                "-1e3",
                                                "1E400",
                                                "1.",
                                                "127",
                                                "128",
                                                "32768",
                                                "2147483648",
                                                "true",
                                                "false",
                                                "null",
                                                "nul",
                                                "truex",
                                                "\"\"",
                                                "\"12\"",
                                                "\" 12 \"",
                                                "\"TRUE\"",
                                                "\"plain text that is longer than thirty-two bytes, and than that\"",
                                                R"("with \"quotes\" and \\")",
                                                R"("\\\\")",
                                                R"("\u00e9\ud83d\ude00\ud83d \udc00\b\f\n\r\t\/")",
                                                R"("\x")",
                                                R"("\u12")",
                                                "\"Gr\xc3\xbc\xc3\x9f"
                                                "e \xe6\x97\xa5 \xf0\x9f\x98\x80\"",
                                                "\"\xff\"",
                                                "\"\xc3\"",
                                                "\"\xed\xa0\x80\"",
                                                "\"a\tb\x02\"",
                                                "\"2024-02-29 23:59:59.123\"",
                                                "\"2024-02-29 23:59:59\"",
                                                "\"2024-02-29 23:59:59.1\"",
                                                "\"2024-02-29 23:59:59.\"",
                                                "\"2024-02-30 23:59:59.12\"",
                                                "\"2024-02-29 24:00:00\"",
                                                "\"2024-02-29 23:59:59.123456789\"",
                                                "\"2024-02-29 23:59:59.123Z\"",
                                                "\"2024-02-29T23:59:59.123\"",
                                                "\"2024-02-29T23:59:59.123Z\"",
                                                "\"2024-02-29T23:59:59+01:00\"",
                                                "\"2024-02-29\"",
                                                "\"AQID\"",
                                                "[1,2,3]",
                                                "[]",
                                                "[1,\"x\"]",
                                                "{\"x\":1,\"y\":\"z\"}",
                                                "{ \"x\" : [ {\"a\":null} , 1.50 ] }",
                                                "{}",
                                                "[[[[[]]]]]"};
  return values[below(std::size(values))];
}

std::string_view space() {
  static constexpr std::string_view spaces[] = {"", "", "", "", "", " ", "\n\t", " \r\n "};
  return spaces[below(std::size(spaces))];
}

std::string_view fitting_value(const DataType& type) {
  switch (type.root) {
    case TypeRoot::varchar:
      return "\"some text\"";
    case TypeRoot::timestamp:
      return "\"2024-01-31 10:20:30.456\"";
    case TypeRoot::timestamp_ltz:
      return "\"2024-01-31 10:20:30.456Z\"";
    case TypeRoot::boolean:
      return "true";
    case TypeRoot::date:
      return "\"2024-01-31\"";
    case TypeRoot::varbinary:
      return "\"AQID\"";
    case TypeRoot::array:
      return "[1,2]";
    case TypeRoot::map:
      return "{\"k\":5}";
    case TypeRoot::row:
      return "{\"x\":1,\"y\":\"z\"}";
    default:
      return "12";
  }
}

std::string any_record() {
  std::string out = std::string(space()) + "{";
  bool first = true;
  for (size_t i = 0; i < schema().size(); ++i) {
    if (below(8) == 0) continue;
    const Field& field = schema()[below(10) == 0 ? below(schema().size()) : i];
    for (int unknown = below(10) == 0 ? 1 : 0; unknown >= 0; --unknown) {
      if (!first) out += ",";
      first = false;
      out += std::string(space()) + "\"" + (unknown == 1 ? "unknown" : field.name) + "\"" + std::string(space()) + ":" +
             std::string(space());
      out += below(4) == 0 ? any_value() : fitting_value(field.type);
      out += space();
    }
  }
  return out + "}" + (below(10) == 0 ? "rest" : "");
}

std::string near_value(const DataType& type) {
  const auto digits = [](size_t most) {
    std::string text;
    for (size_t n = 1 + below(most); n > 0; --n) text.push_back(static_cast<char>('0' + below(10)));
    return text;
  };
  switch (type.root) {
    case TypeRoot::bigint:
    case TypeRoot::integer:
    case TypeRoot::smallint:
      return (below(4) == 0 ? "-" : "") + digits(below(4) == 0 ? 20 : 9);
    case TypeRoot::double_:
    case TypeRoot::decimal:
      return digits(9) + "." + digits(below(8) == 0 ? 20 : 4);
    case TypeRoot::timestamp:
      return "\"2024-01-31 10:20:" + digits(2) + "." + digits(3) + "\"";
    case TypeRoot::timestamp_ltz:
      return "\"2024-01-31 10:20:" + digits(2) + "." + digits(3) + "Z\"";
    default:
      return std::string(fitting_value(type));
  }
}

// Records that look alike, as those of one topic do, but for a value here and there.
std::string alike_records() {
  struct Part {
    std::string before;
    const Field* field;
  };
  static const Field unknown{"unknown", DataType::bigint()};
  std::vector<Part> parts;
  const std::string between(space()), colon(space()), tail(space());
  for (const Field& field : schema()) {
    if (below(3) == 0 || fitting_value(field.type).front() == '[' || fitting_value(field.type).front() == '{') continue;
    const Field& named = below(12) == 0 ? unknown : field;
    parts.push_back({(parts.empty() ? "{" : ",") + between + "\"" + named.name + "\":" + colon, &named});
  }
  std::string out;
  for (uint64_t n = 2 + below(6); n > 0; --n) {
    std::string record = parts.empty() ? "{" : "";
    for (const Part& part : parts) {
      const uint64_t kind = below(12);
      record += part.before;
      record += kind == 0 ? any_value() : kind < 4 ? near_value(part.field->type) : fitting_value(part.field->type);
      if (below(60) == 0) record += space();
    }
    record += tail + "}";
    if (below(6) == 0) record[below(record.size())] = static_cast<char>(" \",:}x0\x80"[below(8)]);
    if (below(12) == 0) record.resize(below(record.size()));
    out += (out.empty() ? "" : "\1") + record;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const FormatOptions options = options_of(data[0]);
  const auto needed = static_cast<uint16_t>(data[1] | data[2] << 8);
  std::vector<bool> wanted;
  for (size_t i = 0; i < schema().size(); ++i) wanted.push_back((needed >> i & 1) != 0);
  const std::unique_ptr<RowDecoder> quick = make_decoder("json", options, schema(), wanted);
  const std::unique_ptr<RowDecoder> thorough = make_decoder("json", options, schema(), wanted);
  std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  for (bool more = true; more;) {
    const size_t end = rest.find('\1');
    // A copy of its own, so that reading past its end is noticed.
    const std::string record(rest.substr(0, end));
    more = end != std::string_view::npos;
    if (more) rest.remove_prefix(end + 1);

    const std::string expected = outcome(needed, [&](std::span<ColumnBuilder* const> columns) {
      if (!thorough->decode(record)) return false;
      for (size_t i = 0; i < columns.size(); ++i)
        if (columns[i] != nullptr) thorough->slots()[i].append_to(*columns[i]);
      return true;
    });
    const std::string actual = outcome(needed, [&](std::span<ColumnBuilder* const> columns) {
      const std::optional<std::string_view> records[] = {record};
      std::vector<uint32_t> rows;
      quick->decode_all(records, columns, rows);
      return !rows.empty();
    });
    check(actual == expected);

    QuoteIndex portable(0);
    portable.build(record);
    for (size_t way = 1; way < QuoteIndex::ways(); ++way) {
      QuoteIndex index(way);
      index.build(record);
      check(index.count() == portable.count() && index.escapes() == portable.escapes() &&
            index.non_ascii() == portable.non_ascii());
      for (size_t i = 0; i <= index.count(); ++i) check(index.places()[i] == portable.places()[i]);
    }
  }
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  state = number;
  std::string records = number % 2 == 0 ? alike_records() : "";
  if (records.empty())
    for (uint64_t n = 1 + below(4); n > 0; --n) records += (records.empty() ? "" : "\1") + any_record();
  std::vector<uint8_t> bytes = {static_cast<uint8_t>(below(16)), 0xff, 0xff};
  if (below(2) == 0) bytes[1] = static_cast<uint8_t>(below(256)), bytes[2] = static_cast<uint8_t>(below(256));
  bytes.insert(bytes.end(), records.begin(), records.end());
  return bytes;
}
