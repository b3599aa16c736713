// A session of the gateway: the engine's, and the operations its statements have become.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "broker/gateway/operation.h"
#include "processing/engine.h"

namespace millrace::broker::gateway {

struct Session {
  std::shared_ptr<processing::EngineSession> engine;
  std::map<std::string, std::shared_ptr<Operation>> operations;
  MonoTime last_used{};
  // Statements of a session run one after the other, in the order they came.
  uint64_t last_ticket = 0;
  uint64_t serving = 1;
  Event turn;
};

}  // namespace millrace::broker::gateway
