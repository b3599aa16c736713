// Making nodes of the syntax tree.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "processing/sql/ast.h"

namespace millrace::processing::sql {

inline NodePtr make_node(NodeKind kind, Pos pos) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->pos = pos;
  return node;
}

inline NodePtr make_call(std::string op, Pos pos, std::vector<NodePtr> operands) {
  NodePtr node = make_node(NodeKind::call, pos);
  node->op = std::move(op);
  node->operands = std::move(operands);
  return node;
}

inline NodePtr make_literal(LiteralKind kind, std::string text, Pos pos) {
  NodePtr node = make_node(NodeKind::literal, pos);
  node->literal = kind;
  node->text = std::move(text);
  return node;
}

}  // namespace millrace::processing::sql
