#include "broker/handlers/coordinator_finder.h"

#include <charconv>

namespace millrace::broker {

namespace {

constexpr int16_t first_batched = 4;
constexpr int16_t first_with_share = 6;

std::string words(ErrorCode error) { return error == ErrorCode::none ? "NONE" : std::string(message(error)); }

}  // namespace

bool is_share_key(std::string_view key) {
  // The group's id may have colons of its own.
  const size_t last = key.rfind(':');
  const size_t before = last == 0 || last == std::string_view::npos ? last : key.rfind(':', last - 1);
  if (before == std::string_view::npos || before == last) return false;
  const std::string_view group = key.substr(0, before);
  const std::string_view topic = key.substr(before + 1, last - before - 1);
  const std::string_view partition = key.substr(last + 1);
  if (group.find_first_not_of(' ') == std::string_view::npos) return false;
  try {
    parse_uuid(topic);
  } catch (const std::invalid_argument&) {
    return false;
  }
  int32_t number = -1;
  const auto [end, error] = std::from_chars(partition.data(), partition.data() + partition.size(), number);
  return error == std::errc() && end == partition.data() + partition.size() && number >= 0;
}

Task<Located> CoordinatorFinder::locate(RequestContext context, int8_t type, std::string key) const {
  if (type < 0 || type > static_cast<int8_t>(CoordinatorType::share)) co_return Located{ErrorCode::invalid_request};
  const auto kind = static_cast<CoordinatorType>(type);
  const auto found = by_type_.find(kind);
  if (kind == CoordinatorType::share &&
      (context.version < first_with_share || found == by_type_.end() || !is_share_key(key))) {
    co_return Located{ErrorCode::invalid_request};
  }
  if (found == by_type_.end()) co_return Located{ErrorCode::coordinator_not_available};
  co_return co_await found->second(std::move(context), std::move(key));
}

Task<protocol::FindCoordinatorResponse> CoordinatorFinder::find(RequestContext context,
                                                                protocol::FindCoordinatorRequest request) const {
  protocol::FindCoordinatorResponse response;
  if (context.version < first_batched) {
    const Located found = co_await locate(context, request.key_type, request.coordinator_key);
    response.error = found.error;
    response.error_message = words(found.error);
    response.node_id = found.id;
    response.host = found.host;
    response.port = found.port;
    co_return response;
  }
  const bool known = request.key_type >= 0 && request.key_type <= static_cast<int8_t>(CoordinatorType::share);
  for (const std::string& key : request.coordinator_keys) {
    const Located found = co_await locate(context, request.key_type, key);
    // Kafka gives words only for a type it does not know.
    response.coordinators.push_back(
        {key, found.id, found.host, found.port, found.error, known ? std::string() : words(found.error)});
  }
  co_return response;
}

}  // namespace millrace::broker
