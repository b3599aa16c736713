// ApiUsage: which clients asked for which APIs in which versions; told once, when the broker stops. It shows what a
// client really speaks, and is how docs/COMPATIBILITY.md knows what a foreign client has checked.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/request.h"

namespace millrace::broker {

class ApiUsage {
 public:
  void add(const Peer& peer);
  // "librdkafka 2.0.2 used Produce 7, Fetch 11", one line a client.
  std::vector<std::string> lines() const;

 private:
  static constexpr size_t most_clients = 64;  // names are the clients' own

  std::map<std::string, std::set<ApiVersion>> by_client_;
};

}  // namespace millrace::broker
