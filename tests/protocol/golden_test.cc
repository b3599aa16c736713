// Bytes that Kafka wrote, read and written again.
#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "protocol/registry.h"
#include "tests/protocol/codec.h"

using namespace millrace;
using namespace millrace::protocol;

namespace {

Bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<std::byte> data;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    data.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return Bytes::take(std::move(data));
}

std::string_view take_column(std::string_view& line) {
  const size_t tab = line.find('\t');
  const std::string_view column = line.substr(0, tab);
  line = tab == std::string_view::npos ? std::string_view() : line.substr(tab + 1);
  return column;
}

}  // namespace

TEST_CASE("messages written by Kafka are read, and written byte for byte as Kafka did") {
  std::ifstream file(GOLDEN_MESSAGES);
  int messages = 0;
  for (std::string text; std::getline(file, text);) {
    if (text.empty() || text[0] == '#') continue;
    std::string_view line = text;
    const std::string_view name = take_column(line);
    const int16_t version = static_cast<int16_t>(std::stoi(std::string(take_column(line))));
    const Bytes body = from_hex(take_column(line));
    CAPTURE(name);
    CAPTURE(version);
    const Codec* codec = nullptr;
    for (const Codec& candidate : all_codecs())
      if (candidate.message->name == name) codec = &candidate;
    REQUIRE(codec != nullptr);
    const RoundTrip result = codec->round_trip(body, version);
    CHECK(result.read);
    CHECK(result.left == 0);
    CHECK(result.written == body);
    if (!line.empty()) CHECK(describe(*codec->message, body, version).value_or("") == line);
    ++messages;
  }
  CHECK(messages > 300);
}
