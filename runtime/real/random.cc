// Random numbers from the kernel, fetched a few hundred bytes at a time.
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/check.h"
#include "runtime/real/adapters.h"

namespace millrace::real {

namespace {

void from_kernel(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    check(got > 0);  // cannot fail on any kernel that has it
    out = out.subspan(static_cast<size_t>(got));
  }
}

class RealRandom final : public Random {
 public:
  uint64_t next() override {
    uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  void fill(std::span<std::byte> out) override {
    if (out.size() > sizeof pool_) return from_kernel(out);
    if (out.size() > left_) {
      from_kernel(pool_);
      left_ = sizeof pool_;
    }
    std::byte* const from = pool_ + left_ - out.size();
    std::memcpy(out.data(), from, out.size());
    std::memset(from, 0, out.size());  // handed out once, kept nowhere
    left_ -= out.size();
  }

 private:
  std::byte pool_[256];
  size_t left_ = 0;
};

}  // namespace

std::unique_ptr<Random> make_random() { return std::make_unique<RealRandom>(); }

}  // namespace millrace::real
