// `millrace serve`: one broker process on the real world.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace millrace::broker {

struct ServeOptions {
  std::optional<std::string> properties;  // text of server.properties; nothing: the embedded default
  std::vector<std::string> overrides;     // "key=value"
  std::optional<std::string> cluster_id;  // for formatting
  std::string host_name = "localhost";    // advertised where a listener names no host
};

// Serves until SIGTERM or SIGINT; the exit status of the process.
int serve(const ServeOptions& options);

}  // namespace millrace::broker
