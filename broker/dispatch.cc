#include "broker/dispatch.h"

namespace millrace::broker {

void Dispatch::insert(std::unique_ptr<Api> api) {
  const auto key = static_cast<size_t>(api->range.key);
  if (apis_.size() <= key) apis_.resize(key + 1);
  check(!apis_[key]);
  apis_[key] = std::move(api);
}

Dispatch::Api& Dispatch::at(int16_t key) {
  check(find(key) != nullptr);
  return *apis_[static_cast<size_t>(key)];
}

void Dispatch::advertise_from(int16_t key, int16_t min) { at(key).advertised_min = min; }

void Dispatch::hide(int16_t key) { at(key).hidden = true; }

void Dispatch::let_overlap(int16_t key) { at(key).overlaps = true; }

std::vector<ApiRange> Dispatch::advertised() const {
  std::vector<ApiRange> ranges;
  for (const std::unique_ptr<Api>& api : apis_) {
    if (api && !api->hidden) ranges.push_back({api->range.key, api->advertised_min, api->range.max});
  }
  return ranges;
}

std::vector<ApiRange> Dispatch::served() const {
  std::vector<ApiRange> ranges;
  for (const std::unique_ptr<Api>& api : apis_) {
    if (api) ranges.push_back(api->range);
  }
  return ranges;
}

bool Dispatch::serves(int16_t key, int16_t version) const {
  const Api* api = find(key);
  return api != nullptr && version >= api->range.min && version <= api->range.max;
}

bool Dispatch::is_flexible(int16_t key, int16_t version) const {
  const Api* api = find(key);
  return api != nullptr && api->is_flexible(version);
}

bool Dispatch::may_overlap(int16_t key) const {
  const Api* api = find(key);
  return api != nullptr && api->overlaps;
}

Task<std::optional<std::vector<Bytes>>> Dispatch::handle(RequestContext context, Bytes body) const {
  const Api* api = find(context.api_key);
  check(api != nullptr);
  return api->serve(std::move(context), std::move(body));
}

void dispatch_detail::unreadable(const RequestContext& context) {
  throw CloseConnection("unreadable body of api " + std::to_string(context.api_key) + " version " +
                        std::to_string(context.version));
}

}  // namespace millrace::broker
