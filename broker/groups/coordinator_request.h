// Counts a request of the coordinator for as long as its coroutine lives.
#pragma once

#include "broker/groups/coordinator.h"

namespace millrace::broker::groups {

class GroupCoordinator::Request {
 public:
  explicit Request(GroupCoordinator& coordinator) : coordinator_(coordinator) { ++coordinator_.requests_; }
  Request(const Request&) = delete;
  ~Request() {
    if (--coordinator_.requests_ == 0) coordinator_.requests_ended_.notify();
  }

 private:
  GroupCoordinator& coordinator_;
};

}  // namespace millrace::broker::groups
