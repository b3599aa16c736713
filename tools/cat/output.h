// Standard output of the consuming modes: collected per fetch, written at once, a broken pipe ends the program quietly.
#pragma once

#include <string>

#include "tools/cat/format.h"

namespace millrace::tools::cat {

class Output {
 public:
  explicit Output(const Options& options) : options_(options), formatter_(options), left_(options.count) {}

  void add(std::string_view topic, PartitionId partition, const protocol::RecordView& record) {
    if (done()) return;
    formatter_.append(text_, topic, partition, record);
    if (left_ > 0) --left_;
    if (options_.unbuffered || text_.size() > (1 << 20)) flush();
  }
  void flush();
  bool done() const { return left_ == 0; }  // -c COUNT has been reached

 private:
  const Options& options_;
  Formatter formatter_;
  std::string text_;
  int64_t left_;
};

}  // namespace millrace::tools::cat
