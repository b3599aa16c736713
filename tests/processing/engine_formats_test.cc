// Jobs over each format, and over records that are not what the format says.
#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "processing/connectors/partitioner.h"
#include "processing/formats/format.h"
#include "processing/formats/json_reader.h"
#include "processing/formats/number_text.h"
#include "processing/functions/json_text.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

// The one row of a record as text, "-" for no row, or what is wrong with it.
std::string decoded(RowDecoder& decoder, const std::vector<Field>& fields, std::optional<std::string_view> record) {
  try {
    if (!decoder.decode(record)) return "-";
  } catch (const JobFailure& failure) {
    return failure.root().message;
  }
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i) {
    ColumnBuilder column(fields[i].type);
    decoder.slots()[i].append_to(column);
    text += (i > 0 ? "|" : "") + cell_text(column.finish().value(0), fields[i].type);
  }
  return text;
}

std::string json_row(const std::vector<Field>& fields, std::string_view record, const FormatOptions& options = {}) {
  return decoded(*make_decoder("json", options, fields, {}), fields, record);
}

std::string csv_row(const std::vector<Field>& fields, std::string_view record, const FormatOptions& options = {}) {
  return decoded(*make_decoder("csv", options, fields, {}), fields, record);
}

std::string encoded(const std::string& format, const std::vector<Field>& fields, const Row& row,
                    const FormatOptions& options = {}) {
  std::vector<Column> columns;
  for (size_t i = 0; i < fields.size(); ++i)
    columns.push_back(Column::from_values(fields[i].type, std::span(&row[i], 1)));
  return make_encoder(format, options, fields)->encode(columns, 0).value_or("\\N");
}

const std::vector<Field> id_name{{"id", DataType::integer()}, {"name", DataType::string()}};

}  // namespace

TEST_CASE("JSON values become what the column wants where that is possible") {
  CHECK(json_row(id_name, R"({"id":" 7 ","name":5})") == "7|5");
  CHECK(json_row(id_name, R"({"id":3.9,"name":{"x" : [1, "b", 1.50]}})") == R"(3|{"x":[1,"b",1.5]})");
  CHECK(json_row(id_name, R"({"other":[{"id":9}],"name":true})") == "<NULL>|true");
  CHECK(json_row(id_name, R"({"id":"x"})") == "Fail to deserialize at field: id.");
  CHECK(json_row(id_name, R"({"id":"x","name":"a"})", {{"ignore-parse-errors", "true"}}) == "<NULL>|a");
  CHECK(json_row({{"b", DataType::boolean()}}, R"({"b":"TRUE"})") == "TRUE");
  CHECK(json_row({{"d", DataType::decimal(4, 1)}}, R"({"d":1.25})") == "1.3");
  CHECK(json_row({{"d", DataType::decimal(4, 1)}}, R"({"d":12345})") == "<NULL>");
}

TEST_CASE("a JSON document is read as far as the schema needs it") {
  CHECK(json_row(id_name, R"({"id":1,"name":"a"} rest)") == "1|a");
  CHECK(json_row(id_name, R"({"id":1,"id":2,"name":"starved"})") == "2|<NULL>");
  CHECK(json_row(id_name, "") == "-");
  CHECK(json_row(id_name, "[1]") == "No content to map due to end-of-input");
  CHECK(json_row(id_name, R"({"id":1)").starts_with("Unexpected end-of-input: expected close marker for Object"));
  CHECK(json_row(id_name, R"({"id":1,)") == "Unexpected end-of-input within/between Object entries");
  CHECK(json_row(id_name, R"({"id" 1})") ==
        "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value");
  CHECK(json_row(id_name, R"({"x":nul})") ==
        "Unrecognized token 'nul': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or "
        "'false')");
  CHECK(json_row(id_name, R"({"id":1})", {{"fail-on-missing-field", "true"}}) ==
        "Some field is missing in the JSON data.");
}

TEST_CASE("hostile JSON is refused, not followed") {
  CHECK(json_row(id_name, std::string(100'000, '{')).starts_with("Unexpected character"));
  CHECK(json_row(id_name, "{\"x\":" + std::string(100'000, '[')).starts_with("Document nesting depth (1001)"));
  CHECK(json_row(id_name, "{\"name\":\"\xff\"}") == "Fail to deserialize at field: name.");
  CHECK(json_row(id_name, "{\"name\":\"\\u12\"}") == "Fail to deserialize at field: name.");
}

TEST_CASE("JSON is written with Jackson's bytes") {
  const std::vector<Field> fields{
      {"d", DataType::decimal(20, 10)}, {"f", DataType::double_()}, {"s", DataType::string()}};
  const Row row{Value::decimal(1), Value::double_(1e10), Value::text("tab\t \"é\" \xf0\x9f\x98\x80")};
  CHECK(encoded("json", fields, row) == R"({"d":1E-10,"f":1.0E10,"s":"tab\t \"é\" \uD83D\uDE00"})");
  CHECK(encoded("json", fields, {Value(), Value(), Value()}) == R"({"d":null,"f":null,"s":null})");
  CHECK(encoded("json", fields, {Value(), Value(), Value::text("x")}, {{"encode.ignore-null-fields", "true"}}) ==
        R"({"s":"x"})");
  CHECK(stripped_decimal_text("100e18") == "1E+20");
  CHECK(stripped_decimal_text("0.00150") == "0.0015");
}

TEST_CASE("text keeps its characters wherever one that JSON escapes stands") {
  const std::vector<Field> fields{{"s", DataType::string()}};
  const std::unique_ptr<RowEncoder> encoder = make_encoder("json", {}, fields);
  for (size_t size = 0; size < 70; ++size) {
    for (const std::string_view special :
         {"", "\"", "\\", "\x01", "\x1f", " ", "\x7f", "\xc3\xa9", "\xf0\x9f\x98\x80"}) {
      for (size_t at = 0; at <= size; at += special.empty() ? 100 : 1) {
        const std::string text = std::string(at, 'a') + std::string(special) + std::string(size - at, 'b');
        std::string expected = "{\"s\":";
        append_json_string(expected, text, true);
        const Row row{Value::text(text)};
        const std::vector<Column> columns{Column::from_values(fields[0].type, row)};
        std::string out = "before";
        std::vector<size_t> ends;
        const uint32_t rows[] = {0, 0};
        encoder->encode_all(columns, rows, out, ends);
        REQUIRE(out == "before" + expected + "}" + expected + "}");
        REQUIRE(ends == std::vector<size_t>{6 + expected.size() + 1, 6 + 2 * expected.size() + 2});
      }
    }
  }
}

TEST_CASE("a byte that begins no character does not hide a quote behind it") {
  for (const bool as_bytes : {false, true}) {
    for (const std::string_view stray : {"\xf0", "\xf5", "\xff", "\xf0\x9f", "\xf0\x9f\x98", "\xf8\x80\x80\x80"}) {
      std::string out;
      append_json_string(out, std::string(stray) + "\"x", as_bytes);
      CHECK(out == "\"" + std::string(stray) + "\\\"x\"");
    }
  }
  std::string pair;
  append_json_string(pair, "\xf0\x9f\x98\x80", true);
  CHECK(pair == "\"\\uD83D\\uDE00\"");
}

TEST_CASE("numbers of every length are written as they are") {
  const std::vector<Field> fields{{"n", DataType::bigint()}};
  std::vector<int64_t> numbers{0, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  for (int64_t power = 1; power < 1'000'000'000'000'000'000; power *= 10)
    for (const int64_t n : {power - 1, power, power + 1, power * 7 + 3, power / 3}) {
      numbers.push_back(n);
      numbers.push_back(-n);
    }
  for (const int64_t n : numbers) {
    const std::string text = "{\"n\":" + std::to_string(n) + "}";
    REQUIRE(encoded("json", fields, {Value::integer(n)}) == text);
    const std::unique_ptr<RowDecoder> decoder = make_decoder("json", {}, fields, {});
    ColumnBuilder column(fields[0].type);
    ColumnBuilder* const columns[] = {&column};
    const std::optional<std::string_view> records[] = {text};
    std::vector<uint32_t> rows;
    decoder->decode_all(records, columns, rows);
    REQUIRE(column.finish().at<int64_t>(0) == n);
  }
}

TEST_CASE("timestamps are read and written quickly as they are slowly") {
  for (const TimestampStandard standard :
       {TimestampStandard::sql, TimestampStandard::iso_8601, TimestampStandard::iso_8601_with_offset}) {
    for (const bool zoned : {false, true}) {
      TimestampReader reader(standard, zoned);
      TimestampWriter writer(standard, zoned);
      uint64_t state = 3;
      int64_t near = 0;
      for (int i = 0; i < 20'000; ++i) {
        state = state * 6364136223846793005 + 1442695040888963407;
        const uint64_t random = state >> 20;
        // Now and then far apart, else in the same minute, day or year.
        const int64_t span = i % 7 == 0 ? 400'000'000'000'000 : i % 3 == 0 ? 40'000'000'000'000 : 200'000'000;
        TimestampValue value{static_cast<int64_t>(random % static_cast<uint64_t>(span)) - span / 3, 0};
        if (i % 4 != 0) value.millis = near + static_cast<int64_t>(random % 60'500) - 250;
        near = value.millis - value.millis % 60'000;
        if (i % 5 == 0) value.millis -= value.millis % 1000;
        if (i % 5 == 1) value.millis -= value.millis % 100;
        if (i % 11 == 0) value.nanos = static_cast<int32_t>(random % 1'000'000);
        std::string text = format_timestamp(value, standard, zoned);
        std::array<char, TimestampWriter::longest> buffer{};
        REQUIRE(std::string_view(buffer.data(), writer.write(buffer.data(), value)) == text);
        if (standard == TimestampStandard::iso_8601_with_offset && !zoned) text += 'Z';
        if (value.millis >= -62'000'000'000'000 && value.millis < 253'000'000'000'000)
          REQUIRE(reader.read(text) == value);
        else
          REQUIRE(reader.read(text) == parse_timestamp(text, standard, zoned));
        static constexpr std::string_view others = "0123456789-:. TZ/+x";
        text[random % text.size()] = others[(random >> 12) % others.size()];
        REQUIRE(reader.read(text) == parse_timestamp(text, standard, zoned));
      }
    }
  }
}

TEST_CASE("what is near a timestamp that was read is read as the slow way does, or not at all") {
  for (const bool zoned : {false, true}) {
    TimestampReader reader(TimestampStandard::sql, zoned);
    const std::string known = std::string("2026-01-31 10:20:30.456") + (zoned ? "Z" : "");
    int64_t millis = 0;
    CHECK_FALSE(reader.read_near(known, millis));
    REQUIRE(reader.read(known));
    for (size_t place = 0; place < known.size(); ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string text = known;
        text[place] = static_cast<char>(c);
        const std::optional<TimestampValue> expected = parse_timestamp(text, TimestampStandard::sql, zoned);
        if (reader.read_near(text, millis)) {
          REQUIRE(expected.has_value());
          REQUIRE(millis == expected->millis);
        } else {
          // Seconds and milliseconds are what may differ.
          REQUIRE((place < 17 || !expected.has_value()));
        }
      }
    }
  }
}

TEST_CASE("a record that looks like one before is read as it would be by itself") {
  const std::vector<Field> fields{
      {"id", DataType::bigint()},  {"name", DataType::string()},   {"n", DataType::integer()},
      {"d", DataType::double_()},  {"at", DataType::timestamp(3)}, {"p", DataType::decimal(6, 2)},
      {"ok", DataType::boolean()}, {"day", DataType::date()},      {"missing", DataType::string()}};
  const std::vector<std::string> usual{"12",   R"("a, b: c")",   "7", "-1.25", R"("2026-01-01 10:20:30.456")", "12.5",
                                       "true", R"("2026-02-28")"};
  const std::vector<std::vector<std::string>> others{
      {"0",
       "-7",
       "01",
       "-",
       "",
       "12x",
       "1.5",
       "1e3",
       "null",
       "nul",
       "true",
       "\"5\"",
       "{}",
       "[1]",
       "123456789",
       "-12345678",
       "-123456789012345",
       "1234567890123456",
       "12345678901234567",
       "9223372036854775807",
       "9223372036854775808"},
      {"\"\"", R"("x\"y")", "\"Gr\xc3\xbc\xc3\x9f\x65\"", "\"\xff\"", R"("a"b")", "null", "5", R"("a","name":"b")"},
      {"2147483647", "2147483648", "-2147483648", "00", "null", "1.0"},
      {"0.1", "-0", "1.", "1e400", "5", "null", "\"NaN\"", "123456789.123456789", "0.30000000000000004",
       "9007199254740993"},
      {R"("2026-01-01 10:20:59.999")", R"("2026-01-01 10:20:60.000")", R"("2026-01-01 10:20:3a.000")",
       R"("2026-01-01 10:21:30.456")", R"("2026-01-01T10:20:30.456")", R"("2026-01-01 10:20:30.4567")",
       R"("2026-01-01 10:20:30")", R"("2026-02-30 10:20:30.456")", "null"},
      {"12", "-0.005", "0.004", "123456", "9999.99", "9999.995", "10000", "1e2", "null", "\"1.5\"", "00.5"},
      {"false", "null", "tru", "\"true\"", "1"},
      {R"("2024-02-29")", R"("2026-02-29")", R"("2026-02-2")", "null"}};
  for (const std::string_view between : {"", " ", "\n  "}) {
    const auto record = [&](const std::vector<std::string>& values) {
      std::string text = "{";
      for (size_t i = 0; i < values.size(); ++i)
        text +=
            (i > 0 ? "," : "") + std::string(between) + '"' + fields[i].name + "\":" + std::string(between) + values[i];
      return text + ",\"a name that no field has\":1.5e3" + std::string(between) + "}";
    };
    for (size_t field = 0; field < others.size(); ++field) {
      for (const std::string& other : others[field]) {
        std::vector<std::string> values = usual;
        values[field] = other;
        const std::string text = record(values), before = record(usual);
        const std::string expected = json_row(fields, text);
        const std::unique_ptr<RowDecoder> decoder = make_decoder("json", {}, fields, {});
        std::vector<ColumnBuilder> columns;
        for (const Field& one : fields) columns.emplace_back(one.type);
        std::vector<ColumnBuilder*> targets;
        for (ColumnBuilder& column : columns) targets.push_back(&column);
        const std::optional<std::string_view> records[] = {before, before, text};
        std::vector<uint32_t> rows;
        std::string actual;
        try {
          decoder->decode_all(records, targets, rows);
          for (size_t i = 0; i < fields.size(); ++i)
            actual += (i > 0 ? "|" : "") + cell_text(columns[i].finish().value(2), fields[i].type);
        } catch (const JobFailure& failure) {
          actual = failure.root().message;
        }
        CAPTURE(text);
        CHECK(actual == expected);
      }
    }
  }
}

TEST_CASE("a bad record among many leaves the rows before it whole") {
  const std::unique_ptr<RowDecoder> decoder = make_decoder("json", {}, id_name, {});
  ColumnBuilder id(id_name[0].type);
  ColumnBuilder name(id_name[1].type);
  ColumnBuilder* const columns[] = {&id, &name};
  const std::optional<std::string_view> records[] = {R"({"id":1,"name":"a"})", std::nullopt, R"({"name":null,"id":2})",
                                                     R"({"id":3,"name":"c" x)"};
  std::vector<uint32_t> rows;
  CHECK_THROWS_AS(decoder->decode_all(records, columns, rows), JobFailure);
  CHECK(rows == std::vector<uint32_t>{0, 2});
  CHECK(id.size() == 2);
  const Column names = name.finish();
  CHECK(names.size() == 2);
  CHECK(names.at<std::string_view>(0) == "a");
  CHECK(names.is_null(1));
}

TEST_CASE("CSV follows quotes, escapes and the schema's width") {
  CHECK(csv_row(id_name, "1,\"say \"\"hi\"\", you\"") == "1|say \"hi\", you");
  CHECK(csv_row(id_name, "1,") == "1|");
  CHECK(csv_row(id_name, ",a") == "For input string: \"\"");
  CHECK(csv_row(id_name, "1") == "Row length mismatch. 2 fields expected but was 1.");
  CHECK(csv_row(id_name, "1,a,b") == "Too many entries: expected at most 2 (value #2 (1 chars) \"b\")");
  CHECK(encoded("csv", id_name, {Value::integer(1), Value::text("a b")}) == "1,\"a b\"");
  CHECK(encoded("csv", id_name, {Value::integer(1), Value::text("ab")}) == "1,ab");
}

TEST_CASE("keys go where Kafka's own producer sends them") {
  CHECK(partition_of_key("a", 4) == 0);
  CHECK(partition_of_key("c", 4) == 2);
  CHECK(partition_of_key("hello", 4) == 1);
  CHECK(partition_of_key("user-42", 4) == 0);
}

}  // namespace millrace::processing
