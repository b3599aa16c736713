// Syntax trees to plans: resolves names, checks what Flink checks, and builds the relational plan.
//
//   planner.cc            whole queries: common tables, VALUES, ORDER BY, LIMIT
//   select.cc             SELECT, from FROM to its outputs
//   set_operations.cc     UNION, INTERSECT, EXCEPT
//   sources.cc            FROM; scan.cc, window_functions.cc, unnest.cc, joins.cc and match.cc: what can stand there
//   aggregate*.cc         GROUP BY and its windows        over.cc     OVER, Top-N, deduplication
//   subqueries.cc         subqueries in conditions        binder.cc   names and expressions
//   relations.cc          what is put on top of any of them
//   sinks.cc              INSERT
//   table_definition.cc   what CREATE TABLE may say
//   share.cc, prune.cc, limits.cc   once the plan is whole
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "processing/plan.h"
#include "processing/sql/ast.h"
#include "processing/sql/catalog.h"

namespace millrace::processing::sql {

using TypedExpr = processing::ExprPtr;

// The columns of a relation that say in which window a row is; −1: not among them.
struct WindowTrait {
  plan::WindowSpec spec;
  int start = -1;
  int end = -1;
  int time = -1;
};

struct Relation {
  plan::NodePtr node;
  std::optional<WindowTrait> window;
};

struct ScopeTable {
  std::string name;               // its alias, or the last part of its name
  std::vector<std::string> path;  // the whole name, when it has no alias
  int first = 0;
  int count = 0;
};

// What names mean at some place of a query.
struct Scope {
  std::vector<Field> columns;
  std::vector<ScopeTable> tables;
  std::vector<bool> hidden;     // columns a star leaves out: the right side of NATURAL and USING
  std::vector<int> star_order;  // of the columns of a star, when it is not their own
  const Scope* outer = nullptr;
  std::map<std::string, const WindowSpec*> windows;  // WINDOW w AS (…)
};

class Planner;

class Binder {
 public:
  // Called for every node before anything else; what it returns stands for the node, null means: go on.
  using Intercept = std::function<TypedExpr(const Node&)>;

  explicit Binder(const Scope& scope, Intercept intercept = {}) : scope_(scope), intercept_(std::move(intercept)) {}

  TypedExpr bind(const Node& node);
  std::vector<TypedExpr> bind_all(const std::vector<NodePtr>& nodes);

 private:
  TypedExpr bind_name(const Node& node);
  TypedExpr bind_call(const Node& node);
  TypedExpr bind_case(const Node& node);
  TypedExpr fields_of(TypedExpr value, const Node& node, size_t from, const std::string& table);

  const Scope& scope_;
  Intercept intercept_;
};

struct SelectColumns {
  std::vector<SelectItem> items;   // stars expanded
  std::vector<std::string> names;  // of the output, unique
  size_t hidden = 0;               // trailing items that only ORDER BY needs
};

class Planner {
 public:
  Planner(const Catalog& catalog, const plan::Options& settings) : catalog_(catalog), settings_(settings) {}

  plan::Plan plan_query(const Query& query);
  std::shared_ptr<plan::Sink> plan_insert(const Insert& insert);
  // CREATE TABLE … AS: the query is the insert's, the table is not in the catalog yet.
  std::shared_ptr<plan::Sink> plan_insert_into(const CatalogTable& table, const Insert& insert);
  // The columns a query gives.
  std::vector<Field> query_schema(const Query& query);

  // Resolves the types of a table's columns in place and checks its definition.
  void resolve_table(CatalogTable& table);

  const plan::Options& settings() const { return settings_; }

 private:
  friend class AggregatePlanner;

  struct FromResult {
    Relation relation;
    Scope scope;
  };
  struct Selected {
    Relation relation;
    std::vector<plan::SortKey> sort;
    size_t hidden = 0;  // trailing columns that only the sort needs
  };
  struct JoinParts {
    Relation left, right;
    plan::JoinKind kind = plan::JoinKind::inner;
    std::vector<TypedExpr> conditions;  // over the columns of both sides
  };
  using CommonTables = std::map<std::string, const CommonTable*>;

  // Queries.
  Relation relation_of(const Query& query, const Scope* outer = nullptr);
  Relation query_body(const Query& query, const Scope* outer);
  Relation values(const Query& query);
  Relation sort_and_limit(Relation input, const Query& query, const std::vector<plan::SortKey>& sort);
  Selected select(const Query& query, const Scope* outer);
  SelectColumns select_columns(const Select& select, const Scope& scope);
  Relation plain_outputs(Relation input, Scope& scope, const SelectColumns& columns);
  Relation filter(Relation input, const Scope& scope, const Node& condition, const char* clause);

  // Set operations.
  Relation set_operation(const Query& query, const Scope* outer);
  std::vector<Field> align_columns(const Query& query, Relation& left, Relation& right);
  Relation distinct_rows_in(bool intersect, Relation left, Relation right);
  Relation set_operation_all(bool intersect, Relation left, Relation right);
  plan::NodePtr count_on_each_side(Relation left, Relation right);
  Relation repeated(Relation rows, const TypedExpr& times);

  // On top of any relation.
  Relation filter_by(Relation input, TypedExpr condition);
  Relation project(Relation input, std::vector<TypedExpr> outputs, std::vector<std::string> names);
  Relation keep_columns(Relation input, size_t count);  // the first ones
  Relation rename(Relation input, const std::vector<std::string>& names);
  Relation distinct(Relation input);

  // FROM.
  static FromResult one_row();  // without columns: of a query without FROM
  FromResult from(const TableRef& table, const Scope* outer);
  FromResult from_table(const TableRef& table);
  FromResult from_function(const TableRef& table, const Scope* outer);
  FromResult from_join(const TableRef& table, const Scope* outer);
  FromResult from_unnest(const TableRef& table, FromResult left, bool outer_join, const NodePtr& condition);
  FromResult from_match(const TableRef& table, const Scope* outer);
  FromResult aliased(Relation relation, const TableRef& table, const std::string& name,
                     std::vector<std::string> path = {});
  Relation scan(const CatalogTable& table, const Options& hints);
  Relation view(const CatalogTable& table);
  FromResult window_input(const Node& data, const std::string& function, const Scope* outer);
  Relation window_function(const Node& function, const Scope* outer);
  plan::WindowSpec window_spec(const std::string& name, const std::vector<NodePtr>& arguments, const Node& function);
  CatalogTablePtr find_table(const Name& name) const;
  [[noreturn]] void fail_object_not_found(const Name& name) const;

  // SELECT with aggregates, with OVER.
  Relation aggregate(Relation input, const Scope& scope, const Select& select, const SelectColumns& columns);
  Relation over(Relation input, const Scope& scope, const Select& select, const SelectColumns& columns);
  Relation bound_rank(Relation relation);

  // Predicates with subqueries become joins.
  Relation make_join(JoinParts parts);
  FromResult temporal_join(const TableRef& table, FromResult left, FromResult right);
  Relation subquery_join(Relation input, const Scope& scope, const Query& query, const Node* value, bool negated,
                         Pos pos);
  Relation filter_with_subqueries(Relation input, const Scope& scope, const Node& condition);
  std::optional<Relation> correlated_subquery(Relation input, const Scope& scope, const Node& node);
  Relation scalar_subqueries(Relation input, Scope& scope, const std::vector<NodePtr>& nodes,
                             std::map<const Node*, int>& columns);

  // Sinks.
  std::shared_ptr<plan::Sink> sink_for(const CatalogTable& table, const Insert& insert, Relation source);

  const Catalog& catalog_;
  const plan::Options& settings_;
  CommonTables common_;
  std::string view_catalog_, view_database_;  // while the query of a view is planned
  int depth_ = 0;
  std::map<const plan::Node*, std::optional<WindowTrait>> rank_windows_;  // of a ranking's input
  std::map<const plan::Node*, JoinParts> joins_;  // inner joins that a WHERE above may still narrow
  std::vector<plan::NodePtr> kept_;               // keeps alive the nodes that the maps above name
};

// Lets parts that are the same run once.
void share(plan::Plan& plan);
// Drops the columns nobody reads, down to the scans.
void prune(plan::Plan& plan);
// Refuses what would never come to an end.
void check_limits(const plan::Plan& plan);

// Helpers on typed expressions.
bool same_expr(const TypedExpr& a, const TypedExpr& b);
bool is_column(const TypedExpr& expr);
TypedExpr column_of(const plan::Node& node, int index, SourcePosition where = {});
std::vector<TypedExpr> first_columns(const plan::Node& node, size_t count);
std::vector<std::string> names_of(const std::vector<Field>& fields);
// ORDER BY 2: the index of the column it counts.
int ordinal(const Node& node, size_t columns);
// Replaces column i by outputs[i].
TypedExpr substitute(const TypedExpr& expr, const std::vector<TypedExpr>& outputs);
std::vector<TypedExpr> conjuncts(const TypedExpr& condition);
TypedExpr conjunction(const std::vector<TypedExpr>& conditions);
// What a WHERE or ON may ask: a BOOLEAN. A bare NULL becomes one; anything else is refused.
TypedExpr checked_condition(TypedExpr condition, const char* clause);
// The same without being a time attribute.
TypedExpr materialized(TypedExpr expr);

// Finds, in a tree that holds no subquery of its own scope, calls to aggregates that are not OVER a window, and OVER
// calls.
const Node* find_aggregate(const Node& node);
const Node* find_over(const Node& node);
bool is_legacy_window(const Node& node);  // TUMBLE(ts, …), HOP, SESSION in GROUP BY

plan::Changelog merge_changelogs(const std::vector<plan::NodePtr>& inputs);

}  // namespace millrace::processing::sql
