// The makers of the real seams; what they make lives as long as the shard it is made for.
#pragma once

#include <memory>

#include "runtime/disk.h"
#include "runtime/net.h"
#include "runtime/random.h"

namespace millrace::real {

struct Process;
class RealShard;

std::unique_ptr<Disk> make_disk(RealShard& shard, Process& process);
std::unique_ptr<Net> make_net(RealShard& shard, Process& process);
std::unique_ptr<Random> make_random();

}  // namespace millrace::real
