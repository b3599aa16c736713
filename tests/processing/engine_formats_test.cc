// Jobs over each format, and over records that are not what the format says.
#include <doctest/doctest.h>

#include "processing/connectors/partitioner.h"
#include "processing/formats/format.h"
#include "processing/formats/json_reader.h"
#include "processing/formats/number_text.h"
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
