// ApiVersions: the dispatch table and the features, as clients read them. A version we do not serve never comes here:
// the session answers it.
#include "protocol/messages/api_versions.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

struct FeatureRange {
  const char* name;
  int16_t min;
  int16_t max;
};
// Of Kafka 4.3, sorted by name.
constexpr FeatureRange supported_features[] = {
    {"eligible.leader.replicas.version", 0, 1},
    {"group.version", 0, 1},
    {"kraft.version", 0, 1},
    {"metadata.version", 7, 30},
    {"share.version", 0, 1},
    {"streams.version", 0, 1},
    {"transaction.version", 0, 2},
};

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool is_software_name(const std::string& text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  for (const char c : text) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
  }
  return true;
}

Task<ApiVersionsResponse> api_versions(const Dispatch& dispatch, Broker& broker, RequestContext context,
                                       ApiVersionsRequest request) {
  ApiVersionsResponse response;
  if (context.version >= 3) {
    if (!is_software_name(request.client_software_name) || !is_software_name(request.client_software_version)) {
      response.error = ErrorCode::invalid_request;
      co_return response;
    }
    context.peer->software_name = std::move(request.client_software_name);
    context.peer->software_version = std::move(request.client_software_version);
  }
  for (const ApiRange& range : dispatch.advertised()) {
    ApiVersionsResponse::ApiKey key;
    key.api_key = range.key;
    key.min_version = range.min;
    key.max_version = range.max;
    response.api_keys.push_back(key);
  }
  if (context.version < 3) co_return response;
  for (const FeatureRange& range : supported_features) {
    // Older Java clients cannot read a minimum of 0.
    if (context.version < 4 && range.min == 0) continue;
    ApiVersionsResponse::SupportedFeature feature;
    feature.name = range.name;
    feature.min_version = range.min;
    feature.max_version = range.max;
    response.supported_features.push_back(std::move(feature));
  }
  const Image image = broker.image();
  response.finalized_features_epoch = std::max<int64_t>(0, image->offset());
  for (const auto& [name, level] : image->features()) {
    ApiVersionsResponse::FinalizedFeature feature;
    feature.name = name;
    feature.min_version_level = level;
    feature.max_version_level = level;
    response.finalized_features.push_back(std::move(feature));
  }
  co_return response;
}

}  // namespace

void add_api_versions(Dispatch& dispatch, Broker& broker) {
  dispatch.add<ApiVersionsRequest, ApiVersionsResponse>(
      0, 4, [&dispatch, &broker](RequestContext context, ApiVersionsRequest request) {
        return api_versions(dispatch, broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
