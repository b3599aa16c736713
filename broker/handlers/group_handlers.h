// The handlers of classic groups and committed offsets: they resolve topics on the session's shard, then ask the
// coordinator on its own.
//
//   FindCoordinator 0-6   JoinGroup 0-9   SyncGroup 0-5   Heartbeat 0-4   LeaveGroup 0-5
//   OffsetCommit 2-10   OffsetFetch 1-10   OffsetDelete 0   DescribeGroups 0-6   ListGroups 0-5   DeleteGroups 0-2
#pragma once

#include "broker/dispatch.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/coordinator_finder.h"

namespace millrace::broker {

// Lives as long as the dispatch table. Topics are asked about on any shard.
struct GroupServices {
  Shard& owner;
  groups::GroupCoordinator& coordinator;
  const groups::TopicDirectory& topics;
  CoordinatorFinder& finder;
};

void add_group_handlers(Dispatch& dispatch, GroupServices& services);

// What an authorizer that allows everything says a client may do with a group: READ, DELETE, DESCRIBE,
// DESCRIBE_CONFIGS, ALTER_CONFIGS as bits.
inline constexpr int32_t all_group_operations = 3400;

}  // namespace millrace::broker
