// Group keys over a long time.
#include "processing/operators/key_table.h"

#include <doctest/doctest.h>

#include <deque>
#include <string>

using namespace millrace::processing;

TEST_CASE("a table whose keys come and go for years keeps no more memory than its living keys need") {
  KeyTable table;
  std::deque<std::string> living;
  size_t most = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    living.push_back("customer-" + std::to_string(i));
    bool added = false;
    table.find_or_add(living.back(), added);
    REQUIRE(added);
    if (living.size() <= 1000) continue;
    const int64_t number = table.find(living.front());
    REQUIRE(number >= 0);
    table.remove(static_cast<uint32_t>(number));
    living.pop_front();
    most = std::max(most, table.bytes());
  }
  CHECK(table.size() == 1000);
  CHECK(table.capacity() <= 1001);
  CHECK(most < 100'000);  // 1,000 keys of 15 bytes, and as much again that is not worth packing yet
  for (const std::string& key : living) {
    const int64_t number = table.find(key);
    REQUIRE(number >= 0);
    CHECK(table.key(static_cast<uint32_t>(number)) == key);
  }
  CHECK(table.find("customer-0") < 0);
}

TEST_CASE("looking ahead changes nothing, and guesses most numbers right") {
  KeyTable table;
  CHECK(table.fetch_key(KeyTable::hash("nobody")) == -1);
  table.fetch_slot(KeyTable::hash("nobody"));
  int right = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    const uint64_t hash = KeyTable::hash(key);
    table.fetch_slot(hash);
    bool added = false;
    const uint32_t number = table.find_or_add(key, added);
    CHECK(added);
    if (table.fetch_key(hash) == number) ++right;
  }
  CHECK(right > 4'000);
  CHECK(table.size() == 10'000);
}

TEST_CASE("keys that differ only behind their first and before their last eight bytes are different keys") {
  KeyTable table;
  bool added = false;
  std::string key(24, 'k');
  for (int i = 0; i < 1000; ++i) {
    key[10] = static_cast<char>(i % 256);
    key[12] = static_cast<char>(i / 256);
    table.find_or_add(key, added);
    REQUIRE(added);
  }
  CHECK(table.size() == 1000);
}
