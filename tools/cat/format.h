// How a consumed record is written: -f, -J, -K, or the bare value.
#pragma once

#include <string>
#include <string_view>

#include "protocol/record_batch.h"
#include "tools/cat/options.h"

namespace millrace::tools::cat {

class Formatter {
 public:
  explicit Formatter(const Options& options) : options_(options) {}
  // Appends the text of one record to `out`.
  void append(std::string& out, std::string_view topic, PartitionId partition,
              const protocol::RecordView& record) const;

 private:
  void append_json(std::string& out, std::string_view topic, PartitionId partition,
                   const protocol::RecordView& record) const;
  void append_formatted(std::string& out, std::string_view topic, PartitionId partition,
                        const protocol::RecordView& record) const;

  const Options& options_;
};

// `text` as a JSON string, quotes included; bytes that are not UTF-8 are passed through.
void append_json_string(std::string& out, std::string_view text);

}  // namespace millrace::tools::cat
