// The handlers of each family of APIs, put into the dispatch table.
#pragma once

#include "broker/broker.h"
#include "broker/dispatch.h"

namespace millrace::broker {

void add_api_versions(Dispatch& dispatch, Broker& broker);
void add_metadata(Dispatch& dispatch, Broker& broker);
void add_produce(Dispatch& dispatch, Broker& broker);
void add_fetch(Dispatch& dispatch, Broker& broker);
void add_offsets(Dispatch& dispatch, Broker& broker);
void add_producer_ids(Dispatch& dispatch, Broker& broker);
void add_topics(Dispatch& dispatch, Broker& broker);
void add_configs(Dispatch& dispatch, Broker& broker);
void add_cluster(Dispatch& dispatch, Broker& broker);
void add_security(Dispatch& dispatch);

// What an authorizer that allows everything says a client may do with a topic, or with the cluster: bits by operation.
inline constexpr int32_t all_topic_operations = 3576;
inline constexpr int32_t all_cluster_operations = 8096;

}  // namespace millrace::broker
