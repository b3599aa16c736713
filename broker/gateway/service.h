// SqlService: the engine and its front door, as one part of the broker. Jobs run over the broker's own partitions.
#pragma once

#include <memory>
#include <optional>

#include "broker/config/config.h"
#include "broker/gateway/gateway.h"
#include "broker/gateway/http_server.h"
#include "processing/engine.h"
#include "runtime/gate.h"

namespace millrace::broker::gateway {

class SqlService {
 public:
  SqlService(const Config& config, processing::TopicReader& reader, processing::TopicWriter& writer);
  ~SqlService();

  // Takes the port; throws NetError when it cannot and the listener was asked for by name.
  Task<void> listen();
  // Stored jobs go on, and requests are answered, beside what the broker does; never throws.
  void start();
  // Jobs stop at an epoch; those that are stored go on after the next start.
  Task<void> close();

  // Nothing when it does not listen.
  std::optional<Address> local() const;
  processing::Engine& engine() { return engine_; }

 private:
  Task<void> resume_jobs();
  Task<HttpResponse> answer(HttpRequest request);

  const Config& config_;
  processing::Engine engine_;
  Gateway gateway_;
  HttpServer http_;
  Gate gate_;
};

}  // namespace millrace::broker::gateway
