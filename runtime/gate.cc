// Gate: counts tasks in and out.
#include "runtime/gate.h"

namespace millrace {

// Lives in the frame of what is counted, so that ending, throwing and being dropped all count.
class Gate::Counted {
 public:
  explicit Counted(Gate& gate) : gate_(gate) { ++gate_.running_; }
  Counted(const Counted&) = delete;
  ~Counted() {
    if (--gate_.running_ == 0) gate_.empty_.notify();
  }

 private:
  Gate& gate_;
};

Gate::~Gate() { check(running_ == 0); }

void Gate::spawn(Task<void> task) {
  if (closing_) return;
  detach(run(*this, std::move(task)));
}

Task<void> Gate::run(Gate& gate, Task<void> task) {
  Counted counted(gate);
  Task<void> counted_task = std::move(task);  // destroyed before it is counted out
  co_await std::move(counted_task);
}

Task<void> Gate::close() {
  closing_ = true;
  while (running_ > 0) co_await empty_.wait();
}

}  // namespace millrace
