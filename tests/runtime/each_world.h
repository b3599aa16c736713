// Runs one case twice: on the real machine and in the simulated world. What holds in only one of them is a bug in the
// other.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "runtime/shard.h"

namespace millrace::test {

// `directory` is empty and belongs to the case.
using Case = std::function<Task<void>(std::string directory)>;
void in_each_world(const Case& run_case);
// `shards` of one process; the case runs on the first.
using ShardsCase = std::function<Task<void>(std::vector<Shard*> shards)>;
void in_each_world(int shards, const ShardsCase& run_case);

// The bytes of `text`, and back.
inline Bytes bytes(std::string_view text) { return Bytes::copy_of(text); }
inline std::vector<Bytes> parts(std::string_view text) { return {Bytes::copy_of(text)}; }

}  // namespace millrace::test
