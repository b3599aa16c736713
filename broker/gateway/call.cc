#include "broker/gateway/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/shard.h"

namespace millrace::broker::gateway {

namespace {

constexpr std::string_view versions[] = {"v1", "v2", "v3", "v4"};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(at);
    if (end > 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace

Call call_of(HttpRequest request) {
  Call call;
  call.method = std::move(request.method);
  call.body = std::move(request.body);
  const size_t question = request.target.find('?');
  call.path = split(request.target.substr(0, question), '/');
  if (!call.path.empty() && std::ranges::find(versions, call.path.front()) != std::end(versions)) {
    call.prefix = "/" + call.path.front();
    call.path.erase(call.path.begin());
  }
  if (question == std::string::npos) return call;
  for (const std::string& item : split(request.target.substr(question + 1), '&')) {
    const size_t equals = item.find('=');
    call.query[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
  }
  return call;
}

bool is_handle(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string new_handle() {
  const Uuid id = Shard::current().random().uuid();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", id.high >> 32, id.high >> 16 & 0xffff, id.high & 0xffff,
                     id.low >> 48, id.low & 0xffffffffffffull);
}

Json object_of(const std::string& body) {
  if (body.empty()) {
    Json json;
    json.kind = Json::Kind::object;
    return json;
  }
  Json json = parse_json(body);
  if (!json.is(Json::Kind::object)) throw JsonError("Cannot deserialize value: an object was expected");
  return json;
}

std::map<std::string, std::string> settings_of(const Json& json) {
  std::map<std::string, std::string> settings;
  if (json.is(Json::Kind::null)) return settings;
  if (!json.is(Json::Kind::object)) throw JsonError("Cannot deserialize value: a map of strings was expected");
  for (const auto& [key, value] : json.members) {
    if (value.is(Json::Kind::array) || value.is(Json::Kind::object)) {
      throw JsonError("Cannot deserialize value: a map of strings was expected");
    }
    if (!value.is(Json::Kind::null)) settings[key] = value.text;
  }
  return settings;
}

}  // namespace millrace::broker::gateway
