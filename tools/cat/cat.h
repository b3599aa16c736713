// The five modes of `millrace cat`. Each returns the exit code.
#pragma once

#include "tools/cat/options.h"
#include "tools/client/cluster.h"

namespace millrace::tools::cat {

Task<int> produce(Cluster& cluster, const Options& options);
Task<int> consume(Cluster& cluster, const Options& options);
Task<int> consume_as_member(Cluster& cluster, const Options& options);
Task<int> list(Cluster& cluster, const Options& options);
Task<int> query(Cluster& cluster, const Options& options);

}  // namespace millrace::tools::cat
