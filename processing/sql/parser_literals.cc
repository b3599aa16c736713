// Literals, and the units of time in intervals.
#include <fmt/format.h>

#include <algorithm>

#include "processing/functions/utf8.h"
#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {
namespace {

constexpr std::pair<std::string_view, TimeUnit> kIntervalUnits[] = {
    {"YEAR", TimeUnit::year},     {"QUARTER", TimeUnit::quarter}, {"MONTH", TimeUnit::month},
    {"WEEK", TimeUnit::week},     {"DAY", TimeUnit::day},         {"HOUR", TimeUnit::hour},
    {"MINUTE", TimeUnit::minute}, {"SECOND", TimeUnit::second},
};

// U&'\00e9': four hex digits behind the escape character; the character doubled is itself.
std::string undo_unicode(std::string_view text, char escape, Pos pos) {
  std::string result;
  uint32_t high = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != escape) {
      result += text[i];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == escape) {
      result += escape;
      ++i;
      continue;
    }
    uint32_t code = 0;
    bool valid = i + 4 < text.size();
    for (size_t k = 1; valid && k <= 4; ++k) {
      char c = text[i + k];
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      valid = digit >= 0;
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    if (!valid)
      fail_parse(fmt::format("Unicode escape sequence starting at character {} is not exactly four hex digits", i),
                 pos);
    i += 4;
    if (code >= 0xD800 && code < 0xDC00) {
      high = code;
    } else if (code >= 0xDC00 && code < 0xE000 && high != 0) {
      append_code_point(result, 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00));
      high = 0;
    } else {
      append_code_point(result, code);
    }
  }
  return result;
}

}  // namespace

std::string singular(const std::string& unit) {
  static constexpr std::string_view plurals[] = {"YEARS",   "MONTHS",  "DAYS",  "HOURS",
                                                 "MINUTES", "SECONDS", "WEEKS", "QUARTERS"};
  return std::ranges::find(plurals, unit) == std::end(plurals) ? unit : unit.substr(0, unit.size() - 1);
}

bool Grammar::is_time_unit(size_t ahead) const {
  if (peek(ahead).kind != TokenKind::word) return false;
  std::string unit = singular(peek(ahead).upper);
  return std::ranges::any_of(kIntervalUnits, [&](const auto& entry) { return entry.first == unit; });
}

TimeUnit Grammar::time_unit() {
  if (!is_time_unit()) fail_here();
  std::string unit = singular(next().upper);
  return std::ranges::find(kIntervalUnits, std::string_view(unit), &std::pair<std::string_view, TimeUnit>::first)
      ->second;
}

NodePtr Grammar::literal() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::number:
      next();
      return make_literal(LiteralKind::exact, token.text, token.pos);
    case TokenKind::approximate:
      next();
      return make_literal(LiteralKind::approximate, token.text, token.pos);
    case TokenKind::binary: {
      next();
      return make_literal(LiteralKind::binary, token.text, token.pos);
    }
    case TokenKind::unicode: {
      next();
      std::string text = token.text;
      Pos pos = token.pos;
      char escape = '\\';
      if (accept("UESCAPE")) escape = string_literal().front();
      return make_literal(LiteralKind::string, undo_unicode(text, escape, pos), pos);
    }
    case TokenKind::string: {
      std::string text = next().text;
      Pos pos = token.pos;
      while (peek().kind == TokenKind::string) {
        text += peek().text;
        pos = pos.to(peek().pos);
        next();
      }
      return make_literal(LiteralKind::string, text, pos);
    }
    default:
      break;
  }
  if (token.kind == TokenKind::symbol && (token.text == "-" || token.text == "+")) return prefix();
  if (token.kind != TokenKind::word) fail_here();
  Pos pos = token.pos;
  const std::string& upper = token.upper;
  if (upper == "NULL") {
    next();
    return make_literal(LiteralKind::null, "NULL", pos);
  }
  if (upper == "TRUE" || upper == "FALSE") {
    next();
    return make_literal(LiteralKind::boolean, upper, pos);
  }
  if (upper == "UNKNOWN") {
    next();
    NodePtr node = make_literal(LiteralKind::null, "UNKNOWN", pos);
    return node;
  }
  if (upper == "INTERVAL") return interval_literal();
  if ((upper == "DATE" || upper == "TIME" || upper == "TIMESTAMP") && peek(1).kind == TokenKind::string) {
    LiteralKind kind = upper == "DATE"   ? LiteralKind::date
                       : upper == "TIME" ? LiteralKind::time
                                         : LiteralKind::timestamp;
    next();
    std::string text = string_literal();
    return make_literal(kind, text, pos.to(previous()));
  }
  fail_here();
}

NodePtr Grammar::interval_literal() {
  Pos pos = peek().pos;
  expect("INTERVAL");
  bool negative = false;
  if (accept_symbol("-")) {
    negative = true;
  } else {
    accept_symbol("+");
  }
  std::string text = string_literal();
  NodePtr node = make_literal(LiteralKind::interval, negative ? "-" + text : text, pos);
  interval_qualifier(*node);
  node->pos = pos.to(previous());
  return node;
}

// DAY(2) TO SECOND(3)
void Grammar::interval_qualifier(Node& interval) {
  interval.from_unit = time_unit();
  interval.to_unit = TimeUnit::none;
  if (accept_symbol("(")) {
    interval.unit_precision = static_cast<int>(integer());
    if (accept_symbol(",")) integer();
    expect_symbol(")");
  }
  if (accept("TO")) {
    interval.to_unit = time_unit();
    if (accept_symbol("(")) {
      integer();
      expect_symbol(")");
    }
  }
}
}  // namespace millrace::processing::sql
