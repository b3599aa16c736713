// Runs recorded SQL cases against the engine and prints the score of every family.
//   test_sql FOLDER… [--only TEXT] [--verbose] [--score]
// Folders are searched for *.sqltest files. It fails when a case does, unless only the score is wanted.
#define DOCTEST_CONFIG_IMPLEMENT  // the simulated world prints its seed through it
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "tests/sql/run_case.h"

int main(int argc, char** argv) {
  using namespace millrace::sqltest;
  std::vector<std::filesystem::path> files;
  std::string only;
  bool verbose = false;
  bool score = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
    } else if (std::strcmp(argv[i], "--verbose") == 0 || std::strcmp(argv[i], "-v") == 0) {
      verbose = true;
    } else if (std::strcmp(argv[i], "--score") == 0) {
      score = true;
    } else if (std::strcmp(argv[i], "--dir") == 0) {
      // what follows is a folder anyway
    } else {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
        if (entry.path().extension() == ".sqltest") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  struct Score {
    int passed = 0;
    std::vector<std::string> failed;
  };
  std::map<std::string, Score> families;
  int passed = 0;
  int total = 0;
  int changelogs = 0;
  int in_order = 0;
  for (const std::filesystem::path& file : files) {
    if (!only.empty() && file.stem().string().find(only) == std::string::npos) continue;
    const Case test = read_case(file);
    if (verbose) std::fprintf(stderr, "%s\n", test.name.c_str());
    const auto [difference, same_order] = run_case(test);
    if (same_order) {
      ++changelogs;
      if (*same_order)
        ++in_order;
      else if (verbose)
        std::printf("another order: %s\n", test.name.c_str());
    }
    ++total;
    if (difference.empty()) {
      ++passed;
      ++families[test.family].passed;
      continue;
    }
    families[test.family].failed.push_back(test.name);
    if (verbose) std::printf("---- %s\n%s", test.name.c_str(), difference.c_str());
  }
  for (const auto& [family, result] : families) {
    std::printf("%-20s %3d / %-3zu", family.c_str(), result.passed,
                static_cast<size_t>(result.passed) + result.failed.size());
    for (const std::string& name : result.failed) std::printf(" %s", name.c_str());
    std::printf("\n");
  }
  std::printf("%d of %d changelogs even in the same order\n", in_order, changelogs);
  std::printf("%d of %d cases as in Flink\n", passed, total);
  return score || passed == total ? 0 : 1;
}
