// A file of this machine (runtime/disk.h).
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "runtime/disk.h"
#include "runtime/real/blocking_pool.h"
#include "runtime/real/descriptor.h"

namespace millrace::real {

// `info` is what fstat says of it, and `pool` for what waits for the device.
std::unique_ptr<File> make_file(std::string path, Descriptor descriptor, const struct stat& info, bool writable,
                                BlockingPool& pool);

}  // namespace millrace::real
