// LineEditor: one line of input at a terminal in raw mode: cursor keys, history, the usual control keys. It knows no
// terminal: bytes go in, and what to print comes out.
//
//   editor.begin("SQL> ");
//   while (editor.feed(byte) == LineEditor::Event::none) write(editor.output());
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tools::sql {

class LineEditor {
 public:
  enum class Event : uint8_t {
    none,
    line,       // Enter: take it from line()
    interrupt,  // Ctrl-C
    end,        // Ctrl-D on an empty line
    complete,   // Tab
  };

  void begin(std::string prompt, int terminal_width);
  Event feed(char byte);
  // To be printed; empties it.
  std::string output();

  const std::string& line() const { return line_; }
  size_t cursor() const { return cursor_; }
  // At the cursor, as if typed.
  void insert(std::string_view text);
  // Prints something below and begins the line anew.
  void print_below(std::string_view text);

  std::vector<std::string>& history() { return history_; }
  void remember(const std::string& line);

 private:
  Event plain(unsigned char byte);
  void escape(char final);
  void show();
  void recall(size_t index);
  size_t before(size_t at) const;  // the character before, by UTF-8
  size_t behind(size_t at) const;
  void erase(size_t from, size_t to);

  std::string prompt_;
  int width_ = 80;
  std::string line_;
  size_t cursor_ = 0;
  std::vector<std::string> history_;
  size_t recalled_ = 0;     // history_.size(): the new line
  std::string unfinished_;  // the new line while an older one is shown
  std::string sequence_;    // of an escape that has begun
  std::string output_;
  bool stale_ = false;  // what the terminal shows is not the line any more
};

}  // namespace millrace::tools::sql
