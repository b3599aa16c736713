// The recursive-descent parser behind parser.h. One method per rule of the grammar.
//
// Mistakes read as those of Flink's generated parser:
//   Encountered "FROM" at line 1, column 16.
//   Incorrect syntax near the keyword 'FROM' at line 1, column 12.       when a name could have stood there
//   Encountered "> >" at line 3, column 13.                              an operator without its right side
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "processing/sql/ast.h"
#include "processing/sql/lexer.h"

namespace millrace::processing::sql {

// Of operators, the loosest first.
enum Precedence { lowest, or_, and_, not_, is_, comparison, range, additive, multiplicative, unary };

// DAYS: DAY.
std::string singular(const std::string& unit);

class Grammar {
 public:
  // A semicolon at the end is left out: some clients send it along.
  explicit Grammar(std::string_view text) : text_(text), tokens_(tokenize(text)) {
    if (tokens_.size() > 2 && tokens_[tokens_.size() - 2].image == ";") tokens_.erase(tokens_.end() - 2);
  }

  Statement statement();

 private:
  // What a hostile statement may nest before it is refused; all later work is recursive.
  static constexpr int kDeepest = 300;
  struct Nesting {
    explicit Nesting(Grammar& g) : grammar(g) {
      if (++grammar.depth_ > kDeepest) grammar.fail_too_deep();
    }
    ~Nesting() { --grammar.depth_; }
    Grammar& grammar;
  };
  [[noreturn]] void fail_too_deep();

  // Tokens.
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  const Pos& previous() const { return tokens_[at_ > 0 ? at_ - 1 : 0].pos; }
  bool at_end() const { return peek().kind == TokenKind::end; }
  bool is_word(std::string_view upper, size_t ahead = 0) const;
  bool is_words(std::initializer_list<std::string_view> upper) const;
  bool is_one_of(std::initializer_list<std::string_view> upper) const;
  bool is_symbol(std::string_view text, size_t ahead = 0) const;
  bool accept(std::string_view upper);
  bool accept_words(std::initializer_list<std::string_view> upper);
  bool accept_symbol(std::string_view text);
  void expect(std::string_view upper);
  void expect_words(std::initializer_list<std::string_view> upper);
  std::string expect_one_of(std::initializer_list<std::string_view> upper);
  void expect_symbol(std::string_view text);
  [[noreturn]] void fail_here(bool name_allowed = false);
  [[noreturn]] void fail_at(size_t index, size_t count, bool name_allowed);

  // Names and small pieces.
  bool is_name(size_t ahead = 0) const;
  bool may_be_name();  // remembers that a name could stand here
  std::string simple_name(Pos* pos = nullptr);
  Name name();
  std::vector<std::string> name_list(std::vector<Pos>* positions = nullptr);
  std::vector<std::string> names_in_parentheses(std::vector<Pos>* positions = nullptr);
  std::string string_literal();
  long long integer();
  Options property_list();
  Options option_hints();
  DataType type();
  DataType type_without_suffix();
  DataType row_type();
  int type_argument(int otherwise, int least, int most, const char* what);
  int limited_integer(int least, int most, const std::string& what);
  bool is_time_unit(size_t ahead = 0) const;
  TimeUnit time_unit();

  // Expressions.
  NodePtr expression(int min_precedence = 0);
  NodePtr operand();
  NodePtr prefix();
  NodePtr postfix(NodePtr expr);
  bool infix(NodePtr& left, int min_precedence);
  NodePtr binary(NodePtr left, std::string op, size_t op_tokens, int precedence);
  NodePtr is_predicate(NodePtr left);
  bool overlaps_predicate(NodePtr& left, int min_precedence);
  bool negatable_predicate(NodePtr& left, int min_precedence);
  NodePtr literal();
  NodePtr interval_literal();
  void interval_qualifier(Node& interval);
  NodePtr case_expression();
  NodePtr cast_expression();
  NodePtr function_call();
  NodePtr special_call(const std::string& upper);
  NodePtr json_call(const std::string& upper);
  void json_behaviors(Node& call);
  void call_arguments(Node& call);
  NodePtr call_argument();
  void call_suffixes(Node& call);
  NodePtr parenthesized();
  NodePtr sequence_constructor(const std::string& op);
  NodePtr symbol(std::string text, Pos pos);
  std::vector<NodePtr> expression_list();
  std::vector<OrderItem> order_items();
  bool starts_expression(size_t ahead = 0) const;
  bool starts_query(size_t ahead = 0) const;
  NodePtr query_expression(QueryPtr query, Pos pos);

  // Queries.
  QueryPtr query();
  std::vector<CommonTable> common_tables();
  QueryPtr query_body(int min_precedence);
  QueryPtr query_term();
  QueryPtr select();
  QueryPtr values();
  SelectItem select_item();
  TableRefPtr from_clause();
  TableRefPtr join_chain();
  std::optional<JoinKind> join_kind();
  TableRefPtr table_primary();
  void table_suffixes(TableRefPtr& table);
  void table_alias(TableRef& table);
  NodePtr table_function();
  void match_suffix(TableRefPtr& table);
  std::shared_ptr<MatchRecognize> match_recognize();
  void after_match(MatchRecognize& match);
  PatternPtr pattern();
  PatternPtr pattern_sequence();
  PatternPtr pattern_factor();
  PatternPtr quantified(PatternPtr term);
  std::vector<GroupItem> group_items();
  GroupItem group_item();
  WindowSpec window_spec();
  WindowFrame window_frame();
  void frame_bound(WindowFrame::Bound& bound, NodePtr& offset, bool upper);
  NodePtr fetch_count();

  // Statements.
  Statement any_statement();
  Use use();
  SetOption set_option();
  ResetOption reset_option();
  StopJob stop_job();
  RefusedDml refused_dml();
  OtherStatement module();
  OtherStatement jar();
  OtherStatement analyze();
  Statement create();
  CreateTable create_table(bool temporary, bool or_replace);
  void table_elements(TableDef& table);
  ColumnDef column();
  WatermarkDef watermark();
  PrimaryKeyDef primary_key_tail(std::string constraint);
  std::vector<LikeOption> like_options();
  CreateView create_view(bool temporary);
  CreateOther create_other(bool temporary);
  Statement drop();
  Statement alter();
  AlterTable alter_table();
  void alter_rename(AlterTable& alter);
  void alter_options(AlterTable& alter);
  void alter_schema(AlterTable& alter);
  void alter_drop(AlterTable& alter);
  std::shared_ptr<Insert> insert();
  std::shared_ptr<StatementSet> statement_set();
  Statement explain();
  Statement show();
  Statement describe();
  bool if_exists();
  bool if_not_exists();
  std::string text_since(size_t token_index) const;

  std::string_view text_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  size_t name_probed_at_ = static_cast<size_t>(-1);
};

}  // namespace millrace::processing::sql
