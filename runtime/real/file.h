// A file of this machine (runtime/disk.h).
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "runtime/disk.h"
#include "runtime/real/descriptor.h"

namespace millrace::real {

struct Process;

// `info` is what fstat says of it.
std::unique_ptr<File> make_file(std::string path, Descriptor descriptor, const struct stat& info, bool writable,
                                Process& process);

}  // namespace millrace::real
