// The syntax tree of a statement, as written: names are not resolved, types are not checked. Every node knows its place
// in the text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "processing/functions/time_unit.h"
#include "processing/sql/error.h"
#include "processing/types.h"

namespace millrace::processing::sql {

struct Node;
struct Query;
struct TableRef;
using NodePtr = std::shared_ptr<Node>;
using QueryPtr = std::shared_ptr<Query>;
using TableRefPtr = std::shared_ptr<TableRef>;

// A name of one or several parts.
struct Name {
  std::vector<std::string> parts;
  std::vector<Pos> positions;
  Pos pos;

  std::string text() const;  // joined by dots
  const std::string& last() const { return parts.back(); }
};

struct OrderItem {
  NodePtr expr;
  bool descending = false;
  std::optional<bool> nulls_first;
};

struct WindowFrame {
  enum class Bound { unbounded_preceding, preceding, current_row, following, unbounded_following };
  bool rows = false;  // else range
  Bound lower = Bound::unbounded_preceding;
  Bound upper = Bound::current_row;
  NodePtr lower_offset;
  NodePtr upper_offset;
};

struct WindowSpec {
  Pos pos;
  std::string base;  // OVER w, or WINDOW v AS (w …)
  std::vector<NodePtr> partition_by;
  std::vector<OrderItem> order_by;
  std::optional<WindowFrame> frame;
};

enum class NodeKind {
  literal,
  name,
  star,    // * or t.*
  symbol,  // a keyword among a call's arguments: YEAR, LEADING, NULL ON EMPTY
  call,    // every function and operator; op holds its name in capitals
  case_,   // [value] then pairs of condition and result, then the else branch (may be null)
  cast,    // CAST and TRY_CAST (op)
  query,   // a scalar subquery, or the subquery of IN and EXISTS
};

enum class LiteralKind { null, boolean, exact, approximate, string, binary, date, time, timestamp, interval };

struct Node {
  NodeKind kind = NodeKind::literal;
  Pos pos;

  LiteralKind literal = LiteralKind::null;
  std::string text;                     // of a literal or symbol
  TimeUnit from_unit = TimeUnit::none;  // of an interval literal
  TimeUnit to_unit = TimeUnit::none;
  int unit_precision = -1;

  Name name;       // of a name; the prefix of a star
  std::string op;  // of a call or cast
  Pos op_pos;      // the function's name or the operator
  std::vector<NodePtr> operands;
  DataType type;  // of a cast
  QueryPtr query;

  // Of a call to an aggregate or window function.
  bool distinct = false;
  bool infix = false;  // written as an operator
  NodePtr filter;
  std::vector<OrderItem> within_group;
  std::shared_ptr<WindowSpec> over;
  bool ignore_nulls = false;

  bool is_call(std::string_view name_of_op) const { return kind == NodeKind::call && op == name_of_op; }
  bool is_literal(LiteralKind k) const { return kind == NodeKind::literal && literal == k; }
};

struct SelectItem {
  NodePtr expr;
  std::string alias;
  Pos alias_pos;
};

struct GroupItem {
  enum class Kind { expr, grouping_sets, rollup, cube, empty };
  Kind kind = Kind::expr;
  Pos pos;
  NodePtr expr;
  std::vector<std::vector<NodePtr>> sets;  // of grouping sets, rollup and cube
  std::vector<GroupItem> nested;           // grouping sets may hold rollups and cubes
};

struct PatternTerm;
using PatternPtr = std::shared_ptr<PatternTerm>;
struct PatternTerm {
  enum class Kind { variable, sequence, alternation, quantified, permute, exclude };
  Kind kind = Kind::variable;
  std::string variable;
  std::vector<PatternPtr> terms;
  int min = 1;
  int max = 1;  // −1: unbounded
  bool reluctant = false;
};

struct MatchRecognize {
  std::vector<NodePtr> partition_by;
  std::vector<OrderItem> order_by;
  std::vector<SelectItem> measures;
  bool all_rows = false;
  enum class Skip { past_last_row, to_next_row, to_first, to_last } skip = Skip::past_last_row;
  std::string skip_variable;
  PatternPtr pattern;
  bool strict_start = false;
  bool strict_end = false;
  NodePtr within;
  std::vector<std::pair<std::string, NodePtr>> define;
};

using Options = std::vector<std::pair<std::string, std::string>>;

enum class JoinKind { inner, left, right, full, cross, comma };

struct TableRef {
  enum class Kind {
    table,     // name [hints] [FOR SYSTEM_TIME AS OF]
    query,     // (SELECT …)
    function,  // TABLE(f(…)), LATERAL TABLE(f(…))
    unnest,
    join,
    match,  // input MATCH_RECOGNIZE (…)
  };
  Kind kind = Kind::table;
  Pos pos;
  Name name;
  Options hints;  // of /*+ OPTIONS(…) */
  NodePtr as_of;
  QueryPtr query;
  bool lateral = false;
  NodePtr function;  // arguments of kind `table_argument` hold their table in Node::query or name
  bool with_ordinality = false;
  NodePtr array;            // of unnest
  TableRefPtr left, right;  // of a join; left is the input of match
  JoinKind join = JoinKind::inner;
  bool natural = false;
  NodePtr condition;
  std::vector<std::string> using_columns;
  Pos join_pos;
  std::shared_ptr<MatchRecognize> match;

  std::string alias;
  Pos alias_pos;
  std::vector<std::string> alias_columns;
  Pos alias_columns_pos;
};

struct Select {
  Pos pos;
  bool distinct = false;
  std::vector<SelectItem> items;
  TableRefPtr from;
  NodePtr where;
  bool grouped = false;
  std::vector<GroupItem> group_by;
  NodePtr having;
  NodePtr qualify;
  std::vector<std::pair<std::string, WindowSpec>> windows;
};

struct CommonTable {
  std::string name;
  Pos pos;
  std::vector<std::string> columns;
  QueryPtr query;
};

struct Query {
  enum class Kind { select, values, union_, intersect, except };
  Kind kind = Kind::select;
  Pos pos;
  std::vector<CommonTable> with;
  Select select;
  std::vector<std::vector<NodePtr>> rows;  // of VALUES
  QueryPtr left, right;
  bool all = false;
  std::vector<OrderItem> order_by;
  NodePtr offset;
  NodePtr fetch;
};

struct ColumnDef {
  enum class Kind { physical, metadata, computed };
  Kind kind = Kind::physical;
  std::string name;
  Pos pos;
  DataType type;
  std::optional<std::string> metadata_key;  // METADATA FROM 'key'
  bool is_virtual = false;
  NodePtr expr;
  std::string comment;
  bool primary_key = false;
};

struct WatermarkDef {
  Name column;
  NodePtr expr;
  Pos pos;
};

struct PrimaryKeyDef {
  std::string constraint;
  std::vector<std::string> columns;
  std::vector<Pos> positions;
  bool enforced = false;
  Pos pos;
};

struct LikeOption {
  std::string merging;  // INCLUDING, EXCLUDING, OVERWRITING
  std::string feature;  // ALL, OPTIONS, WATERMARKS, …
};

struct TableDef {
  std::vector<ColumnDef> columns;
  std::vector<WatermarkDef> watermarks;
  std::optional<PrimaryKeyDef> primary_key;
  std::vector<std::string> partitioned_by;
  Options options;
  std::string comment;
};

struct CreateTable {
  Name name;
  bool temporary = false;
  bool or_replace = false;
  bool if_not_exists = false;
  TableDef table;
  std::optional<Name> like;
  std::vector<LikeOption> like_options;
  QueryPtr as_query;
};

struct CreateView {
  Name name;
  bool temporary = false;
  bool if_not_exists = false;
  std::vector<std::string> columns;
  std::string comment;
  QueryPtr query;
  std::string query_text;
};

struct CreateOther {  // catalog, database or function
  std::string what;   // CATALOG, DATABASE, FUNCTION
  Name name;
  bool temporary = false;
  bool if_not_exists = false;
  Options options;
  std::string class_name;
  std::string comment;
};

struct Drop {
  std::string what;  // TABLE, VIEW, DATABASE, CATALOG, FUNCTION
  Name name;
  bool temporary = false;
  bool if_exists = false;
  bool cascade = false;
};

struct AlterTable {
  enum class Kind { rename, rename_column, set, reset, add, modify, drop_columns, drop_primary_key, drop_watermark };
  Kind kind = Kind::set;
  Name name;
  bool is_view = false;
  bool if_exists = false;
  Name new_name;
  std::string old_column, new_column;
  Options options;
  std::vector<std::string> keys;  // to reset, or columns to drop
  TableDef schema;
  QueryPtr as_query;  // of ALTER VIEW … AS
  std::string query_text;
};

struct Insert {
  Name table;
  Pos pos;
  bool overwrite = false;
  Options hints;
  std::vector<std::pair<std::string, NodePtr>> partition;
  std::vector<std::string> columns;
  std::vector<Pos> column_positions;
  QueryPtr query;
  std::string conflict;  // ERROR, NOTHING, DEDUPLICATE
};

struct StatementSet {
  std::vector<std::shared_ptr<Insert>> inserts;
};

struct Explain {
  std::vector<std::string> details;
  std::variant<QueryPtr, std::shared_ptr<Insert>, std::shared_ptr<StatementSet>> target;
};

struct Show {
  std::string what;  // TABLES, VIEWS, DATABASES, CATALOGS, JOBS, FUNCTIONS, CREATE TABLE, CREATE VIEW, COLUMNS, …
  Name name;         // of CREATE TABLE, COLUMNS, or FROM
  std::string like;
  bool not_like = false;
  bool has_like = false;
};

struct Describe {
  std::string what;  // TABLE, DATABASE, CATALOG, JOB, FUNCTION
  Name name;
  std::string id;
};

struct Use {
  bool catalog = false;
  Name name;
};

struct SetOption {
  std::optional<std::string> key, value;
};
struct ResetOption {
  std::optional<std::string> key;
};
struct StopJob {
  std::string id;
  bool savepoint = false;
  bool drain = false;
};
struct RefusedDml {
  std::string what;  // UPDATE, DELETE
};
struct BeginStatementSet {};
struct EndStatementSet {};
struct OtherStatement {  // understood, and nothing to do
  std::string what;
};

using Statement =
    std::variant<QueryPtr, CreateTable, CreateView, CreateOther, Drop, AlterTable, std::shared_ptr<Insert>,
                 std::shared_ptr<StatementSet>, Explain, Show, Describe, Use, SetOption, ResetOption, StopJob,
                 RefusedDml, BeginStatementSet, EndStatementSet, OtherStatement>;

// YEAR, …
const char* unit_name(TimeUnit unit);
// Back to SQL, the way Flink's catalog keeps expressions: `id` + 1
std::string unparse(const Node&);
std::string unparse(const Query&);
std::string quote_identifier(std::string_view);
std::string quote_literal(std::string_view);

}  // namespace millrace::processing::sql
