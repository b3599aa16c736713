// Rows in a store keep their bytes, and memory, whatever comes and goes beside them.
#include "processing/operators/row_store.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace millrace::processing;

TEST_CASE("what lies in a row store stays as it is while other rows come and go, and lies where numbers may") {
  RowStore store;
  std::mt19937_64 random(11);
  std::vector<std::pair<char*, std::string>> rows;
  const auto take = [&] {
    const size_t size = 1 + random() % (random() % 50 == 0 ? 10'000 : 300);
    const std::string bytes(size, static_cast<char>(random()));
    auto* at = static_cast<char*>(store.take(size));
    CHECK(reinterpret_cast<uintptr_t>(at) % 16 == 0);
    std::memcpy(at, bytes.data(), size);
    rows.emplace_back(at, bytes);
  };
  const auto give_back = [&] {
    std::swap(rows[random() % rows.size()], rows.back());
    const auto [at, bytes] = std::move(rows.back());
    rows.pop_back();
    REQUIRE(std::string_view(at, bytes.size()) == bytes);
    store.give_back(at, bytes.size());
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20'000; ++i) {
      if (rows.empty() || random() % 5 < 3)
        take();
      else
        give_back();
    }
    while (!rows.empty()) give_back();
  }
}

TEST_CASE("rows of one size that come and go for years lie where others lay") {
  RowStore store;
  std::vector<void*> places;
  for (int i = 0; i < 1000; ++i) places.push_back(store.take(100));
  for (int i = 0; i < 100'000; ++i) {
    void*& place = places[static_cast<size_t>(i) % places.size()];
    store.give_back(place, 100);
    void* const again = store.take(100);
    REQUIRE(again == place);
    place = again;
  }
}
