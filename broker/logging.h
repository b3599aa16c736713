// The broker's own log: one line per fact, to stdout, in the form that tools around Kafka wait for.
//   [2026-01-31 13:05:59,042] INFO [BrokerLifecycleManager id=1] The broker has been unfenced. …
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace millrace::broker {

enum class Level : uint8_t { debug, info, warn, error };

void log_line(Level level, std::string_view text);
inline void log_debug(std::string_view text) { log_line(Level::debug, text); }
inline void log_info(std::string_view text) { log_line(Level::info, text); }
inline void log_warn(std::string_view text) { log_line(Level::warn, text); }
inline void log_error(std::string_view text) { log_line(Level::error, text); }

// What is below `least` is dropped. `sink` gets whole lines without the newline; an empty one means stdout.
// Set before anything runs.
void set_logging(Level least, std::function<void(std::string_view line)> sink = {});

}  // namespace millrace::broker
