// The running form of a plan: operators connected as its nodes are, sources first.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "processing/connectors/sinks.h"
#include "processing/operators/operator.h"
#include "processing/plan.h"

namespace millrace::processing {

// Where the partitions of one scan come together.
class SourceOutput final : public Operator {
 public:
  SourceOutput(JobContext& job, size_t partitions) : Operator(job, partitions) {}

 protected:
  void on_batch(int, Batch batch) override { emit(std::move(batch)); }
};

class Graph {
 public:
  struct Source {
    const plan::Node* node = nullptr;      // a Scan or Values
    std::vector<const plan::Node*> chain;  // stateless nodes that run inside the source's tasks
    std::unique_ptr<SourceOutput> output;
  };
  struct Outputs {
    Outbox* outbox = nullptr;
    std::function<void(ResultRow)> client;
    std::function<void(std::string)> print;
    std::map<std::string, int> partitions;  // of the topics written
  };

  // `partitions(scan)`: how many the source has.
  Graph(JobContext& job, const plan::Plan& plan, const Outputs& outputs,
        const std::function<size_t(const plan::Node&)>& partitions);

  std::vector<Source>& sources() { return sources_; }
  const std::vector<std::unique_ptr<Operator>>& operators() const { return operators_; }
  int64_t rows_out() const;
  bool keeps_nothing() const;  // what comes out depends on the rows that go in, and on no others before
  void new_epoch();            // keyless output moves to its next partition

  void save(std::string& out) const;
  void load(std::string_view& in);

 private:
  std::vector<Source> sources_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<SinkOperator*> sinks_;
};

// Every scan of the plan, each once, in a fixed order.
std::vector<const plan::Node*> source_nodes(const plan::Plan& plan);

}  // namespace millrace::processing
