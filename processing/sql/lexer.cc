#include "processing/sql/lexer.h"

#include <utility>

namespace millrace::processing::sql {
namespace {

bool is_letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

// Walks the text and counts lines and columns; a column is a UTF-16 unit, as in Java.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  size_t at() const { return at_; }
  int line() const { return line_; }
  int column() const { return column_; }
  int last_line() const { return last_line_; }
  int last_column() const { return last_column_; }
  std::string_view from(size_t begin) const { return text_.substr(begin, at_ - begin); }

  void step() {
    auto c = static_cast<unsigned char>(text_[at_++]);
    if ((c & 0xC0) == 0x80) return;  // the rest of a character
    last_line_ = line_;
    last_column_ = column_;
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else {
      column_ += c >= 0xF0 ? 2 : 1;
    }
  }
  void step(size_t count) {
    while (count-- > 0) step();
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
  int last_line_ = 1;
  int last_column_ = 1;
};

// Skips blanks and comments; a hint is no comment.
void skip_blank(Cursor& in) {
  while (!in.done()) {
    if (is_space(in.peek())) {
      in.step();
    } else if (in.peek() == '-' && in.peek(1) == '-') {
      while (!in.done() && in.peek() != '\n') in.step();
    } else if (in.peek() == '/' && in.peek(1) == '/') {
      while (!in.done() && in.peek() != '\n') in.step();
    } else if (in.peek() == '/' && in.peek(1) == '*' && in.peek(2) != '+') {
      in.step(2);
      while (!in.done() && !(in.peek() == '*' && in.peek(1) == '/')) in.step();
      if (!in.done()) in.step(2);
    } else {
      return;
    }
  }
}

// The cursor stands on a quote. Reads to its end, doubled quotes undone; false (and nothing read) when it never ends.
bool read_quoted(Cursor& in, char quote, std::string& text) {
  Cursor probe = in;
  probe.step();
  text.clear();
  while (!probe.done()) {
    if (probe.peek() == quote) {
      probe.step();
      if (probe.peek() != quote) {
        in = probe;
        return true;
      }
    }
    text += probe.peek();
    probe.step();
  }
  return false;
}

void read_number(Cursor& in, Token& token) {
  token.kind = TokenKind::number;
  while (is_digit(in.peek())) in.step();
  if (in.peek() == '.' && in.peek(1) != '.') {
    in.step();
    while (is_digit(in.peek())) in.step();
  }
  if (in.peek() == 'e' || in.peek() == 'E') {
    size_t sign = in.peek(1) == '+' || in.peek(1) == '-' ? 1 : 0;
    if (is_digit(in.peek(1 + sign))) {
      token.kind = TokenKind::approximate;
      in.step(1 + sign);
      while (is_digit(in.peek())) in.step();
    }
  }
}

void read_symbol(Cursor& in, Token& token) {
  token.kind = TokenKind::symbol;
  char c = in.peek();
  char next = in.peek(1);
  size_t length = 1;
  if ((c == '<' && (next == '>' || next == '=')) || (c == '>' && next == '=') || (c == '!' && next == '=') ||
      (c == '|' && next == '|') || (c == '=' && next == '>') || (c == '.' && next == '.')) {
    length = 2;
  } else if (std::string_view("+-*/%=<>()[]{},.;:?|^&").find(c) == std::string_view::npos) {
    token.kind = TokenKind::bad;
  }
  in.step(length);
}

Token read_token(Cursor& in) {
  Token token;
  token.offset = in.at();
  token.pos.line = in.line();
  token.pos.column = in.column();
  char c = in.peek();
  auto quoted = [&](char quote, TokenKind kind) {
    if (read_quoted(in, quote, token.text)) {
      token.kind = kind;
    } else {
      token.kind = TokenKind::bad;
      in.step();
    }
  };
  if (in.done()) {
    token.kind = TokenKind::end;
  } else if (c == '\'') {
    quoted('\'', TokenKind::string);
  } else if (c == '`') {
    quoted('`', TokenKind::quoted);
  } else if ((c == 'x' || c == 'X') && in.peek(1) == '\'') {
    in.step();
    quoted('\'', TokenKind::binary);
  } else if ((c == 'u' || c == 'U') && in.peek(1) == '&' && in.peek(2) == '\'') {
    in.step(2);
    quoted('\'', TokenKind::unicode);
  } else if (is_letter(static_cast<unsigned char>(c))) {
    token.kind = TokenKind::word;
    while (is_letter(static_cast<unsigned char>(in.peek())) || is_digit(in.peek())) in.step();
  } else if (is_digit(c) || (c == '.' && is_digit(in.peek(1)))) {
    read_number(in, token);
  } else if (c == '/' && in.peek(1) == '*' && in.peek(2) == '+') {
    token.kind = TokenKind::hint;
    in.step(3);
  } else {
    read_symbol(in, token);
  }
  token.image = std::string(in.from(token.offset));
  bool plain = token.kind != TokenKind::quoted && token.kind != TokenKind::string && token.kind != TokenKind::binary &&
               token.kind != TokenKind::unicode;
  if (plain) token.text = token.image;
  if (token.kind == TokenKind::word) token.upper = to_upper(token.image);
  token.pos.end_line = token.kind == TokenKind::end ? token.pos.line : in.last_line();
  token.pos.end_column = token.kind == TokenKind::end ? token.pos.column : in.last_column();
  return token;
}

// Whether the words so far begin a block that ends with END rather than with the next semicolon:
//   EXECUTE STATEMENT SET BEGIN …; …; END        also behind EXPLAIN
bool opens_statement_set(const std::vector<std::string>& words) {
  size_t n = words.size();
  return n >= 3 && words[n - 1] == "BEGIN" && words[n - 2] == "SET" && words[n - 3] == "STATEMENT";
}

}  // namespace

std::string to_upper(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return result;
}

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  Cursor in(text);
  do {
    skip_blank(in);
    tokens.push_back(read_token(in));
  } while (tokens.back().kind != TokenKind::end);
  // The end is reported where the text's last token ends.
  if (tokens.size() > 1) {
    const Pos& last = tokens[tokens.size() - 2].pos;
    tokens.back().pos = {last.end_line, last.end_column, last.end_line, last.end_column};
  }
  return tokens;
}

std::vector<ScriptPart> split_script(std::string_view script) {
  std::vector<ScriptPart> parts;
  Cursor in(script);
  size_t begin = 0;
  int first_line = 1;
  std::vector<std::string> words;
  bool any = false;
  bool in_set = false;
  int open_cases = 0;
  auto finish = [&](size_t end, bool terminated) {
    if (any) parts.push_back({std::string(script.substr(begin, end - begin)), first_line, terminated});
    words.clear();
    any = in_set = false;
    open_cases = 0;
  };
  while (true) {
    skip_blank(in);
    if (in.done()) break;
    Token token = read_token(in);
    if (token.kind == TokenKind::symbol && token.text == ";" && !in_set) {
      finish(token.offset, true);
      begin = in.at();
      // The rest of the semicolon's line is not counted.
      size_t line_end = begin;
      while (line_end < script.size() &&
             (script[line_end] == ' ' || script[line_end] == '\t' || script[line_end] == '\r'))
        ++line_end;
      first_line = in.line();
      if (line_end < script.size() && script[line_end] == '\n') {
        begin = line_end + 1;
        ++first_line;
      }
      continue;
    }
    any = true;
    if (token.kind != TokenKind::word) continue;
    if (words.size() < 8) words.push_back(token.upper);
    if (!in_set && opens_statement_set(words)) in_set = true;
    if (in_set && token.upper == "CASE") ++open_cases;
    if (in_set && token.upper == "END") {
      if (open_cases > 0) {
        --open_cases;
      } else {
        in_set = false;
      }
    }
  }
  finish(script.size(), false);
  return parts;
}

}  // namespace millrace::processing::sql
