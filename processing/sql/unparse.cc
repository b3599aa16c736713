// Syntax trees back to text, identifiers in backquotes: what DESCRIBE and SHOW CREATE print.
#include <string>
#include <string_view>

#include "processing/sql/ast.h"

namespace millrace::processing::sql {
const char* unit_name(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::year:
      return "YEAR";
    case TimeUnit::quarter:
      return "QUARTER";
    case TimeUnit::month:
      return "MONTH";
    case TimeUnit::week:
      return "WEEK";
    case TimeUnit::day:
      return "DAY";
    case TimeUnit::hour:
      return "HOUR";
    case TimeUnit::minute:
      return "MINUTE";
    case TimeUnit::second:
      return "SECOND";
    case TimeUnit::millisecond:
      return "MILLISECOND";
    case TimeUnit::microsecond:
      return "MICROSECOND";
    case TimeUnit::nanosecond:
      return "NANOSECOND";
    default:
      return "";  // no interval counts in it
  }
}

namespace {

std::string quote_with(std::string_view text, char quote) {
  std::string result(1, quote);
  for (char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

std::string list(const std::vector<NodePtr>& nodes, size_t from = 0) {
  std::string result;
  for (size_t i = from; i < nodes.size(); ++i) {
    if (i > from) result += ", ";
    result += unparse(*nodes[i]);
  }
  return result;
}

std::string names(const std::vector<std::string>& parts, const char* separator) {
  std::string result;
  for (const std::string& part : parts) {
    if (!result.empty()) result += separator;
    result += quote_identifier(part);
  }
  return result;
}

std::string order(const std::vector<OrderItem>& items) {
  std::string result;
  for (const OrderItem& item : items) {
    if (!result.empty()) result += ", ";
    result += unparse(*item.expr);
    if (item.descending) result += " DESC";
    if (item.nulls_first) result += *item.nulls_first ? " NULLS FIRST" : " NULLS LAST";
  }
  return result;
}

std::string qualifier(const Node& node) {
  std::string result = unit_name(node.from_unit);
  if (node.unit_precision >= 0) result += "(" + std::to_string(node.unit_precision) + ")";
  if (node.to_unit != TimeUnit::none) result += std::string(" TO ") + unit_name(node.to_unit);
  return result;
}

std::string literal(const Node& node) {
  switch (node.literal) {
    case LiteralKind::string:
      return quote_literal(node.text);
    case LiteralKind::binary:
      return "X'" + node.text + "'";
    case LiteralKind::date:
      return "DATE " + quote_literal(node.text);
    case LiteralKind::time:
      return "TIME " + quote_literal(node.text);
    case LiteralKind::timestamp:
      return "TIMESTAMP " + quote_literal(node.text);
    case LiteralKind::interval: {
      bool negative = node.text.starts_with('-');
      return std::string("INTERVAL ") + (negative ? "-" : "") +
             quote_literal(negative ? node.text.substr(1) : node.text) + " " + qualifier(node);
    }
    default:
      return node.text;
  }
}

int precedence(const Node& node) {
  if (node.kind != NodeKind::call) return 100;
  const std::string& op = node.op;
  if (op == "OR") return 1;
  if (op == "AND") return 2;
  if (op == "NOT") return 3;
  if (op.starts_with("IS ")) return 4;
  if (op == "=" || op == "<>" || op == "<" || op == ">" || op == "<=" || op == ">=") return 5;
  if (op.ends_with("BETWEEN") || op.ends_with("BETWEEN SYMMETRIC") || op.ends_with("LIKE") ||
      op.ends_with("SIMILAR TO"))
    return 6;
  if (op == "IN" || op == "NOT IN") return 6;
  if ((op == "+" || op == "-") && node.operands.size() == 2) return 7;
  if (op == "*" || op == "/" || op == "%" || op == "||") return 8;
  if (op == "+" || op == "-") return 9;
  return 100;
}

std::string operand(const Node& node, int outer) {
  return precedence(node) < outer ? "(" + unparse(node) + ")" : unparse(node);
}

std::string window(const WindowSpec& spec) {
  if (!spec.base.empty() && spec.partition_by.empty() && spec.order_by.empty() && !spec.frame)
    return quote_identifier(spec.base);
  std::string result = "(";
  if (!spec.partition_by.empty()) result += "PARTITION BY " + list(spec.partition_by);
  if (!spec.order_by.empty()) result += (result.size() > 1 ? " ORDER BY " : "ORDER BY ") + order(spec.order_by);
  if (spec.frame) {
    auto bound = [](WindowFrame::Bound b, const NodePtr& offset) -> std::string {
      switch (b) {
        case WindowFrame::Bound::unbounded_preceding:
          return "UNBOUNDED PRECEDING";
        case WindowFrame::Bound::preceding:
          return unparse(*offset) + " PRECEDING";
        case WindowFrame::Bound::current_row:
          return "CURRENT ROW";
        case WindowFrame::Bound::following:
          return unparse(*offset) + " FOLLOWING";
        case WindowFrame::Bound::unbounded_following:
          return "UNBOUNDED FOLLOWING";
      }
      return {};
    };
    result += std::string(spec.frame->rows ? " ROWS" : " RANGE") + " BETWEEN " +
              bound(spec.frame->lower, spec.frame->lower_offset) + " AND " +
              bound(spec.frame->upper, spec.frame->upper_offset);
  }
  return result + ")";
}

std::string call(const Node& node) {
  const std::string& op = node.op;
  const auto& args = node.operands;
  int own = precedence(node);
  if (own < 100) {
    if (op == "NOT") return "NOT " + operand(*args[0], own);
    if (args.size() == 1) {
      if (op.starts_with("IS ")) return operand(*args[0], own) + " " + op;
      return op + " " + operand(*args[0], own);
    }
    if (op.ends_with("BETWEEN") || op.ends_with("BETWEEN SYMMETRIC")) {
      std::string name = op.ends_with("SYMMETRIC") ? op : op + " ASYMMETRIC";
      return operand(*args[0], own) + " " + name + " " + operand(*args[1], own) + " AND " + operand(*args[2], own);
    }
    if (op == "IN" || op == "NOT IN") {
      if (args[1]->kind == NodeKind::query) return operand(*args[0], own) + " " + op + " " + unparse(*args[1]);
      return operand(*args[0], own) + " " + op + " (" + list(args, 1) + ")";
    }
    std::string result = operand(*args[0], own) + " " + op + " " + operand(*args[1], own + 1);
    if (args.size() == 3) result += " ESCAPE " + operand(*args[2], own);
    return result;
  }
  // These are written in their own way, unless somebody calls a function of that name with other arguments.
  const size_t count = args.size();
  if (op == "ITEM" && count == 2) return unparse(*args[0]) + "[" + unparse(*args[1]) + "]";
  if (op == "DOT" && count == 1) return unparse(*args[0]) + "." + quote_identifier(node.text);
  if (op == "ARRAY" || op == "MAP" || op == "MULTISET") return op + "[" + list(args) + "]";
  if (op == "EXISTS" && count == 1) return "EXISTS " + unparse(*args[0]);
  if (op == "EXTRACT" && count == 2) return "EXTRACT(" + args[0]->text + " FROM " + unparse(*args[1]) + ")";
  if ((op == "FLOOR" || op == "CEIL") && count == 2) return op + "(" + unparse(*args[0]) + " TO " + args[1]->text + ")";
  if (op == "POSITION" && count == 2) return "POSITION(" + unparse(*args[0]) + " IN " + unparse(*args[1]) + ")";
  if (op == "TRIM" && count == 3)
    return "TRIM(" + args[0]->text + " " + unparse(*args[1]) + " FROM " + unparse(*args[2]) + ")";
  if (op == "SUBSTRING" && count >= 2)
    return "SUBSTRING(" + unparse(*args[0]) + " FROM " + unparse(*args[1]) +
           (count > 2 ? " FOR " + unparse(*args[2]) : "") + ")";
  if (op == "MINUS_DATE" && count == 3)
    return "(" + unparse(*args[0]) + " - " + unparse(*args[1]) + ") " + qualifier(*args[2]);
  if (op == "=>" && count == 1) return node.text + " => " + unparse(*args[0]);
  if (op == "TABLE") {
    std::string result =
        node.query != nullptr ? "TABLE (" + unparse(*node.query) + ")" : "TABLE " + names(node.name.parts, ".");
    if (!args.empty()) result += " PARTITION BY " + list(args);
    return result;
  }
  bool bare = args.empty() && (op.starts_with("CURRENT_") || op == "LOCALTIME" || op == "LOCALTIMESTAMP");
  if (bare && op != "CURRENT_WATERMARK" && op != "CURRENT_ROW_TIMESTAMP") return op;
  std::string result = (node.name.parts.empty() ? op : names(node.name.parts, ".")) + "(";
  if (node.distinct) result += "DISTINCT ";
  result += list(args) + ")";
  if (node.filter != nullptr) result += " FILTER (WHERE " + unparse(*node.filter) + ")";
  if (node.over != nullptr) result += " OVER " + window(*node.over);
  return result;
}

std::string table_ref(const TableRef& table) {
  std::string result;
  switch (table.kind) {
    case TableRef::Kind::table:
      result = names(table.name.parts, ".");
      if (table.as_of != nullptr) result += " FOR SYSTEM_TIME AS OF " + unparse(*table.as_of);
      break;
    case TableRef::Kind::query:
      result = "(" + unparse(*table.query) + ")";
      break;
    case TableRef::Kind::function:
      result = std::string(table.lateral ? "LATERAL " : "") + "TABLE(" + unparse(*table.function) + ")";
      break;
    case TableRef::Kind::unnest:
      result = "UNNEST(" + unparse(*table.array) + ")";
      break;
    case TableRef::Kind::join: {
      const char* kinds[] = {" INNER JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN ", ", "};
      result = table_ref(*table.left) + (table.natural ? " NATURAL" : "") + kinds[static_cast<int>(table.join)] +
               table_ref(*table.right);
      if (table.condition != nullptr) result += " ON " + unparse(*table.condition);
      if (!table.using_columns.empty()) result += " USING (" + names(table.using_columns, ", ") + ")";
      return result;
    }
    case TableRef::Kind::match:
      result = table_ref(*table.left) + " MATCH_RECOGNIZE (…)";
      break;
  }
  if (!table.alias.empty()) result += " AS " + quote_identifier(table.alias);
  if (!table.alias_columns.empty()) result += " (" + names(table.alias_columns, ", ") + ")";
  return result;
}

}  // namespace

std::string quote_identifier(std::string_view text) { return quote_with(text, '`'); }
std::string quote_literal(std::string_view text) { return quote_with(text, '\''); }

std::string unparse(const Node& node) {
  switch (node.kind) {
    case NodeKind::literal:
      return literal(node);
    case NodeKind::name:
      return names(node.name.parts, ".");
    case NodeKind::star:
      return node.name.parts.empty() ? "*" : names(node.name.parts, ".") + ".*";
    case NodeKind::symbol:
      return node.text;
    case NodeKind::call:
      return call(node);
    case NodeKind::query:
      return "(" + unparse(*node.query) + ")";
    case NodeKind::cast:
      return node.op + "(" + unparse(*node.operands[0]) + " AS " + planner_text(node.type) + ")";
    case NodeKind::case_: {
      std::string result = "CASE";
      size_t i = 0;
      if (node.op == "SIMPLE") result += " " + unparse(*node.operands[i++]);
      for (; i + 2 < node.operands.size(); i += 2)
        result += " WHEN " + unparse(*node.operands[i]) + " THEN " + unparse(*node.operands[i + 1]);
      if (node.operands.back() != nullptr) result += " ELSE " + unparse(*node.operands.back());
      return result + " END";
    }
  }
  return {};
}

std::string unparse(const Query& query) {
  std::string result;
  for (const CommonTable& table : query.with)
    result += (result.empty() ? "WITH " : ", ") + quote_identifier(table.name) + " AS (" + unparse(*table.query) + ")";
  if (!result.empty()) result += " ";
  switch (query.kind) {
    case Query::Kind::values: {
      result += "VALUES ";
      for (size_t i = 0; i < query.rows.size(); ++i)
        result += std::string(i > 0 ? ", " : "") + "ROW(" + list(query.rows[i]) + ")";
      break;
    }
    case Query::Kind::union_:
    case Query::Kind::intersect:
    case Query::Kind::except: {
      const char* word = query.kind == Query::Kind::union_      ? " UNION "
                         : query.kind == Query::Kind::intersect ? " INTERSECT "
                                                                : " EXCEPT ";
      result += unparse(*query.left) + word + (query.all ? "ALL " : "") + unparse(*query.right);
      break;
    }
    case Query::Kind::select: {
      const Select& select = query.select;
      result += select.distinct ? "SELECT DISTINCT " : "SELECT ";
      for (size_t i = 0; i < select.items.size(); ++i) {
        if (i > 0) result += ", ";
        result += unparse(*select.items[i].expr);
        if (!select.items[i].alias.empty()) result += " AS " + quote_identifier(select.items[i].alias);
      }
      if (select.from != nullptr) result += " FROM " + table_ref(*select.from);
      if (select.where != nullptr) result += " WHERE " + unparse(*select.where);
      if (select.grouped) {
        result += " GROUP BY ";
        bool first = true;
        for (const GroupItem& item : select.group_by) {
          if (!first) result += ", ";
          first = false;
          if (item.kind == GroupItem::Kind::expr) {
            result += unparse(*item.expr);
            continue;
          }
          result += item.kind == GroupItem::Kind::rollup  ? "ROLLUP("
                    : item.kind == GroupItem::Kind::cube  ? "CUBE("
                    : item.kind == GroupItem::Kind::empty ? "("
                                                          : "GROUPING SETS(";
          for (size_t i = 0; i < item.sets.size(); ++i)
            result += std::string(i > 0 ? ", " : "") + "(" + list(item.sets[i]) + ")";
          result += ")";
        }
      }
      if (select.having != nullptr) result += " HAVING " + unparse(*select.having);
      break;
    }
  }
  if (!query.order_by.empty()) result += " ORDER BY " + order(query.order_by);
  if (query.fetch != nullptr) result += " LIMIT " + unparse(*query.fetch);
  if (query.offset != nullptr) result += " OFFSET " + unparse(*query.offset);
  return result;
}

}  // namespace millrace::processing::sql
