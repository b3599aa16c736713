// Predicates in words: IS …, OVERLAPS, and those that NOT may stand before: BETWEEN, IN, LIKE, SIMILAR TO.
#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {

// x IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM y | JSON [VALUE | OBJECT | ARRAY | SCALAR]
NodePtr Grammar::is_predicate(NodePtr left) {
  Pos op_pos = peek().pos;
  size_t begin = at_;
  next();
  std::string op = "IS";
  if (accept("NOT")) op += " NOT";
  if (is_word("NULL") || is_word("TRUE") || is_word("FALSE") || is_word("UNKNOWN")) {
    op += " " + next().upper;
  } else if (accept_words({"DISTINCT", "FROM"})) {
    NodePtr right = expression(is_ + 1);
    NodePtr call = make_call(op + " DISTINCT FROM", left->pos.to(right->pos), {left, right});
    call->op_pos = op_pos;
    call->infix = true;
    return call;
  } else if (accept("JSON")) {
    op += " JSON";
    op +=
        is_word("VALUE") || is_word("OBJECT") || is_word("ARRAY") || is_word("SCALAR") ? " " + next().upper : " VALUE";
  } else {
    fail_at(begin, at_ - begin + 1, true);
  }
  NodePtr call = make_call(op, left->pos.to(previous()), {left});
  call->op_pos = op_pos;
  call->infix = true;
  return call;
}

// (a, b) OVERLAPS (c, d)
bool Grammar::overlaps_predicate(NodePtr& left, int min_precedence) {
  const auto is_pair = [](const NodePtr& node) { return node->is_call("ROW") && node->operands.size() == 2; };
  if (!is_word("OVERLAPS") || range < min_precedence || !is_pair(left)) return false;
  const Pos op_pos = next().pos;
  const NodePtr right = expression(range + 1);
  if (!is_pair(right)) fail_here();
  NodePtr call = make_call("OVERLAPS", left->pos.to(right->pos),
                           {left->operands[0], left->operands[1], right->operands[0], right->operands[1]});
  call->op_pos = op_pos;
  left = call;
  return true;
}

// x [NOT] BETWEEN … AND … | [NOT] IN (…) | [NOT] LIKE … [ESCAPE …] | [NOT] SIMILAR TO … [ESCAPE …]
bool Grammar::negatable_predicate(NodePtr& left, int min_precedence) {
  size_t ahead = is_word("NOT") ? 1 : 0;
  bool known = is_word("BETWEEN", ahead) || is_word("IN", ahead) || is_word("LIKE", ahead) ||
               (is_word("SIMILAR", ahead) && is_word("TO", ahead + 1));
  if (!known || range < min_precedence) return false;
  std::string negation = ahead == 1 ? "NOT " : "";
  Pos op_pos = peek().pos;
  at_ += ahead;
  std::string op = next().upper;
  NodePtr call;
  if (op == "BETWEEN") {
    bool symmetric = accept("SYMMETRIC");
    if (!symmetric) accept("ASYMMETRIC");
    NodePtr low = expression(range + 1);
    expect("AND");
    NodePtr high = expression(range + 1);
    call =
        make_call(negation + (symmetric ? "BETWEEN SYMMETRIC" : "BETWEEN"), left->pos.to(high->pos), {left, low, high});
  } else if (op == "IN") {
    Pos begin = peek().pos;
    expect_symbol("(");
    call = make_call(negation + "IN", left->pos, {left});
    if (starts_query()) {
      NodePtr right = query_expression(query(), begin);
      call->operands.push_back(right);
    } else {
      for (NodePtr& item : expression_list()) call->operands.push_back(std::move(item));
    }
    expect_symbol(")");
    call->pos = left->pos.to(previous());
  } else {
    if (op == "SIMILAR") {
      expect("TO");
      op = "SIMILAR TO";
    }
    NodePtr pattern = expression(range + 1);
    call = make_call(negation + op, left->pos.to(pattern->pos), {left, pattern});
    if (accept("ESCAPE")) {
      call->operands.push_back(expression(range + 1));
      call->pos = call->pos.to(call->operands.back()->pos);
    }
  }
  call->op_pos = op_pos;
  call->infix = true;
  left = call;
  return true;
}

}  // namespace millrace::processing::sql
