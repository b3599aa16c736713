// How the adapters make system calls: again after a signal, and with the path in what a failure says.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/disk.h"

namespace millrace::real {

[[noreturn]] inline void fail(const char* doing, const std::string& path, int error) {
  throw DiskError(std::string(doing) + " " + path + ": " + std::strerror(error), error);
}

// Repeats an interrupted call.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace millrace::real
