#include "processing/jobs/graph.h"

#include <algorithm>

#include "processing/failure.h"
#include "processing/operators/deduplicate.h"
#include "processing/operators/group_aggregate.h"
#include "processing/operators/join.h"
#include "processing/operators/match.h"
#include "processing/operators/over.h"
#include "processing/operators/rank.h"
#include "processing/operators/session_window.h"
#include "processing/operators/time_joins.h"
#include "processing/operators/transform.h"
#include "processing/operators/union_all.h"
#include "processing/operators/window_aggregate.h"
#include "processing/operators/window_rank.h"

namespace millrace::processing {

namespace {

using NodeList = std::vector<const plan::Node*>;

void collect(const plan::Node& node, NodeList& order) {
  if (std::ranges::find(order, &node) != order.end()) return;
  for (const plan::NodePtr& input : node.inputs) collect(*input, order);
  order.push_back(&node);
}

NodeList all_nodes(const plan::Plan& plan) {
  NodeList order;
  for (const auto& sink : plan.sinks) collect(*sink, order);
  return order;
}

bool is_source(const plan::Node& node) { return node.kind == plan::Kind::scan || node.kind == plan::Kind::values; }

std::unique_ptr<Operator> make_sink(JobContext& job, const plan::Sink& node, const Graph::Outputs& outputs) {
  if (node.target == plan::Sink::Target::client) return std::make_unique<ClientSink>(job, node, outputs.client);
  if (node.connector == "print") return std::make_unique<PrintSink>(job, node, outputs.print);
  if (node.connector == "blackhole") return std::make_unique<BlackholeSink>(job, node);
  if (node.connector == "kafka" || node.connector == "upsert-kafka")
    return std::make_unique<KafkaSink>(job, node, outputs.partitions, *outputs.outbox);
  throw PlanFailure(java::validation, "Connector '" + node.connector + "' cannot be written to.");
}

std::unique_ptr<Operator> make_operator(JobContext& job, const plan::Node& node, const Graph::Outputs& outputs) {
  if (std::unique_ptr<Transform> transform = make_transform(node))
    return std::make_unique<TransformOperator>(job, std::move(transform));
  switch (node.kind) {
    case plan::Kind::union_all:
      return std::make_unique<UnionAll>(job, node.inputs.size());
    case plan::Kind::window_tvf:
      return std::make_unique<SessionRows>(job, static_cast<const plan::WindowTvf&>(node));
    case plan::Kind::window_aggregate: {
      const auto& window = static_cast<const plan::WindowAggregate&>(node);
      if (window.window.kind == plan::WindowSpec::Kind::session && !window.attached)
        return std::make_unique<SessionAggregate>(job, window);
      return std::make_unique<WindowAggregate>(job, window);
    }
    case plan::Kind::group_aggregate:
      return std::make_unique<GroupAggregate>(job, static_cast<const plan::GroupAggregate&>(node));
    case plan::Kind::changelog_normalize:
      return std::make_unique<ChangelogNormalize>(job, static_cast<const plan::ChangelogNormalize&>(node));
    case plan::Kind::match:
      return std::make_unique<Match>(job, static_cast<const plan::Match&>(node));
    case plan::Kind::rank:
      return std::make_unique<Rank>(job, static_cast<const plan::Rank&>(node));
    case plan::Kind::sort_limit:
      return std::make_unique<Rank>(job, static_cast<const plan::SortLimit&>(node));
    case plan::Kind::deduplicate:
      return std::make_unique<Deduplicate>(job, static_cast<const plan::Deduplicate&>(node));
    case plan::Kind::window_rank:
      return std::make_unique<WindowRank>(job, static_cast<const plan::WindowRank&>(node));
    case plan::Kind::over:
      return std::make_unique<Over>(job, static_cast<const plan::Over&>(node));
    case plan::Kind::temporal_sort:
      return std::make_unique<TemporalSort>(job, static_cast<const plan::TemporalSort&>(node));
    case plan::Kind::join:
      return std::make_unique<Join>(job, static_cast<const plan::Join&>(node));
    case plan::Kind::window_join:
      return std::make_unique<WindowJoin>(job, static_cast<const plan::WindowJoin&>(node));
    case plan::Kind::interval_join:
      return std::make_unique<IntervalJoin>(job, static_cast<const plan::IntervalJoin&>(node));
    case plan::Kind::temporal_join:
      return std::make_unique<TemporalJoin>(job, static_cast<const plan::TemporalJoin&>(node));
    case plan::Kind::sink:
      return make_sink(job, static_cast<const plan::Sink&>(node), outputs);
    default:
      throw PlanFailure(java::table, "This query needs an operator that is not there yet.");
  }
}

}  // namespace

std::vector<const plan::Node*> source_nodes(const plan::Plan& plan) {
  NodeList sources;
  for (const plan::Node* node : all_nodes(plan))
    if (is_source(*node)) sources.push_back(node);
  return sources;
}

Graph::Graph(JobContext& job, const plan::Plan& plan, const Outputs& outputs,
             const std::function<size_t(const plan::Node&)>& partitions) {
  const NodeList nodes = all_nodes(plan);
  std::map<const plan::Node*, NodeList> consumers;
  for (const plan::Node* node : nodes)
    for (const plan::NodePtr& input : node->inputs) consumers[input.get()].push_back(node);

  std::map<const plan::Node*, Operator*> made;
  for (const plan::Node* node : nodes) {
    if (made.contains(node)) continue;
    if (is_source(*node)) {
      Source source;
      source.node = node;
      source.output = std::make_unique<SourceOutput>(job, partitions(*node));
      made[node] = source.output.get();
      // What follows without state and without other readers runs inside the source.
      const plan::Node* last = node;
      while (node->kind == plan::Kind::scan && consumers[last].size() == 1 &&
             make_transform(*consumers[last].front())) {
        last = consumers[last].front();
        source.chain.push_back(last);
        made[last] = source.output.get();
      }
      sources_.push_back(std::move(source));
      continue;
    }
    std::unique_ptr<Operator> op = make_operator(job, *node, outputs);
    if (auto* sink = dynamic_cast<SinkOperator*>(op.get())) sinks_.push_back(sink);
    made[node] = op.get();
    for (size_t i = 0; i < node->inputs.size(); ++i)
      made.at(node->inputs[i].get())->add_target(*op, static_cast<int>(i));
    operators_.push_back(std::move(op));
  }
}

int64_t Graph::rows_out() const {
  int64_t rows = 0;
  for (const SinkOperator* sink : sinks_) rows += sink->rows();
  return rows;
}

bool Graph::keeps_nothing() const {
  return std::ranges::all_of(operators_, [](const auto& op) { return op->keeps_nothing(); });
}

void Graph::new_epoch() {
  for (SinkOperator* sink : sinks_)
    if (auto* kafka = dynamic_cast<KafkaSink*>(sink)) kafka->next_sticky_partition();
}

void Graph::save(std::string& out) const {
  for (const Source& source : sources_) source.output->save(out);
  for (const auto& op : operators_) op->save(out);
}

void Graph::load(std::string_view& in) {
  for (const Source& source : sources_) source.output->load(in);
  for (const auto& op : operators_) op->load(in);
}

}  // namespace millrace::processing
