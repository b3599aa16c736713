// Parts of a plan that are the same run once: a table that is read in several places, and what is computed from it in
// the same way. Runs before prune(), which then reads from the topic what any of the places needs.
#include <map>
#include <string>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

// A description of a node, equal for nodes that do the same with the same inputs. Empty: not to be shared.
class Description {
 public:
  explicit Description(const plan::Node& node);
  std::string text() && { return shareable_ ? std::move(text_) : std::string(); }

 private:
  void add(std::string_view part) {
    text_ += std::to_string(part.size());
    text_ += ':';
    text_ += part;
  }
  void add(int64_t number) { add(std::to_string(number)); }
  void add(const void* address) { add(static_cast<int64_t>(reinterpret_cast<uintptr_t>(address))); }
  void add(const DataType& type) {
    add(to_string(type));
    add(static_cast<int64_t>(type.attribute));
    add(static_cast<int64_t>(type.precision));
  }
  void add(const std::vector<Field>& fields) {
    add(static_cast<int64_t>(fields.size()));
    for (const Field& field : fields) {
      add(field.name);
      add(field.type);
    }
  }
  void add(const TypedExpr& expr);
  void add(const std::vector<TypedExpr>& exprs) {
    add(static_cast<int64_t>(exprs.size()));
    for (const TypedExpr& expr : exprs) add(expr);
  }
  void add(const plan::WindowSpec& window);
  void add_scan(const plan::Scan& scan);
  void add_aggregate(const plan::WindowAggregate& aggregate);

  std::string text_;
  bool shareable_ = true;
};

void Description::add(const TypedExpr& expr) {
  if (expr == nullptr) return add(std::string_view("none"));
  if (!expr->deterministic) shareable_ = false;
  add(static_cast<int64_t>(expr->kind));
  add(expr->type);
  add(static_cast<int64_t>(expr->index));
  add(expr->name);
  std::string literal;
  append_value(literal, expr->literal);
  add(literal);
  add(static_cast<const void*>(expr->function));
  add(reinterpret_cast<const void*>(expr->kernel));
  add(expr->args);
}

void Description::add(const plan::WindowSpec& window) {
  for (const int64_t number : {static_cast<int64_t>(window.kind), static_cast<int64_t>(window.time_column),
                               static_cast<int64_t>(window.proctime), static_cast<int64_t>(window.local_time),
                               window.size, window.slide, window.offset})
    add(number);
  if (window.kind == plan::WindowSpec::Kind::session) shareable_ = false;
}

void Description::add_scan(const plan::Scan& scan) {
  add(scan.table);
  add(scan.connector);
  add(static_cast<int64_t>(scan.options.size()));
  for (const auto& [name, value] : scan.options) {
    add(name);
    add(value);
  }
  add(scan.physical);
  for (const bool needed : scan.needed) add(static_cast<int64_t>(needed));
  add(static_cast<int64_t>(scan.metadata.size()));
  for (const plan::MetadataColumn& column : scan.metadata) {
    add(column.key);
    add(column.type);
  }
  add(scan.outputs);
  if (scan.watermark) {
    add(scan.watermark->rowtime);
    add(scan.watermark->watermark);
  }
  add(static_cast<int64_t>(scan.rowtime));
  for (const std::string& column : scan.primary_key) add(column);
}

void Description::add_aggregate(const plan::WindowAggregate& aggregate) {
  add(aggregate.window);
  if (aggregate.attached) {
    add(static_cast<int64_t>(aggregate.attached->start));
    add(static_cast<int64_t>(aggregate.attached->end));
  }
  add(aggregate.keys);
  add(static_cast<int64_t>(aggregate.aggregates.size()));
  for (const AggregateCall& call : aggregate.aggregates) {
    add(call.name);
    add(call.args);
    add(static_cast<int64_t>(call.distinct));
    add(call.filter);
    add(call.type);
    for (const Value& option : call.options) {
      std::string bytes;
      append_value(bytes, option);
      add(bytes);
    }
  }
  for (const plan::WindowProperty property : aggregate.properties) add(static_cast<int64_t>(property));
  add(static_cast<int64_t>(aggregate.emits_time_attribute));
}

Description::Description(const plan::Node& node) {
  add(static_cast<int64_t>(node.kind));
  add(static_cast<int64_t>(node.changelog));
  for (const plan::NodePtr& input : node.inputs) add(static_cast<const void*>(input.get()));
  add(node.schema);
  for (const int column : node.upsert_key) add(static_cast<int64_t>(column));
  switch (node.kind) {
    case plan::Kind::scan:
      add_scan(static_cast<const plan::Scan&>(node));
      break;
    case plan::Kind::calc:
      add(static_cast<const plan::Calc&>(node).condition);
      add(static_cast<const plan::Calc&>(node).outputs);
      break;
    case plan::Kind::window_tvf:
      add(static_cast<const plan::WindowTvf&>(node).window);
      break;
    case plan::Kind::window_aggregate:
      add_aggregate(static_cast<const plan::WindowAggregate&>(node));
      break;
    default:
      shareable_ = false;
  }
}

class Sharer {
 public:
  void visit(plan::NodePtr& node) {
    const auto [done, first] = seen_.try_emplace(node.get(), node);
    if (!first) {
      node = done->second;
      return;
    }
    for (plan::NodePtr& input : node->inputs) visit(input);
    std::string description = Description(*node).text();
    if (description.empty()) return;
    const auto [known, added] = known_.try_emplace(std::move(description), node);
    if (added) return;
    done->second = known->second;
    node = known->second;
  }

 private:
  std::map<const plan::Node*, plan::NodePtr> seen_;  // and what stands for it; keeps the addresses taken
  std::map<std::string, plan::NodePtr> known_;
};

}  // namespace

void share(plan::Plan& plan) {
  Sharer sharer;
  for (const auto& sink : plan.sinks)
    for (plan::NodePtr& input : sink->inputs) sharer.visit(input);
}

}  // namespace millrace::processing::sql
