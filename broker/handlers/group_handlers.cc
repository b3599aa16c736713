#include "broker/handlers/group_handlers.h"

#include <map>

#include "broker/handlers/group_offsets.h"

namespace millrace::broker {

namespace {

using groups::Caller;
using groups::GroupCoordinator;
using namespace protocol;

Caller caller_of(const RequestContext& context) { return {context.version, context.client_id, context.client_host()}; }

// Has the coordinator answer, on its shard.
template <class Request, class Response, Task<Response> (GroupCoordinator::*Method)(Caller, Request)>
Task<Response> ask(GroupServices* services, RequestContext context, Request request) {
  auto work = [coordinator = &services->coordinator, caller = caller_of(context), request = std::move(request)] {
    return (coordinator->*Method)(caller, request);
  };
  co_return co_await on(services->owner, std::move(work));
}

template <class Request, class Response, Task<Response> (GroupCoordinator::*Method)(Caller, Request)>
void add(Dispatch& dispatch, GroupServices& services, int16_t min, int16_t max) {
  dispatch.add<Request, Response>(min, max, [s = &services](RequestContext context, Request request) {
    return ask<Request, Response, Method>(s, std::move(context), std::move(request));
  });
}

Task<DescribeGroupsResponse> describe(GroupServices* services, RequestContext context, DescribeGroupsRequest request) {
  const bool operations = request.include_authorized_operations;
  DescribeGroupsResponse response =
      co_await ask<DescribeGroupsRequest, DescribeGroupsResponse, &GroupCoordinator::describe>(services, context,
                                                                                               std::move(request));
  if (!operations) co_return response;
  for (DescribeGroupsResponseGroup& group : response.groups) {
    if (group.error == ErrorCode::none) group.authorized_operations = all_group_operations;
  }
  co_return response;
}

}  // namespace

void add_group_handlers(Dispatch& dispatch, GroupServices& services) {
  using C = GroupCoordinator;
  dispatch.add<FindCoordinatorRequest, FindCoordinatorResponse>(
      0, 6, [finder = &services.finder](RequestContext context, FindCoordinatorRequest request) {
        return finder->find(std::move(context), std::move(request));
      });
  add<JoinGroupRequest, JoinGroupResponse, &C::join>(dispatch, services, 0, 9);
  add<SyncGroupRequest, SyncGroupResponse, &C::sync>(dispatch, services, 0, 5);
  add<HeartbeatRequest, HeartbeatResponse, &C::heartbeat>(dispatch, services, 0, 4);
  add<LeaveGroupRequest, LeaveGroupResponse, &C::leave>(dispatch, services, 0, 5);
  add<ListGroupsRequest, ListGroupsResponse, &C::list>(dispatch, services, 0, 5);
  add<DeleteGroupsRequest, DeleteGroupsResponse, &C::remove>(dispatch, services, 0, 2);
  dispatch.add<DescribeGroupsRequest, DescribeGroupsResponse>(
      0, 6, [s = &services](RequestContext context, DescribeGroupsRequest request) {
        return describe(s, std::move(context), std::move(request));
      });
  dispatch.add<OffsetCommitRequest, OffsetCommitResponse>(
      2, 10, [s = &services](RequestContext context, OffsetCommitRequest request) {
        return commit_offsets(s, std::move(context), std::move(request));
      });
  dispatch.add<OffsetFetchRequest, OffsetFetchResponse>(
      1, 10, [s = &services](RequestContext context, OffsetFetchRequest request) {
        return fetch_offsets(s, std::move(context), std::move(request));
      });
  dispatch.add<OffsetDeleteRequest, OffsetDeleteResponse>(
      0, 0, [s = &services](RequestContext context, OffsetDeleteRequest request) {
        return delete_offsets(s, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
