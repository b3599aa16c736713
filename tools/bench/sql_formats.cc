// What the formats of SQL tables cost, in nanoseconds of one core per row: Nexmark bids as JSON in record batches,
// walked, decoded (whole, three columns, one column), and encoded into batches again; the same rows as CSV. The batches
// fit the cache, as they do right behind the checksum.
//   sql_formats [ROWS [ROUNDS [ONLY]]]       ONLY: what has this in its name
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "processing/formats/format.h"
#include "protocol/record_batch.h"

using namespace millrace;
using namespace millrace::processing;

namespace {

constexpr size_t batch_rows = 1000;
constexpr size_t distinct_rows = 4 * batch_rows;

uint64_t state = 42;
uint64_t below(uint64_t bound) {
  state = state * 6364136223846793005 + 1442695040888963407;
  return (state >> 33) % bound;
}

std::string letters(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text.push_back(static_cast<char>('a' + below(26)));
  return text;
}

const std::vector<Field> bid{{"auction", DataType::bigint()}, {"bidder", DataType::bigint()},
                             {"price", DataType::bigint()},   {"channel", DataType::string()},
                             {"url", DataType::string()},     {"dateTime", DataType::timestamp(3)},
                             {"extra", DataType::string()}};

std::string bid_json(size_t number) {
  static const char* hot[] = {"Google", "Facebook", "Baidu", "Apple"};
  std::string price = std::to_string(100 + below(below(2) == 0 ? 10'000 : 10'000'000));
  std::string channel = below(2) == 0 ? hot[below(4)] : "channel-" + std::to_string(below(10'000));
  std::string url = "https://www.nexmark.com/" + letters(5) + "/" + letters(5) + "/" + letters(5) + "/item.htm?query=1";
  if (below(10) != 0) url += "&channel_id=" + std::to_string(below(1'000'000'000));
  std::string time =
      format_timestamp({1'700'000'000'000 + static_cast<int64_t>(number) / 10, 0}, TimestampStandard::sql, false);
  return "{\"auction\":" + std::to_string(1000 + below(60'000)) +
         ",\"bidder\":" + std::to_string(1000 + below(20'000)) + ",\"price\":" + price + ",\"channel\":\"" + channel +
         "\",\"url\":\"" + url + "\",\"dateTime\":\"" + time + "\",\"extra\":\"" + letters(20 + below(60)) + "\"}";
}

double cpu_seconds() {
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + 1e-9 * static_cast<double>(at.tv_nsec);
}

std::string_view only;

// The best and the median of some rounds.
template <class F>
void measure(const char* what, size_t rows, int rounds, F pass) {
  if (std::string_view(what).find(only) == std::string_view::npos) return;
  std::vector<double> took;
  for (int i = 0; i < rounds; ++i) {
    const double from = cpu_seconds();
    for (size_t done = 0; done < rows; done += distinct_rows) pass();
    took.push_back((cpu_seconds() - from) * 1e9 / static_cast<double>(rows));
  }
  std::ranges::sort(took);
  std::printf("%-44s %8.1f ns/row   (best %.1f)\n", what, took[took.size() / 2], took.front());
}

struct Decoding {
  std::unique_ptr<RowDecoder> decoder;
  std::vector<bool> needed;

  Decoding(const std::string& format, std::vector<bool> fields)
      : decoder(make_decoder(format, {}, bid, fields)), needed(std::move(fields)) {}

  std::vector<Column> decode(std::span<const std::optional<std::string_view>> records) const {
    std::vector<ColumnBuilder> builders;
    for (const Field& field : bid) builders.emplace_back(field.type);
    std::vector<ColumnBuilder*> columns;
    for (size_t i = 0; i < bid.size(); ++i) columns.push_back(needed[i] ? &builders[i] : nullptr);
    std::vector<uint32_t> rows;
    decoder->decode_all(records, columns, rows);
    if (rows.size() != records.size()) std::abort();
    std::vector<Column> done;
    for (ColumnBuilder& builder : builders) done.push_back(builder.finish());
    return done;
  }
};

using Records = std::vector<std::optional<std::string_view>>;

Records records_of(const Bytes& bytes) {
  Records records;
  protocol::RecordReader reader{protocol::RecordBatch(bytes)};
  while (const std::optional<protocol::RecordView> record = reader.next()) records.push_back(record->value);
  return records;
}

}  // namespace

int main(int argc, char** argv) {
  size_t rows = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200'000;
  rows = std::max<size_t>(1, rows / distinct_rows) * distinct_rows;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  if (argc > 3) only = argv[3];
  std::vector<Bytes> batches;
  size_t bytes = 0;
  for (size_t row = 0; row < distinct_rows;) {
    protocol::BatchBuilder builder;
    for (size_t i = 0; i < batch_rows; ++i, ++row) {
      const std::string json = bid_json(row);
      bytes += json.size();
      builder.add(Timestamp(1'700'000'000'000), std::nullopt, json);
    }
    batches.push_back(builder.build());
  }
  std::printf("%zu rows of %.1f bytes\n", rows, static_cast<double>(bytes) / distinct_rows);

  size_t sum = 0;
  measure("walk the records", rows, rounds, [&] {
    for (const Bytes& batch : batches) {
      protocol::RecordReader reader{protocol::RecordBatch(batch)};
      while (const std::optional<protocol::RecordView> record = reader.next()) sum += record->value->size();
    }
  });

  const std::vector<bool> all(bid.size(), true);
  const Decoding whole("json", all);
  const Decoding three("json", {true, false, true, false, false, true, false});
  const Decoding one("json", {true, false, false, false, false, false, false});
  const auto decoding = [&](const char* what, const Decoding& decoding) {
    measure(what, rows, rounds, [&] {
      for (const Bytes& batch : batches) sum += decoding.decode(records_of(batch)).size();
    });
  };
  decoding("walk and decode json, all columns", whole);
  decoding("walk and decode json, three columns", three);
  decoding("walk and decode json, one column", one);

  std::vector<std::vector<Column>> columns;
  for (const Bytes& batch : batches) columns.push_back(whole.decode(records_of(batch)));
  const auto encoding = [&](const char* what, const std::string& format, std::vector<Bytes>* keep) {
    const std::unique_ptr<RowEncoder> encoder = make_encoder(format, {}, bid);
    std::vector<uint32_t> numbers;
    for (uint32_t i = 0; i < batch_rows; ++i) numbers.push_back(i);
    std::string out;
    std::vector<size_t> ends;
    measure(what, rows, rounds, [&] {
      if (keep != nullptr) keep->clear();
      for (const std::vector<Column>& batch : columns) {
        out.clear();
        ends.clear();
        encoder->encode_all(batch, std::span(numbers).first(batch[0].size()), out, ends);
        if (keep == nullptr) {
          sum += out.size();
          continue;
        }
        protocol::BatchBuilder builder;
        size_t from = 0;
        for (const size_t end : ends) {
          builder.add(Timestamp(1'700'000'000'000), std::nullopt, std::string_view(out).substr(from, end - from));
          from = end;
        }
        keep->push_back(builder.build());
      }
    });
  };
  std::vector<Bytes> again;
  encoding("encode json", "json", nullptr);
  encoding("encode json into batches", "json", &again);
  for (size_t i = 0; i < again.size(); ++i)
    if (again[i].text() != batches[i].text()) std::abort();  // what is read is written again

  std::vector<Bytes> csv;
  encoding("encode csv into batches", "csv", &csv);
  const Decoding lines("csv", all);
  measure("walk and decode csv, all columns", rows, rounds, [&] {
    for (const Bytes& batch : csv) sum += lines.decode(records_of(batch)).size();
  });
  return sum == 0 ? 1 : 0;
}
