// A time zone by any name Flink takes: UTC, Asia/Shanghai, GMT+05:30, +08:00. Local times that a change of clocks skips
// move forward by the gap; local times that occur twice mean the first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::processing {

class TimeZone {
 public:
  // Nothing: no such zone.
  static std::optional<TimeZone> find(std::string_view name);
  static const TimeZone& utc();

  const std::string& name() const { return name_; }
  bool is_fixed() const { return zone_ == nullptr; }
  // Local minus UTC at that instant, in milliseconds.
  int64_t offset_at(int64_t utc_millis) const;
  int64_t to_local(int64_t utc_millis) const { return utc_millis + offset_at(utc_millis); }
  int64_t to_utc(int64_t local_millis) const;

 private:
  std::string name_ = "UTC";
  const void* zone_ = nullptr;  // an entry of the system's database, which lives for ever; none: a fixed offset
  int64_t offset_ = 0;
  // The last span of time asked for: zones change rarely, batches look at one day.
  mutable int64_t known_begin_ = 0, known_end_ = 0, known_offset_ = 0;
};

}  // namespace millrace::processing
