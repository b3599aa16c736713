// -L and -Q: who is there, and which offset has which time.
#include <charconv>

#include <fmt/core.h>

#include "protocol/messages/list_offsets.h"
#include "tools/cat/cat.h"
#include "tools/cat/format.h"

namespace millrace::tools::cat {

namespace {

std::string join(const std::vector<BrokerId>& ids) {
  std::string out;
  for (const BrokerId id : ids) out += (out.empty() ? "" : ",") + std::to_string(id.value);
  return out;
}

void print_text(const protocol::MetadataResponse& cluster, const Options& options, const std::string& from) {
  fmt::print("Metadata for {} (from {}):\n", options.topic.empty() ? "all topics" : options.topic, from);
  fmt::print(" {} brokers:\n", cluster.brokers.size());
  for (const auto& broker : cluster.brokers) {
    fmt::print("  broker {} at {}:{}{}\n", broker.node_id.value, broker.host, broker.port,
               broker.node_id == cluster.controller_id ? " (controller)" : "");
  }
  fmt::print(" {} topics:\n", cluster.topics.size());
  for (const auto& topic : cluster.topics) {
    const std::string error = topic.error == ErrorCode::none ? "" : " " + describe(topic.error);
    fmt::print("  topic \"{}\" with {} partitions:{}\n", topic.name.value_or(""), topic.partitions.size(), error);
    for (const auto& p : topic.partitions) {
      const std::string trouble = p.error == ErrorCode::none ? "" : ", " + describe(p.error);
      fmt::print("    partition {}, leader {}, replicas: {}, isrs: {}{}\n", p.index.value, p.leader_id.value,
                 join(p.replica_nodes), join(p.isr_nodes), trouble);
    }
  }
}

void print_json(const protocol::MetadataResponse& cluster) {
  std::string out = fmt::format("{{\"controllerid\":{},\"brokers\":[", cluster.controller_id.value);
  for (size_t i = 0; i < cluster.brokers.size(); ++i) {
    const auto& broker = cluster.brokers[i];
    out += fmt::format("{}{{\"id\":{},\"name\":", i == 0 ? "" : ",", broker.node_id.value);
    append_json_string(out, fmt::format("{}:{}", broker.host, broker.port));
    out += "}";
  }
  out += "],\"topics\":[";
  for (size_t i = 0; i < cluster.topics.size(); ++i) {
    const auto& topic = cluster.topics[i];
    out += i == 0 ? "{\"topic\":" : ",{\"topic\":";
    append_json_string(out, topic.name.value_or(""));
    out += ",\"partitions\":[";
    for (size_t n = 0; n < topic.partitions.size(); ++n) {
      const auto& p = topic.partitions[n];
      out += fmt::format("{}{{\"partition\":{},\"leader\":{},\"replicas\":[", n == 0 ? "" : ",", p.index.value,
                         p.leader_id.value);
      for (size_t r = 0; r < p.replica_nodes.size(); ++r)
        out += fmt::format("{}{{\"id\":{}}}", r == 0 ? "" : ",", p.replica_nodes[r].value);
      out += "],\"isrs\":[";
      for (size_t r = 0; r < p.isr_nodes.size(); ++r)
        out += fmt::format("{}{{\"id\":{}}}", r == 0 ? "" : ",", p.isr_nodes[r].value);
      out += "]}";
    }
    out += "]}";
  }
  fmt::print("{}]}}\n", out);
}

struct Question {
  std::string topic;
  PartitionId partition;
  Timestamp time;
};

Question parse_question(std::string_view text) {
  const size_t last = text.rfind(':');
  const size_t middle = last == std::string_view::npos ? last : text.rfind(':', last - 1);
  if (middle == std::string_view::npos)
    throw UsageError("-Q wants TOPIC:PARTITION:TIMESTAMP_MS, not '" + std::string(text) + "'");
  Question question;
  question.topic = std::string(text.substr(0, middle));
  const std::string_view partition = text.substr(middle + 1, last - middle - 1);
  const std::string_view time = text.substr(last + 1);
  const bool ok = std::from_chars(partition.data(), partition.data() + partition.size(), question.partition.value).ec ==
                      std::errc() &&
                  std::from_chars(time.data(), time.data() + time.size(), question.time.value).ec == std::errc();
  if (!ok) throw UsageError("-Q wants numbers for partition and time: '" + std::string(text) + "'");
  return question;
}

}  // namespace

Task<int> list(Cluster& cluster, const Options& options) {
  std::optional<std::vector<std::string>> wanted;
  if (!options.topic.empty()) wanted = {options.topic};
  const protocol::MetadataResponse answer = co_await cluster.metadata(std::move(wanted));
  if (options.json) {
    print_json(answer);
  } else {
    BrokerConnection* from = co_await cluster.any();
    print_text(answer, options, to_string(from->address()));
  }
  co_return 0;
}

Task<int> query(Cluster& cluster, const Options& options) {
  int exit_code = 0;
  for (const std::string& text : options.query) {
    const Question question = parse_question(text);
    const auto topic = co_await cluster.topic(question.topic, false);
    for (const auto& partition : topic.partitions) {
      if (partition.index != question.partition) continue;
      BrokerConnection* leader = co_await cluster.broker(partition.leader_id);
      protocol::ListOffsetsRequest request;
      request.replica_id = BrokerId(-1);
      protocol::ListOffsetsRequestTopic asked;
      asked.name = question.topic;
      protocol::ListOffsetsRequestPartition which;
      which.index = question.partition;
      which.timestamp = question.time;
      asked.partitions.push_back(which);
      request.topics.push_back(std::move(asked));
      const auto answer = co_await leader->call(request);
      const auto& found = answer.topics.at(0).partitions.at(0);
      if (found.error != ErrorCode::none) {
        fmt::print(stderr, "% {} [{}]: {}\n", question.topic, question.partition.value, describe(found.error));
        exit_code = 1;
      } else {
        fmt::print("{} [{}] offset {}\n", question.topic, question.partition.value, found.offset.value);
      }
    }
  }
  co_return exit_code;
}

}  // namespace millrace::tools::cat
