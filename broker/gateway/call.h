// A request to the gateway, taken apart.
//   POST /v3/sessions/S/statements?a=b      prefix "/v3", path {"sessions", "S", "statements"}, query {a: b}
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/gateway/http.h"
#include "broker/gateway/json.h"

namespace millrace::broker::gateway {

struct Call {
  std::string method;
  std::string prefix;             // "/v3", or nothing
  std::vector<std::string> path;  // without the prefix
  std::map<std::string, std::string> query;
  std::string body;
};

Call call_of(HttpRequest request);

// Sessions and operations are named by UUIDs.
bool is_handle(std::string_view text);
std::string new_handle();

// An absent or empty body is an empty object. Throws JsonError.
Json object_of(const std::string& body);
// A map of strings; null is an empty one. Throws JsonError.
std::map<std::string, std::string> settings_of(const Json& json);

}  // namespace millrace::broker::gateway
