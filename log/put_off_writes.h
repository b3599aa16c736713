// PutOffWrites: when logs write to their files what a journal has already made durable. Few and large writes cost a
// fraction of many small ones, and who waits, waits for the journal.
//
//   put_off(bytes) ─┬─ enough for one log ───────┐
//                   ├─ too much of all together ─┼→ write(), a few logs at a time
//                   └─ after a moment ───────────┘
//
// A log that has another reason to write (a sync, a roll, its end) does so by itself, and says so.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "runtime/clock.h"
#include "runtime/gate.h"

namespace millrace::log {

class PutOffWrites {
 public:
  // A log's place.
  class Place : public std::enable_shared_from_this<Place> {
   public:
    Place(PutOffWrites& all, std::function<bool()> write) : all_(all), write_(std::move(write)) {}

    // So many bytes more.
    void put_off(size_t bytes);
    size_t bytes() const { return bytes_; }
    // All of them are being written, and have been.
    void begin_write();
    void end_write();
    // The log is closed.
    void leave();

   private:
    friend class PutOffWrites;
    PutOffWrites& all_;
    std::function<bool()> write_;
    size_t bytes_ = 0;
    MonoTime since_{};
    bool called_ = false;  // to write, and has not ended
  };

  // `write` begins to write everything that was put off; false when there is nothing to be done.
  std::shared_ptr<Place> join(std::function<bool()> write) { return std::make_shared<Place>(*this, std::move(write)); }
  // All logs are closed, or have failed.
  Task<void> close();

 private:
  struct Waiting {
    std::shared_ptr<Place> place;
    MonoTime since;
  };
  void forget_written();
  std::shared_ptr<Place> next(MonoTime& due) const;
  Task<void> watch();

  std::deque<Waiting> waiting_;                // the oldest first; some have been written since
  std::deque<std::shared_ptr<Place>> enough_;  // of these, those that are worth a write; the same
  size_t bytes_ = 0;
  int writes_ = 0;
  bool watching_ = false;
  bool closing_ = false;
  Event changed_;
  Gate gate_;
};

}  // namespace millrace::log
