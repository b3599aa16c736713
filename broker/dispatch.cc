#include "broker/dispatch.h"

namespace millrace::broker {

void Dispatch::insert(std::unique_ptr<Api> api) {
  const int16_t key = api->range.key;
  const bool inserted = apis_.emplace(key, std::move(api)).second;
  check(inserted);
}

void Dispatch::advertise_from(int16_t key, int16_t min) { apis_.at(key)->advertised_min = min; }

void Dispatch::hide(int16_t key) { apis_.at(key)->hidden = true; }

std::vector<ApiRange> Dispatch::advertised() const {
  std::vector<ApiRange> ranges;
  for (const auto& [key, api] : apis_) {
    if (!api->hidden) ranges.push_back({key, api->advertised_min, api->range.max});
  }
  return ranges;
}

std::vector<ApiRange> Dispatch::served() const {
  std::vector<ApiRange> ranges;
  for (const auto& [key, api] : apis_) ranges.push_back(api->range);
  return ranges;
}

bool Dispatch::serves(int16_t key, int16_t version) const {
  const auto api = apis_.find(key);
  return api != apis_.end() && version >= api->second->range.min && version <= api->second->range.max;
}

bool Dispatch::is_flexible(int16_t key, int16_t version) const {
  const auto api = apis_.find(key);
  return api != apis_.end() && api->second->flexible_from >= 0 && version >= api->second->flexible_from;
}

Task<std::optional<std::vector<Bytes>>> Dispatch::handle(RequestContext context, Bytes body) const {
  const auto api = apis_.find(context.api_key);
  check(api != apis_.end());
  co_return co_await api->second->serve(std::move(context), std::move(body));
}

void dispatch_detail::unreadable(const RequestContext& context) {
  throw CloseConnection("unreadable body of api " + std::to_string(context.api_key) + " version " +
                        std::to_string(context.version));
}

}  // namespace millrace::broker
