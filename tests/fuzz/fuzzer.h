// What a fuzz target is made of: libFuzzer's entry, and well formed inputs to start from. Linked with -fsanitize=fuzzer
// it is a fuzzer; linked with short_run.cc it is a test that takes a second and always does the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
std::vector<uint8_t> fuzzer_seed(uint64_t number);
