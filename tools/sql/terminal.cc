#include "tools/sql/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace millrace::tools::sql {

Terminal::Terminal() {
  tcgetattr(STDIN_FILENO, &before_);
  termios raw = before_;
  // Output keeps its newlines; only input comes byte by byte, Ctrl-C too.
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG | IEXTEN);
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

Terminal::~Terminal() { tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }

std::optional<std::string> Terminal::read(int millis) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, 1, millis);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return std::nullopt;
  char bytes[256];
  const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (count < 0 && errno == EINTR) return std::nullopt;
  return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : std::string();
}

void Terminal::write(const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (count <= 0 && errno != EINTR) return;
    if (count > 0) at += static_cast<size_t>(count);
  }
}

int Terminal::width() const {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

}  // namespace millrace::tools::sql
