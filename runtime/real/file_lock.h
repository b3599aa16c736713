// A lock on a file that other processes respect, Kafka's too (runtime/disk.h).
#pragma once

#include <memory>
#include <string>

#include "runtime/disk.h"

namespace millrace::real {

// Null when somebody holds it, this process included. Throws DiskError.
std::unique_ptr<FileLock> lock_file(const std::string& path);

}  // namespace millrace::real
