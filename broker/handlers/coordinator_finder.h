// CoordinatorFinder answers FindCoordinator: each kind of coordinator says for itself where a key is coordinated.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "broker/request.h"
#include "protocol/errors.h"
#include "protocol/messages/find_coordinator.h"
#include "runtime/task.h"

namespace millrace::broker {

enum class CoordinatorType : int8_t { group = 0, transaction = 1, share = 2 };

struct Located {
  ErrorCode error = ErrorCode::none;
  BrokerId id{-1};
  std::string host{};
  int32_t port = -1;
};

class CoordinatorFinder {
 public:
  // Runs on the session's shard.
  using Locate = std::function<Task<Located>(RequestContext, std::string key)>;
  void add(CoordinatorType type, Locate locate) { by_type_[type] = std::move(locate); }

  Task<protocol::FindCoordinatorResponse> find(RequestContext context, protocol::FindCoordinatorRequest request) const;

 private:
  Task<Located> locate(RequestContext context, int8_t type, std::string key) const;

  std::map<CoordinatorType, Locate> by_type_;
};

// "group:topicId:partition" with a base64 topic id and a partition of at least 0.
bool is_share_key(std::string_view key);

}  // namespace millrace::broker
