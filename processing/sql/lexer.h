// Tokens of Flink SQL, and a script cut into statements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "processing/sql/error.h"

namespace millrace::processing::sql {

enum class TokenKind {
  word,         // an unquoted identifier or keyword; `upper` holds it in capitals
  quoted,       // `name`
  string,       // 'text', with '' undone
  unicode,      // U&'text', escapes not yet undone
  binary,       // X'00ff'
  number,       // 12  1.5  .5
  approximate,  // 1e0
  symbol,       // punctuation and operators
  hint,         // /*+
  bad,          // a character that begins nothing, or an unclosed quote
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;   // the value: without quotes
  std::string image;  // as written
  std::string upper;  // of a word
  Pos pos;
  size_t offset = 0;  // where it begins in the statement's text
};

// All tokens of one statement, the last one is `end`. Never fails: what cannot be read is a `bad` token.
std::vector<Token> tokenize(std::string_view text);

// ASCII letters in capitals.
std::string to_upper(std::string_view text);

// Words that cannot be names without backquotes, and all words the grammar knows.
bool is_reserved(std::string_view upper);
bool is_keyword(std::string_view upper);
// Reserved words that may be called like functions all the same.
bool is_reserved_function(std::string_view upper);
// What is written between or before its operands and never called like a function, whatever the quotes: NOT IN, =.
bool is_operator(std::string_view name);

// One statement of a script: its text without the semicolon. Positions count from the line after the semicolon of the
// statement before.
struct ScriptPart {
  std::string text;
  int first_line = 1;       // of the text, within the script
  bool terminated = false;  // by a semicolon
};
std::vector<ScriptPart> split_script(std::string_view script);

}  // namespace millrace::processing::sql
