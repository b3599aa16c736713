// The ground the other rules stand on: tokens and words, names and small pieces, and how a mistake reads.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

namespace {

std::string escaped(std::string_view image) {
  std::string result;
  for (char c : image) {
    if (c == '\'' || c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string Name::text() const {
  std::string result;
  for (const std::string& part : parts) {
    if (!result.empty()) result += '.';
    result += part;
  }
  return result;
}

bool Grammar::is_word(std::string_view upper, size_t ahead) const {
  return peek(ahead).kind == TokenKind::word && peek(ahead).upper == upper;
}

bool Grammar::is_words(std::initializer_list<std::string_view> upper) const {
  size_t ahead = 0;
  return std::ranges::all_of(upper, [&](std::string_view word) { return is_word(word, ahead++); });
}

bool Grammar::is_one_of(std::initializer_list<std::string_view> upper) const {
  return std::ranges::any_of(upper, [&](std::string_view word) { return is_word(word); });
}

bool Grammar::is_symbol(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::symbol && peek(ahead).text == text;
}

bool Grammar::accept(std::string_view upper) {
  if (!is_word(upper)) return false;
  next();
  return true;
}

bool Grammar::accept_words(std::initializer_list<std::string_view> upper) {
  if (!is_words(upper)) return false;
  at_ += upper.size();
  return true;
}

bool Grammar::accept_symbol(std::string_view text) {
  if (!is_symbol(text)) return false;
  next();
  return true;
}

void Grammar::expect(std::string_view upper) {
  if (!accept(upper)) fail_here();
}

void Grammar::expect_words(std::initializer_list<std::string_view> upper) {
  for (std::string_view word : upper) expect(word);
}

std::string Grammar::expect_one_of(std::initializer_list<std::string_view> upper) {
  if (!is_one_of(upper)) fail_here();
  return next().upper;
}

void Grammar::expect_symbol(std::string_view text) {
  if (!accept_symbol(text)) fail_here();
}

bool Grammar::if_exists() { return accept_words({"IF", "EXISTS"}); }

bool Grammar::if_not_exists() { return accept_words({"IF", "NOT", "EXISTS"}); }

std::string Grammar::text_since(size_t token_index) const {
  size_t begin = tokens_[token_index].offset;
  const Token& last = tokens_[at_ > 0 ? at_ - 1 : 0];
  return std::string(text_.substr(begin, last.offset + last.image.size() - begin));
}

bool Grammar::is_name(size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::quoted || (token.kind == TokenKind::word && !is_reserved(token.upper));
}

bool Grammar::may_be_name() {
  if (is_name()) return true;
  name_probed_at_ = at_;
  return false;
}

std::string Grammar::simple_name(Pos* pos) {
  if (!is_name()) fail_here(true);
  const Token& token = next();
  if (pos != nullptr) *pos = token.pos;
  return token.text;
}

Name Grammar::name() {
  Name result;
  do {
    Pos pos;
    result.parts.push_back(simple_name(&pos));
    result.positions.push_back(pos);
  } while (is_symbol(".") && !is_symbol("*", 1) && accept_symbol("."));
  result.pos = result.positions.front().to(result.positions.back());
  return result;
}

std::vector<std::string> Grammar::name_list(std::vector<Pos>* positions) {
  std::vector<std::string> names;
  do {
    Pos pos;
    names.push_back(simple_name(&pos));
    if (positions != nullptr) positions->push_back(pos);
  } while (accept_symbol(","));
  return names;
}

std::vector<std::string> Grammar::names_in_parentheses(std::vector<Pos>* positions) {
  expect_symbol("(");
  std::vector<std::string> names = name_list(positions);
  expect_symbol(")");
  return names;
}

std::string Grammar::string_literal() {
  if (peek().kind != TokenKind::string) fail_here();
  return next().text;
}

long long Grammar::integer() {
  bool digits = peek().kind == TokenKind::number && peek().text.find('.') == std::string::npos;
  if (!digits || peek().text.size() > 18) fail_here();
  return std::stoll(next().text);
}

Options Grammar::property_list() {
  Options options;
  expect_symbol("(");
  if (accept_symbol(")")) return options;
  do {
    std::string key = string_literal();
    expect_symbol("=");
    options.emplace_back(std::move(key), string_literal());
  } while (accept_symbol(","));
  expect_symbol(")");
  return options;
}

// The hint's opening has been seen: OPTIONS('key'='value', …) */ . Other hints are read over.
Options Grammar::option_hints() {
  Options options;
  while (peek().kind == TokenKind::hint) {
    next();
    while (!(is_symbol("*") && is_symbol("/", 1))) {
      if (at_end()) fail_here();
      if (is_word("OPTIONS") && is_symbol("(", 1)) {
        next();
        for (auto& option : property_list()) options.push_back(std::move(option));
      } else {
        next();
      }
    }
    at_ += 2;
  }
  return options;
}

void Grammar::fail_too_deep() { fail_parse("The statement is nested too deeply.", peek().pos); }

void Grammar::fail_here(bool name_allowed) { fail_at(at_, 1, name_allowed || name_probed_at_ == at_); }

void Grammar::fail_at(size_t index, size_t count, bool name_allowed) {
  const Token& first = tokens_[std::min(index, tokens_.size() - 1)];
  Pos pos{first.pos.line, first.pos.column, first.pos.line, first.pos.column};
  if (first.kind == TokenKind::bad && first.image != "'" && first.image != "`" && first.image != "\"") {
    throw SqlError(SqlError::Stage::parse, "org.apache.flink.sql.parser.impl.TokenMgrError",
                   fmt::format("Lexical error at line {}, column {}.  Encountered: \"{}\" ({}), after : \"\"", pos.line,
                               pos.column, first.image, static_cast<int>(static_cast<unsigned char>(first.image[0]))),
                   pos);
  }
  if (name_allowed && first.kind == TokenKind::word && is_keyword(first.upper)) {
    fail_parse(fmt::format("Incorrect syntax near the keyword '{}' at line {}, column {}.", first.image, first.pos.line,
                           first.pos.column),
               pos);
  }
  std::string found;
  for (size_t i = index; i < index + count && i < tokens_.size(); ++i) {
    if (!found.empty()) found += ' ';
    found += tokens_[i].kind == TokenKind::end ? "<EOF>" : escaped(tokens_[i].image);
  }
  fail_parse(fmt::format("Encountered \"{}\" at line {}, column {}.", found, first.pos.line, first.pos.column), pos);
}

}  // namespace millrace::processing::sql
