// GROUP BY. When the group keys hold both borders of a window the rows carry, it is a window aggregate: one final row
// per group and window. Otherwise a group lives on and its result is updated.
#include <fmt/format.h>

#include <algorithm>

#include "processing/functions/table.h"
#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

bool same_call(const AggregateCall& a, const AggregateCall& b) {
  if (a.name != b.name || a.distinct != b.distinct || a.args.size() != b.args.size() ||
      a.options.size() != b.options.size())
    return false;
  if ((a.filter == nullptr) != (b.filter == nullptr) || (a.filter != nullptr && !same_expr(a.filter, b.filter)))
    return false;
  for (size_t i = 0; i < a.args.size(); ++i)
    if (!same_expr(a.args[i], b.args[i])) return false;
  for (size_t i = 0; i < a.options.size(); ++i)
    if (!(a.options[i] == b.options[i])) return false;
  return true;
}

bool uses_column(const TypedExpr& expr, int from, int to) {
  if (expr == nullptr) return false;
  std::vector<int> columns = columns_of(expr);
  return std::ranges::any_of(columns, [&](int c) { return c >= from && c < to; });
}

}  // namespace

class AggregatePlanner {
 public:
  AggregatePlanner(Planner& planner, Relation input, const Scope& scope, const Select& select,
                   const SelectColumns& columns)
      : planner_(planner), input_(std::move(input)), scope_(scope), select_(select), columns_(columns) {}

  Relation plan() {
    collect_keys();
    choose_window();
    bind_outputs(true);  // finds the aggregate calls
    build();
    return finish();
  }

 private:
  enum class Legacy { none, tumble, hop, session };

  void add_key(const Node& node, std::vector<size_t>& set) {
    if (const Node* call = find_aggregate(node))
      fail_validation("Aggregate expression is illegal in GROUP BY clause", call->pos);
    if (is_legacy_window(node)) {
      legacy_window(node);
      return;
    }
    Binder binder(scope_);
    TypedExpr key = binder.bind(node);
    size_t index = 0;
    while (index < keys_.size() && !same_expr(keys_[index], key)) ++index;
    if (index == keys_.size()) {
      keys_.push_back(key);
      key_nodes_.push_back(&node);
    }
    if (std::ranges::find(set, index) == set.end()) set.push_back(index);
  }

  std::vector<std::vector<size_t>> sets_of(const GroupItem& item) {
    std::vector<std::vector<size_t>> parts;
    for (const auto& part : item.sets) {
      std::vector<size_t> set;
      for (const NodePtr& node : part) add_key(*node, set);
      parts.push_back(std::move(set));
    }
    std::vector<std::vector<size_t>> result;
    switch (item.kind) {
      case GroupItem::Kind::expr: {
        std::vector<size_t> set;
        if (item.expr->is_call("ROW")) {
          for (const NodePtr& node : item.expr->operands) add_key(*node, set);
        } else {
          add_key(*item.expr, set);
        }
        return {set};
      }
      case GroupItem::Kind::empty:
        return {{}};
      case GroupItem::Kind::grouping_sets:
        result = parts;
        for (const GroupItem& nested : item.nested)
          for (auto& set : sets_of(nested)) result.push_back(std::move(set));
        return result;
      case GroupItem::Kind::rollup:
        for (size_t n = parts.size() + 1; n-- > 0;) {
          std::vector<size_t> set;
          for (size_t i = 0; i < n; ++i) set.insert(set.end(), parts[i].begin(), parts[i].end());
          result.push_back(std::move(set));
        }
        return result;
      case GroupItem::Kind::cube:
        for (size_t mask = size_t{1} << parts.size(); mask-- > 0;) {
          std::vector<size_t> set;
          for (size_t i = 0; i < parts.size(); ++i)
            if ((mask >> (parts.size() - 1 - i) & 1) != 0) set.insert(set.end(), parts[i].begin(), parts[i].end());
          result.push_back(std::move(set));
        }
        return result;
    }
    return result;
  }

  // The group items are multiplied: each combination of their sets is one grouping set.
  void collect_keys() {
    sets_ = {{}};
    for (const GroupItem& item : select_.group_by) {
      std::vector<std::vector<size_t>> combined;
      std::vector<std::vector<size_t>> own = sets_of(item);
      for (const auto& before : sets_) {
        for (const auto& set : own) {
          std::vector<size_t> both = before;
          for (size_t key : set)
            if (std::ranges::find(both, key) == both.end()) both.push_back(key);
          combined.push_back(std::move(both));
        }
      }
      sets_ = std::move(combined);
    }
    bool full = std::ranges::all_of(sets_, [&](const auto& set) { return set.size() == keys_.size(); });
    if (sets_.size() == 1 && full) sets_.clear();
  }

  // GROUP BY TUMBLE(ts, INTERVAL …), HOP(ts, slide, size), SESSION(ts, gap)
  void legacy_window(const Node& node) {
    legacy_node_ = &node;
    TypedExpr time = Binder(scope_).bind(*node.operands[0]);
    if (!time->type.is_datetime() || time->type.is(TypeRoot::time)) {
      std::string types;
      std::string supported;
      for (size_t i = 0; i < node.operands.size(); ++i) {
        std::string type = planner_text(time->type);
        if (i > 0) {
          type = node.operands[i]->is_literal(LiteralKind::interval)
                     ? "INTERVAL " + interval_unit_text(*node.operands[i])
                     : "INTERVAL";
        }
        types += (i > 0 ? ", <" : "<") + type + ">";
        supported += i > 0 ? ", <DATETIME_INTERVAL>" : "<DATETIME>";
      }
      fail_validation(
          fmt::format("Cannot apply '${0}' to arguments of type '${0}({1})'. Supported form(s): '${0}({2})'", node.op,
                      types, supported),
          node.pos);
    }
    if (!is_column(time) || !time->type.is_time_attribute()) {
      fail_flink_validation("Window can only be defined over a time attribute column, but is not.", {}, {});
    }
    window_ = planner_.window_spec(node.op, {node.operands.begin() + 1, node.operands.end()}, node);
    window_->time_column = time->index;
    window_->proctime = time->type.attribute == TimeAttribute::proctime;
    window_->local_time = time->type.is(TypeRoot::timestamp_ltz);
    legacy_time_ = time->type;
  }

  // Takes the window's borders out of the keys, and the window function out of the input when nothing else needs it.
  void choose_window() {
    if (legacy_node_ != nullptr) return;
    const std::optional<WindowTrait>& trait = input_.window;
    if (!trait || trait->start < 0 || trait->end < 0) return;
    int start_key = key_of_column(trait->start);
    int end_key = key_of_column(trait->end);
    int time_key = trait->time >= 0 ? key_of_column(trait->time) : -1;
    if (start_key < 0 || end_key < 0) return;
    if (input_.node->changelog != plan::Changelog::insert_only) return;
    // Sessions of other keys than the group's are found first, then grouped row by row.
    bool in_all_sets = true;
    for (const auto& set : sets_) {
      in_all_sets = in_all_sets && std::ranges::find(set, static_cast<size_t>(start_key)) != set.end() &&
                    std::ranges::find(set, static_cast<size_t>(end_key)) != set.end();
    }
    if (!in_all_sets) return;
    check_multiples(trait->spec);
    if (trait->time >= 0) result_time_ = input_.node->schema[static_cast<size_t>(trait->time)].type;
    bool stripped = strip_window_function(*trait, start_key, end_key, time_key);
    if (!stripped) {
      if (trait->spec.kind == plan::WindowSpec::Kind::session) return;
      window_ = trait->spec;
      attached_ = plan::WindowAggregate::Attached{trait->start, trait->end};
    }
    properties_[start_key] = plan::WindowProperty::start;
    properties_[end_key] = plan::WindowProperty::end;
    if (time_key >= 0) properties_[time_key] = plan::WindowProperty::time;
  }

  static void check_multiples(const plan::WindowSpec& spec) {
    using Kind = plan::WindowSpec::Kind;
    if (spec.kind == Kind::hop && (spec.slide <= 0 || spec.size % spec.slide != 0)) {
      fail_table(
          fmt::format("HOP table function based aggregate requires size must be an integral multiple of slide, but got "
                      "size {} ms and slide {} ms",
                      spec.size, spec.slide));
    }
    if (spec.kind == Kind::cumulate && (spec.slide <= 0 || spec.size % spec.slide != 0)) {
      fail_table(fmt::format(
          "CUMULATE table function based aggregate requires maxSize must be an integral multiple of step, but "
          "got maxSize {} ms and step {} ms",
          spec.size, spec.slide));
    }
  }

  int key_of_column(int column) const {
    for (size_t i = 0; i < keys_.size(); ++i)
      if (is_column(keys_[i]) && keys_[i]->index == column) return static_cast<int>(i);
    return -1;
  }

  // Calc over WindowTvf, or WindowTvf alone: aggregate over the function's input instead.
  bool strip_window_function(const WindowTrait& trait, int start_key, int end_key, int time_key) {
    std::shared_ptr<plan::Calc> calc = std::dynamic_pointer_cast<plan::Calc>(input_.node);
    auto tvf = std::dynamic_pointer_cast<plan::WindowTvf>(calc == nullptr ? input_.node : calc->inputs[0]);
    if (tvf == nullptr) return false;
    int width = static_cast<int>(tvf->inputs[0]->schema.size());
    // What the query calls these columns, as columns of the TVF's output.
    std::vector<TypedExpr> outputs;
    if (calc != nullptr) {
      outputs = calc->outputs;
      if (uses_column(calc->condition, width, width + 3)) return false;
    } else {
      for (int i = 0; i < width + 3; ++i) outputs.push_back(column_of(*tvf, i));
    }
    if (tvf->window.kind == plan::WindowSpec::Kind::session) {
      // Group keys and partition keys must be the same columns.
      std::vector<int> grouped;
      for (size_t i = 0; i < keys_.size(); ++i) {
        int index = static_cast<int>(i);
        if (index == start_key || index == end_key || index == time_key) continue;
        TypedExpr key = substitute(keys_[i], outputs);
        if (!is_column(key)) return false;
        grouped.push_back(key->index);
      }
      std::vector<int> partitioned = tvf->window.partition_by;
      std::ranges::sort(grouped);
      std::ranges::sort(partitioned);
      if (grouped != partitioned || !sets_.empty()) return false;
    }
    // Nothing but the keys may look at the window columns.
    for (size_t i = 0; i < outputs.size(); ++i) {
      bool window_column = is_column(outputs[i]) && outputs[i]->index >= width;
      if (window_column) continue;
      if (uses_column(outputs[i], width, width + 3)) return false;
    }
    window_reads_ = {trait.start, trait.end, trait.time};
    if (reads_window_elsewhere(start_key, end_key, time_key)) return false;
    auto below = std::make_shared<plan::Calc>();
    below->inputs = tvf->inputs;
    below->condition = calc == nullptr ? nullptr : calc->condition;
    below->changelog = tvf->inputs[0]->changelog;
    for (size_t i = 0; i < outputs.size(); ++i) {
      bool window_column = is_column(outputs[i]) && outputs[i]->index >= width;
      DataType type = input_.node->schema[i].type;
      if (window_column) {
        type.attribute = TimeAttribute::none;
        below->outputs.push_back(make_literal(Value(), type.with_nullable(true)));
      } else {
        below->outputs.push_back(outputs[i]);
      }
      below->schema.push_back({input_.node->schema[i].name, below->outputs.back()->type});
    }
    window_ = tvf->window;
    window_->partition_by.clear();
    int time = -1;
    for (size_t i = 0; i < below->outputs.size(); ++i)
      if (is_column(below->outputs[i]) && below->outputs[i]->index == tvf->window.time_column)
        time = static_cast<int>(i);
    if (time < 0) {
      time = static_cast<int>(below->outputs.size());
      below->outputs.push_back(column_of(*tvf->inputs[0], tvf->window.time_column));
      below->schema.push_back({"$time", below->outputs.back()->type});
    }
    window_->time_column = time;
    if (window_->kind == plan::WindowSpec::Kind::session) {
      for (size_t i = 0; i < keys_.size(); ++i) {
        int index = static_cast<int>(i);
        if (index != start_key && index != end_key && index != time_key)
          window_->partition_by.push_back(keys_[i]->index);
      }
    }
    input_.node = below;
    return true;
  }

  // Arguments of aggregates, and other keys, that read window_start and the like.
  bool reads_window_elsewhere(int start_key, int end_key, int time_key) {
    auto reads = [&](const TypedExpr& expr) {
      if (expr == nullptr) return false;
      for (int column : columns_of(expr))
        if (std::ranges::find(window_reads_, column) != window_reads_.end()) return true;
      return false;
    };
    for (size_t i = 0; i < keys_.size(); ++i) {
      int index = static_cast<int>(i);
      if (index != start_key && index != end_key && index != time_key && reads(keys_[i])) return true;
    }
    bind_outputs(true);
    bool found = false;
    for (const AggregateCall& call : calls_) {
      for (const TypedExpr& arg : call.args) found = found || reads(arg);
      found = found || reads(call.filter);
    }
    calls_.clear();
    return found;
  }

  // --- outputs ---

  size_t plain_key_position(size_t key) const {
    size_t position = 0;
    for (size_t i = 0; i < key; ++i)
      if (!properties_.contains(static_cast<int>(i))) ++position;
    return position;
  }
  size_t plain_keys() const { return plain_key_position(keys_.size()) + (sets_.empty() ? 0 : 1); }

  TypedExpr key_column(size_t key, SourcePosition at) {
    auto property = properties_.find(static_cast<int>(key));
    if (property != properties_.end()) return property_column(property->second, at);
    DataType type = keys_[key]->type;
    type.attribute = TimeAttribute::none;
    if (!sets_.empty()) type.nullable = type.nullable || !in_every_set(key);
    return make_column(static_cast<int>(plain_key_position(key)), type, "", at);
  }

  bool in_every_set(size_t key) const {
    return std::ranges::all_of(sets_, [&](const auto& set) { return std::ranges::find(set, key) != set.end(); });
  }

  TypedExpr property_column(plan::WindowProperty property, SourcePosition at) {
    size_t index = 0;
    while (index < property_list_.size() && property_list_[index] != property) ++index;
    if (index == property_list_.size()) property_list_.push_back(property);
    return make_column(static_cast<int>(plain_keys() + calls_.size() + index), property_type(property), "", at);
  }

  DataType property_type(plan::WindowProperty property) const {
    if (property != plan::WindowProperty::time) {
      DataType type = DataType::timestamp(3).not_null();
      return type;
    }
    if (legacy_node_ != nullptr)
      return DataType(legacy_time_.root, 3).not_null().with_attribute(legacy_time_.attribute);
    return result_time_.is_timestamp() ? result_time_
                                       : DataType::timestamp(3).not_null().with_attribute(TimeAttribute::rowtime);
  }

  TypedExpr aggregate_column(const Node& node) {
    Binder base(scope_, [&](const Node& inner) -> TypedExpr {
      if (const Node* nested = find_aggregate(inner); nested == &inner)
        fail_validation("Aggregate expressions cannot be nested", node.pos);
      return nullptr;
    });
    std::vector<TypedExpr> args;
    for (const NodePtr& operand : node.operands) {
      if (operand->kind == NodeKind::star) continue;  // COUNT(*)
      args.push_back(base.bind(*operand));
    }
    TypedExpr filter;
    if (node.filter != nullptr) {
      filter = base.bind(*node.filter);
      if (!filter->type.is(TypeRoot::boolean)) fail_validation("FILTER clause must be a condition", node.filter->pos);
    }
    AggregateCall call = resolve_aggregate(node.op, std::move(args), node.distinct, filter, where(node.pos));
    bool counts = call.name == "COUNT" || call.name == "APPROX_COUNT_DISTINCT" || call.name == "REGR_COUNT";
    if (!counts && (keys_.empty() || filter != nullptr)) call.type.nullable = true;
    size_t index = 0;
    while (index < calls_.size() && !same_call(calls_[index], call)) ++index;
    if (index == calls_.size()) calls_.push_back(std::move(call));
    return make_column(static_cast<int>(plain_keys() + index), calls_[index].type, "", where(node.pos));
  }

  // GROUPING(a, b): one bit per argument, 1 when the row's grouping set leaves it out.
  TypedExpr grouping(const Node& node) {
    std::vector<size_t> wanted;
    for (const NodePtr& operand : node.operands) {
      TypedExpr expr = Binder(scope_).bind(*operand);
      size_t index = 0;
      while (index < keys_.size() && !same_expr(keys_[index], expr)) ++index;
      if (index == keys_.size())
        fail_validation(fmt::format("Argument to {} operator must be a grouped expression", node.op), operand->pos);
      wanted.push_back(index);
    }
    DataType type = DataType::bigint().not_null();
    if (sets_.empty()) return make_literal(Value::integer(0), type, where(node.pos));
    std::vector<TypedExpr> branches;
    TypedExpr id = make_column(static_cast<int>(plain_keys() - 1), DataType::bigint().not_null());
    for (size_t set = 0; set < sets_.size(); ++set) {
      int64_t bits = 0;
      for (size_t key : wanted) bits = bits * 2 + (std::ranges::find(sets_[set], key) == sets_[set].end() ? 1 : 0);
      TypedExpr value = make_literal(Value::integer(bits), type);
      if (set + 1 < sets_.size()) {
        branches.push_back(make_call("=", {id, make_literal(Value::integer(static_cast<int64_t>(set)), type)}));
      }
      branches.push_back(value);
    }
    return sets_.size() == 1 ? branches[0] : make_call("CASE", branches, where(node.pos));
  }

  // TUMBLE_START(ts, …) and the like.
  TypedExpr legacy_property(const Node& node) {
    if (legacy_node_ == nullptr || node.kind != NodeKind::call) return nullptr;
    const std::string& window = legacy_node_->op;
    if (!node.op.starts_with(window + "_") || node.operands.size() != legacy_node_->operands.size()) return nullptr;
    std::string what = node.op.substr(window.size() + 1);
    for (size_t i = 0; i < node.operands.size(); ++i)
      if (unparse(*node.operands[i]) != unparse(*legacy_node_->operands[i])) return nullptr;
    if (what == "START") return property_column(plan::WindowProperty::start, where(node.pos));
    if (what == "END") return property_column(plan::WindowProperty::end, where(node.pos));
    if (what == "ROWTIME" || what == "PROCTIME") return property_column(plan::WindowProperty::time, where(node.pos));
    return nullptr;
  }

  TypedExpr replace(const Node& node) {
    if (node.kind == NodeKind::literal || node.kind == NodeKind::symbol) return nullptr;
    if (node.kind == NodeKind::call && (node.op == "GROUPING" || node.op == "GROUPING_ID" || node.op == "GROUP_ID"))
      return grouping(node);
    if (find_aggregate(node) == &node) return aggregate_column(node);
    if (TypedExpr property = legacy_property(node)) return property;
    if (find_aggregate(node) != nullptr || find_over(node) != nullptr) return nullptr;
    if (node.kind == NodeKind::query) return nullptr;
    if (contains_legacy(node)) return nullptr;
    TypedExpr base = Binder(scope_).bind(node);
    for (size_t i = 0; i < keys_.size(); ++i)
      if (same_expr(keys_[i], base)) return key_column(i, where(node.pos));
    if (node.kind == NodeKind::name) {
      // A field of a grouped row.
      for (size_t i = 0; i < keys_.size(); ++i) {
        std::vector<int> fields;
        TypedExpr inner = base;
        while (inner->kind == processing::Expr::Kind::field && !same_expr(inner, keys_[i])) {
          fields.push_back(inner->index);
          inner = inner->args[0];
        }
        if (!same_expr(inner, keys_[i])) continue;
        TypedExpr value = key_column(i, where(node.pos));
        for (size_t k = fields.size(); k-- > 0;) value = make_field(value, fields[k], where(node.pos));
        return value;
      }
      fail_validation(fmt::format("Expression '{}' is not being grouped", node.name.text()), node.pos);
    }
    return nullptr;
  }

  bool contains_legacy(const Node& node) {
    if (legacy_node_ == nullptr) return false;
    if (legacy_property(node) != nullptr) return true;
    return std::ranges::any_of(node.operands, [&](const NodePtr& o) { return o != nullptr && contains_legacy(*o); });
  }

  void bind_outputs(bool collecting) {
    Binder binder(scope_, [&](const Node& node) { return over_.contains(&node) ? over_.at(&node) : replace(node); });
    having_ = nullptr;
    if (select_.having != nullptr) {
      having_ = binder.bind(*select_.having);
      if (!having_->type.is(TypeRoot::boolean))
        fail_validation("HAVING clause must be a condition", select_.having->pos);
    }
    outputs_.clear();
    for (const SelectItem& item : columns_.items) {
      if (find_over(*item.expr) != nullptr) fail_table("OVER in a query with GROUP BY is not supported yet.");
      outputs_.push_back(binder.bind(*item.expr));
    }
    (void)collecting;
  }

  // --- the nodes ---

  void expand_sets() {
    auto expand = std::make_shared<plan::Expand>();
    expand->inputs = {input_.node};
    expand->changelog = input_.node->changelog;
    expand->schema = input_.node->schema;
    size_t width = expand->schema.size();
    std::vector<size_t> plain;
    for (size_t i = 0; i < keys_.size(); ++i)
      if (!properties_.contains(static_cast<int>(i))) plain.push_back(i);
    for (size_t key : plain) {
      DataType type = keys_[key]->type;
      type.attribute = TimeAttribute::none;
      expand->schema.push_back({"$key" + std::to_string(key), type.with_nullable(type.nullable || !in_every_set(key))});
    }
    expand->schema.push_back({"$e", DataType::bigint().not_null()});
    for (size_t set = 0; set < sets_.size(); ++set) {
      std::vector<TypedExpr> projection;
      for (size_t i = 0; i < width; ++i) projection.push_back(column_of(*input_.node, static_cast<int>(i)));
      for (size_t key : plain) {
        bool kept = std::ranges::find(sets_[set], key) != sets_[set].end();
        DataType type = expand->schema[projection.size()].type;
        projection.push_back(kept ? materialized(keys_[key]) : make_literal(Value(), type.with_nullable(true)));
      }
      projection.push_back(make_literal(Value::integer(static_cast<int64_t>(set)), DataType::bigint().not_null()));
      expand->projections.push_back(std::move(projection));
    }
    input_.node = expand;
    expanded_keys_.clear();
    for (size_t i = width; i < expand->schema.size(); ++i)
      expanded_keys_.push_back(column_of(*expand, static_cast<int>(i)));
  }

  std::vector<TypedExpr> plain_key_exprs() const {
    if (!sets_.empty()) return expanded_keys_;
    std::vector<TypedExpr> result;
    for (size_t i = 0; i < keys_.size(); ++i)
      if (!properties_.contains(static_cast<int>(i))) result.push_back(materialized(keys_[i]));
    return result;
  }

  std::vector<Field> result_schema(const std::vector<TypedExpr>& keys) const {
    std::vector<Field> schema;
    size_t plain = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      std::string name = is_column(keys[i]) && !keys[i]->name.empty() ? keys[i]->name : "$f" + std::to_string(plain);
      schema.push_back({name, keys[i]->type});
      ++plain;
    }
    // A call that is an output as it stands is called like the output.
    for (size_t i = 0; i < calls_.size(); ++i) {
      std::string name = "$f" + std::to_string(plain + i);
      for (size_t k = 0; k < outputs_.size(); ++k)
        if (is_column(outputs_[k]) && outputs_[k]->index == static_cast<int>(keys.size() + i)) name = columns_.names[k];
      schema.push_back({name, calls_[i].type});
    }
    return schema;
  }

  void build() {
    if (!sets_.empty()) expand_sets();
    bind_outputs(false);
    std::vector<TypedExpr> keys = plain_key_exprs();
    if (window_) {
      auto node = std::make_shared<plan::WindowAggregate>();
      node->inputs = {input_.node};
      node->window = *window_;
      node->attached = attached_;
      node->keys = keys;
      node->aggregates = calls_;
      // The borders always come along, so that windows above know them.
      for (plan::WindowProperty p :
           {plan::WindowProperty::start, plan::WindowProperty::end, plan::WindowProperty::time})
        if (std::ranges::find(property_list_, p) == property_list_.end()) property_list_.push_back(p);
      node->properties = property_list_;
      node->schema = result_schema(keys);
      for (plan::WindowProperty p : property_list_) {
        const char* name = p == plan::WindowProperty::start ? "window_start"
                           : p == plan::WindowProperty::end ? "window_end"
                                                            : "window_time";
        node->schema.push_back({name, property_type(p)});
      }
      node->emits_time_attribute = true;
      WindowTrait trait;
      trait.spec = *window_;
      auto position = [&](plan::WindowProperty p) {
        return static_cast<int>(keys.size() + calls_.size()) +
               static_cast<int>(std::ranges::find(property_list_, p) - property_list_.begin());
      };
      trait.start = position(plan::WindowProperty::start);
      trait.end = position(plan::WindowProperty::end);
      trait.time = position(plan::WindowProperty::time);
      result_ = {node, trait};
      return;
    }
    auto node = std::make_shared<plan::GroupAggregate>();
    node->inputs = {input_.node};
    node->keys = keys;
    node->aggregates = calls_;
    node->schema = result_schema(keys);
    for (size_t i = 0; i < keys.size(); ++i) node->upsert_key.push_back(static_cast<int>(i));
    node->changelog = calls_.empty() && input_.node->changelog == plan::Changelog::insert_only
                          ? plan::Changelog::insert_only
                          : plan::Changelog::retract;
    result_ = {node, std::nullopt};
  }

  Relation finish() {
    Relation result = result_;
    if (having_ != nullptr) result = planner_.filter_by(result, having_);
    return planner_.project(result, outputs_, columns_.names);
  }

  Planner& planner_;
  Relation input_;
  const Scope& scope_;
  const Select& select_;
  const SelectColumns& columns_;

  std::vector<TypedExpr> keys_;
  std::vector<const Node*> key_nodes_;
  std::vector<std::vector<size_t>> sets_;  // empty: one set with all keys
  std::vector<TypedExpr> expanded_keys_;
  std::vector<AggregateCall> calls_;
  std::map<int, plan::WindowProperty> properties_;  // keys that are borders of the window
  std::vector<plan::WindowProperty> property_list_;
  std::optional<plan::WindowSpec> window_;
  std::optional<plan::WindowAggregate::Attached> attached_;
  std::vector<int> window_reads_;
  DataType result_time_;
  const Node* legacy_node_ = nullptr;
  DataType legacy_time_;
  std::map<const Node*, TypedExpr> over_;
  std::vector<TypedExpr> outputs_;
  TypedExpr having_;
  Relation result_;
};

Relation Planner::aggregate(Relation input, const Scope& scope, const Select& select, const SelectColumns& columns) {
  return AggregatePlanner(*this, std::move(input), scope, select, columns).plan();
}

}  // namespace millrace::processing::sql
