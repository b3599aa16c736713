// A stack that is only ever taken as a whole, so no node can come back while somebody looks at it.
#include "runtime/real/postings.h"

#include <algorithm>
#include <memory>

namespace millrace::real {

Postings::~Postings() { take(); }

bool Postings::put(Work work) {
  auto* const posted = new Posted{std::move(work), newest_.load(std::memory_order_relaxed)};
  // From here on it belongs to the taker; what was before it is kept apart.
  Posted* before = posted->before;
  while (!newest_.compare_exchange_weak(before, posted, std::memory_order_release, std::memory_order_relaxed)) {
    posted->before = before;
  }
  return before == nullptr;
}

std::vector<Postings::Work> Postings::take() {
  std::vector<Work> taken;
  Posted* next = newest_.exchange(nullptr, std::memory_order_acquire);
  while (next != nullptr) {
    const std::unique_ptr<Posted> posted(next);
    taken.push_back(std::move(posted->work));
    next = posted->before;
  }
  std::reverse(taken.begin(), taken.end());
  return taken;
}

}  // namespace millrace::real
