// check(condition): a bug, not an answer and not the world failing. Always on; prints where and aborts.
#pragma once

#include <source_location>

namespace millrace {

[[noreturn]] void check_failed(std::source_location where);

inline void check(bool condition, std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    check_failed(where);
}

}  // namespace millrace
