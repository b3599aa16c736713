#include "log/put_off_writes.h"

#include "runtime/shard.h"

namespace millrace::log {

namespace {

constexpr size_t worth_a_write = 1 << 20;
constexpr size_t most_of_all = 64 << 20;
// Who looks at a segment file of a running broker expects what was acknowledged a moment ago.
constexpr auto longest = std::chrono::milliseconds(250);
// The journal, which somebody waits for, wants the disk, too.
constexpr int writes_at_once = 2;

}  // namespace

void PutOffWrites::Place::put_off(size_t bytes) {
  if (bytes_ == 0) {
    since_ = now();
    all_.waiting_.push_back({shared_from_this(), since_});
  }
  const bool was_enough = bytes_ >= worth_a_write;
  bytes_ += bytes;
  all_.bytes_ += bytes;
  const bool is_enough = bytes_ >= worth_a_write;
  if (is_enough && !was_enough) all_.enough_.push_back(shared_from_this());
  if (is_enough || all_.bytes_ > most_of_all) all_.changed_.notify();
  if (all_.watching_ || all_.closing_) return;
  all_.watching_ = true;
  all_.gate_.spawn(all_.watch());
}

void PutOffWrites::Place::begin_write() { all_.bytes_ -= std::exchange(bytes_, 0); }

void PutOffWrites::Place::end_write() {
  if (!std::exchange(called_, false)) return;
  --all_.writes_;
  all_.changed_.notify();
}

void PutOffWrites::Place::leave() {
  begin_write();
  end_write();
}

void PutOffWrites::forget_written() {
  const auto is_past = [](const Waiting& of) { return of.place->bytes_ == 0 || of.place->since_ != of.since; };
  while (!waiting_.empty() && is_past(waiting_.front())) waiting_.pop_front();
  while (!enough_.empty() && enough_.front()->bytes_ < worth_a_write) enough_.pop_front();
}

// Whose turn it is; nothing while nobody's is, which may change at `due`.
std::shared_ptr<PutOffWrites::Place> PutOffWrites::next(MonoTime& due) const {
  due = never;
  if (writes_ >= writes_at_once) return nullptr;
  if (!enough_.empty()) return enough_.front();
  due = waiting_.front().since + longest;
  return bytes_ > most_of_all || now() >= due ? waiting_.front().place : nullptr;
}

Task<void> PutOffWrites::watch() {
  for (;;) {
    forget_written();
    if (closing_ || waiting_.empty()) break;
    MonoTime due = never;
    const std::shared_ptr<Place> place = next(due);
    if (!place) {
      co_await changed_.wait(due);
      continue;
    }
    place->begin_write();
    place->called_ = true;
    ++writes_;
    if (!place->write_()) place->end_write();
  }
  watching_ = false;
}

Task<void> PutOffWrites::close() {
  closing_ = true;
  changed_.notify();
  co_await gate_.close();
  waiting_.clear();
  enough_.clear();
}

}  // namespace millrace::log
