// Postings: work that any thread leaves for somebody, without a lock.
//
// Who leaves something may have the kernel's idle policy and lose its processor at any instruction, for milliseconds
// where all processors are busy. Nobody must wait for it then, so there is nothing that it could hold.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

namespace millrace::real {

class Postings {
 public:
  using Work = std::move_only_function<void()>;

  Postings() = default;
  ~Postings();
  Postings(const Postings&) = delete;

  // From any thread. True when nothing lay there: then, and only then, whoever takes has to be told.
  bool put(Work work);
  // What lies there, the oldest first. By one thread at a time.
  std::vector<Work> take();

 private:
  struct Posted {
    Work work;
    Posted* before;
  };
  std::atomic<Posted*> newest_ = nullptr;
};

}  // namespace millrace::real
