#include "replication/topic_table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

namespace millrace::replication {
namespace {

struct Named {
  std::string name;
  int version = 0;
};
using Entry = std::shared_ptr<const Named>;
const std::string& name_of_entry(const Entry& entry) { return entry->name; }
using Table = TopicTable<Entry, &name_of_entry>;
using Model = std::map<std::string, int>;

Model content(const Table& table) {
  Model found;
  std::string last;
  for (const Entry& entry : table) {
    CHECK(last < entry->name);
    last = entry->name;
    found[entry->name] = entry->version;
  }
  CHECK(found.size() == table.size());
  return found;
}

TEST_CASE("a table of topics is a sorted map, and its copies stay as they were") {
  std::mt19937 dice(7);
  Table table;
  Model model;
  std::vector<std::pair<Table, Model>> copies;
  for (int step = 0; step < 5000; ++step) {
    const std::string name = "topic-" + std::to_string(dice() % 1000);
    if (dice() % 3 == 0) {
      table.erase(std::string_view(name));
      model.erase(name);
    } else {
      table.put(std::make_shared<Named>(name, step));
      model[name] = step;
    }
    const Entry found = table.find(std::string_view(name));
    CHECK((found != nullptr) == model.contains(name));
    if (step % 500 == 0) copies.emplace_back(table, model);
  }
  CHECK(content(table) == model);
  for (const auto& [copy, as_it_was] : copies) CHECK(content(copy) == as_it_was);
  for (const auto& [name, version] : Model(model)) table.erase(name);
  CHECK(table.empty());
  CHECK(table.begin() == table.end());
  CHECK_FALSE(table.find(std::string("topic-1")));
}

}  // namespace
}  // namespace millrace::replication
