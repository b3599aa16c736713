// What consumers tell each other through a group, as far as the coordinator reads it.
//
//   subscription := version:i16 topics:[string] …          longer in later versions, always this at the start
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::broker::groups {

// Nothing when it is not a consumer's subscription.
std::optional<std::vector<std::string>> subscribed_topics(std::span<const std::byte> subscription);

}  // namespace millrace::broker::groups
