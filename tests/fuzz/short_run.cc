// Runs a fuzz target without libFuzzer: well formed inputs, each also damaged in a few ways, always the same ones.
//   PROGRAM                    the short run
//   PROGRAM FILE…              these inputs only, such as one that a fuzzer found
//   PROGRAM --seeds N DIR      writes N inputs for a fuzzer to start from
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzzer.h"

namespace {

uint64_t state = 1;
uint64_t random_below(uint64_t bound) {
  state = state * 6364136223846793005 + 1442695040888963407;
  return (state >> 33) % bound;
}

// Numbers that decoders get wrong.
constexpr uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40};

void damage(std::vector<uint8_t>& input) {
  for (uint64_t hits = 1 + random_below(5); hits > 0 && input.size() > 3; --hits) {
    const auto at = static_cast<std::ptrdiff_t>(random_below(input.size()));
    switch (random_below(5)) {
      case 0:
        input[static_cast<size_t>(at)] = static_cast<uint8_t>(random_below(256));
        break;
      case 1:
        input[static_cast<size_t>(at)] = edges[random_below(std::size(edges))];
        break;
      case 2:
        input.erase(input.begin() + at);
        break;
      case 3:
        input.insert(input.begin() + at, edges[random_below(std::size(edges))]);
        break;
      case 4:
        input.resize(3 + random_below(input.size() - 2));
        break;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "--seeds") {
    for (int i = 0; i < std::atoi(argv[2]); ++i) {
      const std::vector<uint8_t> input = fuzzer_seed(static_cast<uint64_t>(i));
      std::ofstream file(std::string(argv[3]) + "/seed" + std::to_string(i), std::ios::binary);
      file.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
      if (!file) return 1;
    }
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::vector<uint8_t> input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  if (argc > 1) return 0;
  constexpr uint64_t inputs = 3000;
  for (uint64_t i = 0; i < inputs; ++i) {
    std::vector<uint8_t> input = fuzzer_seed(i);
    for (int step = 0; step < 8; ++step) {
      LLVMFuzzerTestOneInput(input.data(), input.size());
      damage(input);
    }
  }
  std::printf("%llu inputs, each damaged seven times\n", static_cast<unsigned long long>(inputs));
}
