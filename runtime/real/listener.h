// A listener of one shard, on a socket that all shards listen on.
#pragma once

#include <memory>

#include "runtime/real/process.h"
#include "runtime/real/shard.h"

namespace millrace::real {

// Throws NetError.
std::unique_ptr<Listener> make_listener(RealShard& shard, std::shared_ptr<ListeningSocket> socket);

}  // namespace millrace::real
