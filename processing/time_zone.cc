#include "processing/time_zone.h"

#include <date/tz.h>

#include <charconv>
#include <stdexcept>

namespace millrace::processing {

namespace {

const date::time_zone* database_entry(const void* zone) { return static_cast<const date::time_zone*>(zone); }

std::optional<int> number(std::string_view text) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// +hh, +hhmm, +hh:mm, +h:mm, +hh:mm:ss
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  std::string_view parts[3];
  size_t count = 0;
  if (text.find(':') == std::string_view::npos) {
    parts[count++] = text.substr(0, text.size() >= 3 ? text.size() - 2 : text.size());
    if (text.size() >= 3) parts[count++] = text.substr(text.size() - 2);
  } else {
    while (count < 3) {
      size_t colon = text.find(':');
      parts[count++] = text.substr(0, colon);
      if (colon == std::string_view::npos) break;
      text.remove_prefix(colon + 1);
    }
  }
  int64_t seconds = 0;
  int64_t unit = 3600;
  for (size_t i = 0; i < count; ++i, unit /= 60) {
    std::optional<int> value = parts[i].size() <= 2 ? number(parts[i]) : std::nullopt;
    if (!value || *value > (i == 0 ? 18 : 59)) return std::nullopt;
    seconds += *value * unit;
  }
  return sign * seconds * 1000;
}

}  // namespace

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone result;
  result.name_ = std::string(name);
  if (name == "UTC" || name == "GMT" || name == "UT" || name == "Z" || name == "Etc/UTC") return result;
  std::string_view offset = name;
  for (std::string_view prefix : {"UTC", "GMT", "UT"}) {
    if (name.starts_with(prefix)) {
      offset = name.substr(prefix.size());
      break;
    }
  }
  if (std::optional<int64_t> fixed = parse_offset(offset)) {
    result.offset_ = *fixed;
    return result;
  }
  try {
    result.zone_ = date::locate_zone(std::string(name));
    return result;
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

const TimeZone& TimeZone::utc() {
  static const TimeZone zone;
  return zone;
}

int64_t TimeZone::offset_at(int64_t utc_millis) const {
  if (zone_ == nullptr) return offset_;
  if (utc_millis >= known_begin_ && utc_millis < known_end_) return known_offset_;
  using namespace std::chrono;
  // The database counts years in 16 bits; far away only the last rule matters.
  constexpr int64_t far = 9'000'000'000'000'0;
  int64_t clamped = std::min(std::max(utc_millis, -far), far);
  date::sys_info info = database_entry(zone_)->get_info(date::sys_seconds(floor<seconds>(milliseconds(clamped))));
  known_begin_ = info.begin.time_since_epoch().count() * 1000;
  known_end_ = info.end.time_since_epoch().count() * 1000;
  known_offset_ = duration_cast<milliseconds>(info.offset).count();
  return known_offset_;
}

int64_t TimeZone::to_utc(int64_t local_millis) const {
  if (zone_ == nullptr) return local_millis - offset_;
  // Inside one span, far from its ends, no question arises.
  int64_t guess = local_millis - known_offset_;
  constexpr int64_t day = 86'400'000;
  if (guess - day >= known_begin_ && guess + day < known_end_) return guess;
  using namespace std::chrono;
  constexpr int64_t far = 9'000'000'000'000'0;
  int64_t clamped = std::min(std::max(local_millis, -far), far);
  date::local_info info = database_entry(zone_)->get_info(date::local_seconds(floor<seconds>(milliseconds(clamped))));
  // In a gap the first offset moves the time forward by the gap; in an overlap it names the first of the two.
  return local_millis - duration_cast<milliseconds>(info.first.offset).count();
}

}  // namespace millrace::processing
