// The terminal as the interactive client needs it: raw mode while it lives, and bytes typed so far.
#pragma once

#include <termios.h>

#include <optional>
#include <string>

namespace millrace::tools::sql {

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;

  // What has been typed within `millis`; nothing after that time. An empty string: the terminal is gone.
  std::optional<std::string> read(int millis);
  void write(const std::string& text);
  int width() const;

 private:
  termios before_{};
};

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

}  // namespace millrace::tools::sql
