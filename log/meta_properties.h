// meta.properties, which says whose log directory this is, and .kafka_cleanshutdown, which says how it was left.
//
//   meta.properties       Java properties: version=1 cluster.id node.id directory.id; version=0 has broker.id
//   .kafka_cleanshutdown  {"version":0,"brokerEpoch":N}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/types.h"

namespace millrace::log {

struct MetaProperties {
  int version = 1;
  std::string cluster_id;
  std::optional<BrokerId> node_id;
  std::optional<Uuid> directory_id;
};

// Java's .properties text: comments, continuation lines, escapes, '=' ':' or blank between key and value.
std::map<std::string, std::string> parse_properties(std::string_view text);

// `written` is the time in the comment line, as in Java's Properties.store.
std::string format_meta_properties(const MetaProperties& meta, Timestamp written);
// Throws CorruptLog where Kafka would refuse the file.
MetaProperties parse_meta_properties(std::string_view text, const std::string& path);

std::string format_clean_shutdown(int64_t broker_epoch);
// The broker epoch, or −1 when the file says nothing that can be read: it is a marker all the same.
int64_t parse_clean_shutdown(std::string_view text);

}  // namespace millrace::log
