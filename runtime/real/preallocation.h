// Blocks reserved behind the end of a file that grows.
//
// A file system that finds the blocks for an append already reserved neither looks for them when the pages are written
// back nor splits its page cache into small pages: measured on ext4, appends of 64 KB cost a third. So a file that has
// shown that it grows gets as much again ahead of it, up to a limit, and gives the rest back when it is let go.
// Sizes are not affected: a reservation lies behind the end of the file.
#pragma once

#include <cstdint>

namespace millrace::real {

class Preallocation {
 public:
  // `allocated`: bytes the file occupies, as stat() tells, which may be more than its size after a crash.
  Preallocation(int64_t size, int64_t allocated);

  // Before a write that ends at `end`. A file system that refuses is not asked again.
  void make_room(int fd, int64_t end);
  // Gives back what lies behind the end of the file.
  void release(int fd);
  void forget() { reserved_ = 0; }  // after a truncation

 private:
  int64_t reserved_ = 0;  // up to where; 0: nothing beyond the size
  bool refused_ = false;
};

}  // namespace millrace::real
