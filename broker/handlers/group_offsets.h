// OffsetCommit, OffsetFetch and OffsetDelete: which topics exist is decided here, before the coordinator is asked.
#pragma once

#include "broker/handlers/group_handlers.h"

namespace millrace::broker {

Task<protocol::OffsetCommitResponse> commit_offsets(GroupServices* services, RequestContext context,
                                                    protocol::OffsetCommitRequest request);
Task<protocol::OffsetFetchResponse> fetch_offsets(GroupServices* services, RequestContext context,
                                                  protocol::OffsetFetchRequest request);
Task<protocol::OffsetDeleteResponse> delete_offsets(GroupServices* services, RequestContext context,
                                                    protocol::OffsetDeleteRequest request);

}  // namespace millrace::broker
