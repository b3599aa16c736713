// Running a case once per seed, and saying which seed failed.
//
//   for_each_seed(200, [](uint64_t seed) { sim::World world(seed); … });
//
// MILLRACE_SEED=17 runs only that seed; MILLRACE_SEEDS=100000 runs that many instead.
#pragma once

#include <cstdint>
#include <functional>

namespace millrace::sim {

void for_each_seed(uint64_t count, const std::function<void(uint64_t seed)>& body);

// Remembers the seed of the world being simulated, so that even an abort prints it.
void note_seed(uint64_t seed);

}  // namespace millrace::sim
