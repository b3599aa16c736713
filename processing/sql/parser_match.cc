// MATCH_RECOGNIZE and its patterns.
//   pattern  := sequence ('|' sequence)*
//   sequence := factor+
//   factor   := (variable | '(' pattern ')' | '{-' pattern '-}' | PERMUTE '(' pattern, … ')') quantifier?
//   quantifier := ('*' | '+' | '?' | '{n}' | '{n,}' | '{,m}' | '{n,m}') '?'?       the last ? makes it reluctant
#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

std::shared_ptr<MatchRecognize> Grammar::match_recognize() {
  auto match = std::make_shared<MatchRecognize>();
  expect("MATCH_RECOGNIZE");
  expect_symbol("(");
  if (accept_words({"PARTITION", "BY"})) match->partition_by = expression_list();
  if (accept_words({"ORDER", "BY"})) match->order_by = order_items();
  if (accept("MEASURES")) {
    do {
      SelectItem measure;
      if (is_word("FINAL") || is_word("RUNNING")) {
        if (!is_symbol("(", 1) && !is_symbol(".", 1)) next();
      }
      measure.expr = expression();
      expect("AS");
      measure.alias = simple_name(&measure.alias_pos);
      match->measures.push_back(std::move(measure));
    } while (accept_symbol(","));
  }
  if (accept("ONE")) {
    expect_words({"ROW", "PER", "MATCH"});
  } else if (accept("ALL")) {
    expect_words({"ROWS", "PER", "MATCH"});
    match->all_rows = true;
  }
  if (accept("AFTER")) after_match(*match);
  expect("PATTERN");
  expect_symbol("(");
  match->strict_start = accept_symbol("^");
  match->pattern = pattern();
  match->strict_end = accept_symbol("$");
  expect_symbol(")");
  if (accept("WITHIN")) match->within = expression();
  if (accept("SUBSET")) {
    do {
      simple_name();
      expect_symbol("=");
      names_in_parentheses();
    } while (accept_symbol(","));
  }
  expect("DEFINE");
  do {
    std::string variable = simple_name();
    expect("AS");
    match->define.emplace_back(std::move(variable), expression());
  } while (accept_symbol(","));
  expect_symbol(")");
  return match;
}

// AFTER MATCH SKIP PAST LAST ROW, TO NEXT ROW, TO FIRST v or TO [LAST] v
void Grammar::after_match(MatchRecognize& match) {
  using Skip = MatchRecognize::Skip;
  expect_words({"MATCH", "SKIP"});
  if (accept("PAST")) {
    expect_words({"LAST", "ROW"});
    return;
  }
  expect("TO");
  if (accept_words({"NEXT", "ROW"})) {
    match.skip = Skip::to_next_row;
  } else if (accept("FIRST")) {
    match.skip = Skip::to_first;
    match.skip_variable = simple_name();
  } else {
    accept("LAST");
    match.skip = Skip::to_last;
    match.skip_variable = simple_name();
  }
}

PatternPtr Grammar::pattern() {
  Nesting nesting(*this);
  PatternPtr first = pattern_sequence();
  if (!is_symbol("|")) return first;
  auto alternation = std::make_shared<PatternTerm>();
  alternation->kind = PatternTerm::Kind::alternation;
  alternation->terms.push_back(first);
  while (accept_symbol("|")) alternation->terms.push_back(pattern_sequence());
  return alternation;
}

PatternPtr Grammar::pattern_sequence() {
  auto sequence = std::make_shared<PatternTerm>();
  sequence->kind = PatternTerm::Kind::sequence;
  while (is_name() || is_symbol("(") || is_symbol("{") || is_word("PERMUTE"))
    sequence->terms.push_back(pattern_factor());
  if (sequence->terms.empty()) fail_here(true);
  return sequence->terms.size() == 1 ? sequence->terms.front() : sequence;
}

PatternPtr Grammar::pattern_factor() {
  auto term = std::make_shared<PatternTerm>();
  if (accept_symbol("(")) {
    term = pattern();
    expect_symbol(")");
  } else if (accept_symbol("{")) {
    expect_symbol("-");
    term->kind = PatternTerm::Kind::exclude;
    term->terms.push_back(pattern());
    expect_symbol("-");
    expect_symbol("}");
  } else if (accept("PERMUTE")) {
    term->kind = PatternTerm::Kind::permute;
    expect_symbol("(");
    do {
      term->terms.push_back(pattern());
    } while (accept_symbol(","));
    expect_symbol(")");
  } else {
    term->variable = simple_name();
  }
  return quantified(std::move(term));
}

PatternPtr Grammar::quantified(PatternPtr term) {
  int min = 1;
  int max = 1;  // −1: any number
  if (accept_symbol("*")) {
    min = 0;
    max = -1;
  } else if (accept_symbol("+")) {
    max = -1;
  } else if (accept_symbol("?")) {
    min = 0;
  } else if (is_symbol("{") && !is_symbol("-", 1)) {
    next();
    if (accept_symbol(",")) {
      min = 0;
      max = static_cast<int>(integer());
    } else {
      min = max = static_cast<int>(integer());
      if (accept_symbol(",")) max = is_symbol("}") ? -1 : static_cast<int>(integer());
    }
    expect_symbol("}");
  } else {
    return term;
  }
  auto result = std::make_shared<PatternTerm>();
  result->kind = PatternTerm::Kind::quantified;
  result->terms.push_back(std::move(term));
  result->min = min;
  result->max = max;
  result->reluctant = accept_symbol("?");
  return result;
}

}  // namespace millrace::processing::sql
