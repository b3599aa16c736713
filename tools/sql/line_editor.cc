#include "tools/sql/line_editor.h"

#include <algorithm>
#include <utility>

#include "tools/sql/tableau.h"

namespace millrace::tools::sql {

namespace {

constexpr char ctrl(char letter) { return static_cast<char>(letter - '@'); }
bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

void LineEditor::begin(std::string prompt, int terminal_width) {
  prompt_ = std::move(prompt);
  width_ = std::max(terminal_width, 20);
  line_.clear();
  cursor_ = 0;
  recalled_ = history_.size();
  unfinished_.clear();
  sequence_.clear();
  stale_ = true;
}

std::string LineEditor::output() {
  if (stale_) show();
  return std::exchange(output_, {});
}

void LineEditor::remember(const std::string& line) {
  if (!line.empty() && (history_.empty() || history_.back() != line)) history_.push_back(line);
}

size_t LineEditor::before(size_t at) const {
  if (at == 0) return 0;
  --at;
  while (at > 0 && continues_character(line_[at])) --at;
  return at;
}

size_t LineEditor::behind(size_t at) const {
  if (at >= line_.size()) return line_.size();
  ++at;
  while (at < line_.size() && continues_character(line_[at])) ++at;
  return at;
}

void LineEditor::erase(size_t from, size_t to) {
  line_.erase(from, to - from);
  cursor_ = from;
}

void LineEditor::insert(std::string_view text) {
  line_.insert(cursor_, text);
  cursor_ += text.size();
  stale_ = true;
}

void LineEditor::print_below(std::string_view text) {
  if (stale_) show();
  output_ += "\r\n";
  output_ += text;
  output_ += "\r\n";
  stale_ = true;
}

void LineEditor::recall(size_t index) {
  if (recalled_ == history_.size()) unfinished_ = line_;
  recalled_ = index;
  line_ = index == history_.size() ? unfinished_ : history_[index];
  cursor_ = line_.size();
}

// A line that is wider than the terminal scrolls sideways.
void LineEditor::show() {
  stale_ = false;
  const int room = width_ - display_width(prompt_) - 1;
  size_t from = 0;
  while (from < cursor_ && display_width(std::string_view(line_).substr(from, cursor_ - from)) > room) {
    from = behind(from);
  }
  size_t to = from;
  int used = 0;
  while (to < line_.size()) {
    const size_t next = behind(to);
    const int more = display_width(std::string_view(line_).substr(to, next - to));
    if (used + more > room) break;
    used += more;
    to = next;
  }
  output_ += "\r" + prompt_ + line_.substr(from, to - from) + "\x1b[K";
  const int back = used - display_width(std::string_view(line_).substr(from, cursor_ - from));
  if (back > 0) output_ += "\x1b[" + std::to_string(back) + "D";
}

LineEditor::Event LineEditor::feed(char byte) {
  if (!sequence_.empty()) {
    sequence_ += byte;
    const bool introducer = sequence_.size() == 2 && (byte == '[' || byte == 'O');
    const bool parameter = sequence_.size() > 2 && (byte < 0x40 || byte > 0x7e);
    if (introducer || (parameter && sequence_.size() < 16)) return Event::none;
    escape(byte);
    sequence_.clear();
    stale_ = true;
    return Event::none;
  }
  if (byte == '\x1b') {
    sequence_ = byte;
    return Event::none;
  }
  const Event event = plain(static_cast<unsigned char>(byte));
  if (event == Event::none) {
    stale_ = true;
  } else if (event != Event::complete) {
    if (stale_) show();
    output_ += "\r\n";
  }
  return event;
}

LineEditor::Event LineEditor::plain(unsigned char byte) {
  switch (static_cast<char>(byte)) {
    case '\r':
    case '\n':
      return Event::line;
    case '\t':
      return Event::complete;
    case ctrl('C'):
      return Event::interrupt;
    case ctrl('D'):
      if (line_.empty()) return Event::end;
      erase(cursor_, behind(cursor_));
      return Event::none;
    case ctrl('A'):
      cursor_ = 0;
      return Event::none;
    case ctrl('E'):
      cursor_ = line_.size();
      return Event::none;
    case ctrl('B'):
      cursor_ = before(cursor_);
      return Event::none;
    case ctrl('F'):
      cursor_ = behind(cursor_);
      return Event::none;
    case ctrl('P'):
      if (recalled_ > 0) recall(recalled_ - 1);
      return Event::none;
    case ctrl('N'):
      if (recalled_ < history_.size()) recall(recalled_ + 1);
      return Event::none;
    case ctrl('K'):
      line_.erase(cursor_);
      return Event::none;
    case ctrl('U'):
      erase(0, cursor_);
      return Event::none;
    case ctrl('W'): {
      size_t from = cursor_;
      while (from > 0 && line_[from - 1] == ' ') --from;
      while (from > 0 && line_[from - 1] != ' ') --from;
      erase(from, cursor_);
      return Event::none;
    }
    case ctrl('L'):
      output_ += "\x1b[H\x1b[2J";
      return Event::none;
    case '\x7f':
    case '\b':
      erase(before(cursor_), cursor_);
      return Event::none;
    default:
      if (byte >= 0x20) {
        line_.insert(cursor_, 1, static_cast<char>(byte));
        ++cursor_;
      }
      return Event::none;
  }
}

void LineEditor::escape(char final) {
  const std::string parameters = sequence_.size() > 3 ? sequence_.substr(2, sequence_.size() - 3) : "";
  switch (final) {
    case 'A':
      if (recalled_ > 0) recall(recalled_ - 1);
      break;
    case 'B':
      if (recalled_ < history_.size()) recall(recalled_ + 1);
      break;
    case 'C':
      cursor_ = behind(cursor_);
      break;
    case 'D':
      cursor_ = before(cursor_);
      break;
    case 'H':
      cursor_ = 0;
      break;
    case 'F':
      cursor_ = line_.size();
      break;
    case '~':
      if (parameters == "1" || parameters == "7") cursor_ = 0;
      if (parameters == "4" || parameters == "8") cursor_ = line_.size();
      if (parameters == "3") erase(cursor_, behind(cursor_));
      break;
    default:
      break;
  }
}

}  // namespace millrace::tools::sql
