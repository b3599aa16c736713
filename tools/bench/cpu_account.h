// Who used the machine's processors between two moments: the broker, this process, kernel threads, everybody else.
// Kernel threads are told apart because they work for the broker (writing pages back, completing disk requests) without
// appearing in its own time.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

namespace millrace::bench {

struct CpuUse {
  double broker = 0;  // seconds of user and system time
  double generator = 0;
  double kernel_threads = 0;
  double others = 0;  // other processes
  double busy = 0;    // all processors, as the kernel counts it
  double wall = 0;
};

class CpuAccount {
 public:
  explicit CpuAccount(std::optional<int> broker) : broker_(broker) {}

  void begin();
  // Since begin().
  CpuUse use() const;

 private:
  struct Sample {
    std::unordered_map<int, double> processes;
    std::unordered_map<int, double> kernel_threads;
    double busy = 0;
    double own = 0;
    double at = 0;
  };
  static Sample take();

  std::optional<int> broker_;
  Sample before_;
};

// Resident memory in bytes; 0 when the process is gone.
size_t resident_bytes(int pid);

}  // namespace millrace::bench
