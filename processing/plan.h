// The typed relational plan of a job: what the SQL planner makes and the engine runs.
//
//   Plan          one or more sinks; a node may feed several others (shared_ptr), it runs once
//   every node    inputs, the columns it gives (schema), and the kind of changes it emits (changelog)
//   expressions   processing/expr.h, over the columns of the node's input (of a Scan: over its source row)
//
// A time attribute in a schema (DataType::attribute) says which column the watermark follows.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "processing/expr.h"
#include "processing/functions/aggregate.h"
#include "processing/types.h"
#include "processing/value.h"

namespace millrace::processing::plan {

// What may flow on an edge.
enum class Changelog : uint8_t {
  insert_only,  // +I
  upsert,       // +I +U -D, no -U: a row replaces the one with the same key (upsert_key of the node)
  retract,      // +I -U +U -D
};

enum class Kind : uint8_t {
  scan,
  values,
  calc,
  expand,
  unnest,
  union_all,
  window_tvf,
  window_aggregate,
  group_aggregate,
  changelog_normalize,
  rank,
  deduplicate,
  window_rank,
  over,
  sort_limit,
  temporal_sort,
  join,
  window_join,
  interval_join,
  temporal_join,
  match,
  sink,
};

struct Node;
using NodePtr = std::shared_ptr<Node>;

struct Node {
  Kind kind;
  std::vector<NodePtr> inputs;
  std::vector<Field> schema;
  Changelog changelog = Changelog::insert_only;
  std::vector<int> upsert_key;  // columns of the schema that are unique at any time; empty: none known

  explicit Node(Kind k) : kind(k) {}
  virtual ~Node() = default;
};

struct MetadataColumn {
  std::string key;  // timestamp, partition, offset, topic, headers, leader-epoch, timestamp-type
  DataType type;    // the connector's own type; a cast to the declared type is part of Scan::outputs
};

// When rows have event time. Evaluated for every row, before any filter; a NULL watermark is ignored.
struct WatermarkSpec {
  ExprPtr rowtime;    // over the source row
  ExprPtr watermark;  // over the source row
};

using Options = std::map<std::string, std::string>;

// Reads a table of the catalog.
//   source row := all physical columns, then the metadata columns
//   outputs    := expressions over the source row, one per column of the schema: plain columns, computed columns, casts
struct Scan : Node {
  std::string table;  // default_catalog.default_database.bid
  std::string connector;
  Options options;
  std::vector<Field> physical;           // as declared
  std::vector<bool> needed;              // of each physical column: read it; the others are left NULL
  std::vector<MetadataColumn> metadata;  // only those read
  std::vector<ExprPtr> outputs;
  std::optional<WatermarkSpec> watermark;
  int rowtime = -1;  // which output is the rowtime, -1: none of them
  std::vector<std::string> primary_key;
  Scan() : Node(Kind::scan) {}
};

// Constant rows; the expressions have no columns.
struct Values : Node {
  std::vector<std::vector<ExprPtr>> rows;
  Values() : Node(Kind::values) {}
};

// Filters, then computes.
struct Calc : Node {
  ExprPtr condition;  // null: all rows
  std::vector<ExprPtr> outputs;
  Calc() : Node(Kind::calc) {}
};

// Each row becomes one row per projection (GROUPING SETS).
struct Expand : Node {
  std::vector<std::vector<ExprPtr>> projections;
  Expand() : Node(Kind::expand) {}
};

// Each row once per element: its columns, then the element (a row's fields one by one; a map's key and value), then,
// with ordinality, the position from 1. `outer`: a row without elements is kept, with NULLs.
struct Unnest : Node {
  ExprPtr collection;
  bool outer = false;
  bool ordinality = false;
  ExprPtr condition;  // over the output; null: none
  Unnest() : Node(Kind::unnest) {}
};

struct UnionAll : Node {
  UnionAll() : Node(Kind::union_all) {}
};

struct WindowSpec {
  enum class Kind : uint8_t { tumble, hop, cumulate, session };
  Kind kind = Kind::tumble;
  int time_column = -1;  // of the input
  bool proctime = false;
  bool local_time = false;  // the time is TIMESTAMP_LTZ: windows align to table.local-time-zone
  int64_t size = 0;         // milliseconds; of cumulate: the largest window; of session: the gap
  int64_t slide = 0;        // of hop: the slide; of cumulate: the step
  int64_t offset = 0;
  std::vector<int> partition_by;  // of session
};

// The input's columns, then window_start, window_end (TIMESTAMP(3)) and window_time.
struct WindowTvf : Node {
  WindowSpec window;
  WindowTvf() : Node(Kind::window_tvf) {}
};

enum class WindowProperty : uint8_t { start, end, time };

// Groups rows of the same window and keys; emits each group once, when the watermark passes the window's end.
//   schema := keys, aggregates, properties
// Without `attached` the window is assigned here, from the row's time. With it, the rows carry their window already
// (they come from a window aggregate, rank or join): its columns are named, and the time is the end of that window.
struct WindowAggregate : Node {
  struct Attached {
    int start = -1;  // columns of the input; start may be missing
    int end = -1;
  };
  WindowSpec window;
  std::optional<Attached> attached;
  std::vector<ExprPtr> keys;
  std::vector<AggregateCall> aggregates;
  std::vector<WindowProperty> properties;
  bool emits_time_attribute = false;
  WindowAggregate() : Node(Kind::window_aggregate) {}
};

// Groups without end: a changelog.  schema := keys, aggregates
struct GroupAggregate : Node {
  std::vector<ExprPtr> keys;  // none: one group, which exists from the first row on
  std::vector<AggregateCall> aggregates;
  bool emit_update_before = true;  // -U is wanted downstream
  GroupAggregate() : Node(Kind::group_aggregate) {}
};

// Completes an upsert stream: keeps the last row per key, so that -U and whole -D rows can be sent on.
struct ChangelogNormalize : Node {
  std::vector<int> key;
  ExprPtr condition;  // a filter that belongs to it; null: none
  bool emit_update_before = true;
  ChangelogNormalize() : Node(Kind::changelog_normalize) {}
};

struct SortKey {
  int column = 0;
  bool descending = false;
  bool nulls_first = true;
};

// ROW_NUMBER() … <= n: the rows from rank `first` to `last` in each partition; schema := input columns [, rank BIGINT].
struct Rank : Node {
  std::vector<int> partition_by;
  std::vector<SortKey> order_by;
  int64_t first = 1;
  std::optional<int64_t> last;  // none: every row has a rank
  bool emit_rank = false;
  bool emit_update_before = true;
  Rank() : Node(Kind::rank) {}
};

// The first or last row per key by time; schema := input columns.
struct Deduplicate : Node {
  std::vector<int> keys;
  int time_column = -1;
  bool proctime = false;
  bool keep_last = false;
  bool emit_update_before = true;
  Deduplicate() : Node(Kind::deduplicate) {}
};

// Rank within windows the rows carry (start and end are partition columns too); emits when the window closes.
struct WindowRank : Node {
  int window_start = -1;
  int window_end = -1;
  std::vector<int> partition_by;
  std::vector<SortKey> order_by;
  int64_t first = 1;
  int64_t last = 1;
  bool emit_rank = false;
  WindowRank() : Node(Kind::window_rank) {}
};

// Aggregates over the rows before, in the order of a time attribute; schema := input columns, aggregates.
struct Over : Node {
  std::vector<int> partition_by;
  std::vector<SortKey> order_by;
  bool rows = false;                 // else a range of time
  std::optional<int64_t> preceding;  // rows or milliseconds; none: unbounded
  std::vector<AggregateCall> aggregates;
  Over() : Node(Kind::over) {}
};

struct SortLimit : Node {
  std::vector<SortKey> order_by;
  int64_t offset = 0;
  std::optional<int64_t> fetch;
  bool emit_update_before = true;
  SortLimit() : Node(Kind::sort_limit) {}
};

// ORDER BY a rowtime (then anything): rows leave in order as the watermark passes.
struct TemporalSort : Node {
  std::vector<SortKey> order_by;
  TemporalSort() : Node(Kind::temporal_sort) {}
};

enum class JoinKind : uint8_t { inner, left, right, full, semi, anti };

// What all joins share. schema := left columns, right columns (semi and anti: left only). The condition is over
// both sides' columns, one after the other, and holds what the key pairs do not say.
struct JoinBase : Node {
  JoinKind join = JoinKind::inner;
  std::vector<int> left_keys;
  std::vector<int> right_keys;    // numbers within the right input
  std::vector<bool> null_equals;  // IS NOT DISTINCT FROM, per key pair
  ExprPtr condition;
  using Node::Node;
};

struct Join : JoinBase {
  Join() : JoinBase(Kind::join) {}
};

struct WindowJoin : JoinBase {
  int left_start = -1, left_end = -1, right_start = -1, right_end = -1;
  WindowJoin() : JoinBase(Kind::window_join) {}
};

// left time + lower <= right time <= left time + upper, in milliseconds.
struct IntervalJoin : JoinBase {
  int left_time = -1;
  int right_time = -1;
  int64_t lower = 0;
  int64_t upper = 0;
  bool proctime = false;
  IntervalJoin() : JoinBase(Kind::interval_join) {}
};

// Each left row with the version of the right row that was valid at the left row's time. Inner and left only.
struct TemporalJoin : JoinBase {
  int left_time = -1;
  int right_time = -1;
  TemporalJoin() : JoinBase(Kind::temporal_join) {}
};

// MATCH_RECOGNIZE. Expressions of DEFINE and MEASURES are over the input's columns plus `slots`: values that the
// pattern matcher computes from the rows mapped so far, appended behind the input's columns in order.
struct Match : Node {
  struct Slot {
    enum class Kind : uint8_t { first, last, aggregate };
    Kind kind = Kind::last;
    std::string variable;      // "*": any row of the match
    int64_t offset = 0;        // FIRST(A.x, 1)
    ExprPtr value;             // over the input's columns
    AggregateCall aggregate;   // over the input's columns
    bool current_row = false;  // in DEFINE: the row being tested counts as mapped to the variable
    DataType type;
  };
  struct Term {
    std::string variable;
    int min = 1;
    int max = 1;  // -1: unbounded
    bool greedy = true;
    ExprPtr define;  // over input columns and slots; null: any row
    std::vector<Slot> slots;
  };
  std::vector<int> partition_by;
  std::vector<SortKey> order_by;
  std::vector<Term> pattern;
  enum class Skip : uint8_t { past_last_row, to_next_row, to_first, to_last } skip = Skip::past_last_row;
  std::string skip_variable;
  std::optional<int64_t> within;  // milliseconds
  std::vector<Slot> slots;        // of the measures
  std::vector<ExprPtr> measures;  // over slots only (columns 0..)
  Match() : Node(Kind::match) {}
};

// Where rows end. Its schema is the sink's: physical columns, then the metadata columns it writes, in the table's
// order.
struct Sink : Node {
  enum class Target : uint8_t { table, client };
  Target target = Target::client;
  std::string table;
  std::string connector;
  Options options;
  std::vector<Field> physical;           // the table's persisted columns that the format writes
  std::vector<MetadataColumn> metadata;  // written as metadata
  std::vector<int> physical_columns;     // where in the schema they are
  std::vector<int> metadata_columns;
  std::vector<int> primary_key;  // columns of the schema
  enum class Conflict : uint8_t { none, error, nothing, deduplicate } conflict = Conflict::none;
  bool materialize = false;   // the query's key is not the primary key: resolve conflicts as `conflict` says
  std::vector<int> not_null;  // columns to enforce, table.exec.sink.not-null-enforcer
  Sink() : Node(Kind::sink) {}
};

struct Plan {
  std::vector<std::shared_ptr<Sink>> sinks;
  Options settings;  // the session's SET options when it was planned
};

// One line per node, the sink first, as EXPLAIN prints it.
std::string to_text(const Plan&);
std::string to_text(const Node&);

}  // namespace millrace::processing::plan
